"""OpenCLIP's towers for texts: its own Transformer, or a model of the transformers library (open_clip's
`transformer.py` and `hf_model.py`)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.encoders.text_model import states
from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.tower import tower

from graphacct import Builder, ConfigError, Dim, SubModel, Value, Workload, equal
from graphacct_vision.multimodal.open_clip_cfg import TextCfg
from graphacct_vision.multimodal.open_clip_image import described
from graphacct_vision.parts.inner_backbone import Inside

KEY, CLS = "text_cfg.hf_model_config", "cls_pooler"
MEANS = ("roberta", "xlm-roberta", "mt5")
"""The families whose tokens' mean counts unless the file says another pooler."""


def encoded(c: TextCfg, outputs: Dim, workload: Workload, b: Builder, *, quick: bool) -> tuple[Value, Value]:
    """Returns each text's embedding (batch, outputs) and its tokens; the builder is in the tower's scope. `quick` says
    that the file has quick_gelu."""
    model = c.text_model
    if model is not None:
        return by_library(c, model, outputs, workload, b)
    batch, seq = workload.batch, workload.seq_len
    if not equal(seq, c.context_length):
        raise ConfigError(f"seq_len {seq} is not text_cfg.context_length {c.context_length}, which every text has")
    ids = b.input("text", (batch, seq), "int64")
    x = embedding(b, "token_embedding", ids, c.vocab_size, c.width)
    if c.embed_cls:
        own = b.apply("expand", b.parameter("cls_emb", (c.width,)), name="cls", shape=(batch, 1, c.width))
        x = b.apply("concat", x, own, name="with_cls", dim=1)
    count = x.spec.shape[1]
    x = b.apply("add", x, b.parameter("positional_embedding", (count, c.width)), name="with_positions")
    mask = unpadded(c, workload, b, ids, count) if c.embed_cls else None
    causal = not c.no_causal_mask and mask is None
    kind = described(c, c.layers, c.width, c.heads, c.act(quick=quick), causal=causal)
    x = tower(kind, workload, b, x, mask)
    if c.embed_cls:
        last = b.apply("select", x, name="pooled", dim=1, index=-1)
        tokens = b.apply("slice", x, name="tokens", dim=1, start=0, length=seq)
        return projected(c, outputs, b, layer_norm(b, "ln_final", last)), tokens
    tokens = layer_norm(b, "ln_final", x)
    return projected(c, outputs, b, pooled(c, b, ids, tokens)), tokens


def unpadded(c: TextCfg, workload: Workload, b: Builder, ids: Value, count: Dim) -> Value:
    """Returns what is added to the scores of `count` tokens, (batch, heads, count, count): each sees those before it
    that are no padding."""
    batch = workload.batch
    valid = b.apply("ne", ids, name="no_padding")
    valid = b.apply(
        "concat", b.apply("full", name="cls_valid", shape=(batch, 1), dtype="bool"), valid, name="valid", dim=1
    )
    valid = b.apply("reshape", valid, name="valid_keys", shape=(batch, 1, count))
    hidden = b.apply("logical_not", b.apply("expand", valid, name="each", shape=(batch, count, count)), name="hidden")
    x = b.apply("full", name="no_mask", shape=(batch, count, count), dtype=b.dtype)
    x = b.apply("masked_fill", x, hidden, name="padding_mask")
    x = b.apply("reshape", x, name="of_one_head", shape=(batch, 1, count, count))
    x = b.apply("repeat", x, name="of_each_head", times=(1, c.heads, 1, 1))
    if c.no_causal_mask:
        return x
    causal = b.apply("constant", name="attn_mask", shape=(count, count), dtype=b.dtype, causal=True)
    found: Value = b.apply("add", causal, x, name="mask")
    return found


def pooled(c: TextCfg, b: Builder, ids: Value, x: Value) -> Value:
    """Returns the token of x (batch, seq, width) that stands for its text; all of them for the pool `none`."""
    batch = x.spec.shape[0]
    if c.pool_type == "none":
        return x
    if c.pool_type in ("first", "last"):
        last = {} if c.pool_type == "first" else {"index": -1}
        return b.apply("select", x, name="pooled", dim=1, **last)
    if c.pool_type == "eos":
        ids = b.apply("cast", b.apply("eq", ids, name="is_eos"), name="eos_first", dtype="int32")
    rows = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
    found: Value = b.apply("index_pairs", x, rows, b.apply("argmax", ids, name="last"), name="pooled")
    return found


def projected(c: TextCfg, outputs: Dim, b: Builder, x: Value) -> Value:
    """Returns the embedding of a text's token."""
    if c.proj_type == "none":
        return x
    if c.proj_bias:
        return linear(b, "text_projection", x, outputs)
    weight = b.parameter("text_projection", (x.spec.shape[-1], outputs))
    found: Value = b.apply("matmul", x, weight, name="projected")
    return found


def by_library(c: TextCfg, model: SubModel, outputs: Dim, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the same from a text model of the transformers library: its encoder alone."""
    pooler = c.hf_pooler_type or ("mean_pooler" if model.architecture.name in MEANS else CLS)
    ids = b.input("text", (workload.batch, workload.seq_len), "int64")
    own: Any = Inside(b, ids)
    with b.inside("transformer"):
        x, first = states(model, KEY, workload, own, pooled=pooler == CLS)
    width = x.spec.shape[-1]
    tokens = x
    if pooler == CLS:
        tokens = b.apply("slice", x, name="tokens", dim=1, start=1, length=x.spec.shape[1] - 1)
    y = first if first is not None else gathered(pooler, b, ids, x)
    if equal(width, outputs) and c.hf_proj_type is None:
        return y, tokens
    if c.hf_proj_type is None:
        raise ConfigError(
            f"hf_proj_type is null, and the text model's width {width} is not embed_dim {outputs}: 'linear' or "
            "'mlp' projects it"
        )
    if c.hf_proj_type == "linear":
        return linear(b, "proj", y, outputs, bias=False), tokens
    if type(width) is not int or type(outputs) is not int:
        raise ConfigError(f"width {width}, embed_dim {outputs}: give numbers, between which the projection's width is")
    with b.scope("proj"):
        y = b.apply("gelu", linear(b, "0", y, (width + outputs) // 2, bias=False), name="1")
        return linear(b, "2", y, outputs, bias=False), tokens


def gathered(pooler: str, b: Builder, ids: Value, x: Value) -> Value:
    """Returns the mean of the tokens that are no padding, or the first token."""
    batch, seq, _ = x.spec.shape
    if pooler != "mean_pooler":
        return b.apply("select", x, name="cls", dim=1)
    mask = b.apply("cast", b.apply("ne", ids, name="no_padding"), name="attention_mask", dtype=b.dtype)
    each = b.apply("reshape", mask, name="mask_column", shape=(batch, seq, 1))
    total = b.apply("sum", b.apply("mul", x, each, name="masked"), name="total", dim=1)
    count = b.apply("sum", mask, name="count", dim=-1, keepdim=True)
    found: Value = b.apply("div", total, count, name="mean")
    return found
