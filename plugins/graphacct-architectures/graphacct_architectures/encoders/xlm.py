"""XLM: BERT-like layers in lists of their own, over one vocabulary for many languages.

Conneau and Lample, 2019 (arXiv:1901.07291). A table of languages has a share where a file has several; a language is
given with the tokens, which is not counted. FlauBERT's layers are the same, with norms first where a file says so.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier, classified, scored, token
from graphacct_architectures.encoders.electra import SUMMARIES
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, merge_heads, resident, split_heads
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, cross_entropy, span, total

STEM = "XLM"
MODEL, LM, SEQUENCE, TOKENS, SPANS, CHOICE = (
    f"{STEM}{word}"
    for word in (
        *("Model", "WithLMHeadModel", "ForSequenceClassification", "ForTokenClassification"),
        *("ForQuestionAnsweringSimple", "ForMultipleChoice"),
    )
)
CLASSES = (MODEL, LM, SEQUENCE, TOKENS, SPANS, CHOICE)
WIDER = 4
"""The width of the network of a layer, in widths of the model."""


def optional_activation() -> Any:
    """Returns the operators of an activation, by its name in a file; empty for none."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if value in (None, ""):
            return ""
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise ConfigError(f"{field.name} is {brief(value)}, no known activation")
        return ACTIVATIONS[value]

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class XLMConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(30145)
    emb_dim: Dim = fields.size(2048)
    n_layers: Dim = fields.size(12)
    n_heads: Dim = fields.size(16)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    gelu_activation: bool = fields.flag(True)
    causal: bool = fields.flag(False)
    asm: bool = fields.flag(False)
    n_langs: Dim = fields.size(1)
    use_lang_emb: bool = fields.flag(True)
    max_position_embeddings: Dim = fields.size(512)
    summary_type: str = fields.choice("first", tuple(SUMMARIES))
    summary_use_proj: bool = fields.flag(True)
    summary_activation: str = optional_activation()
    summary_proj_to_labels: bool = fields.flag(True)
    summary_first_dropout: float = fields.probability(0.1)
    summary_last_dropout: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()
    is_encoder: bool = fields.flag(True)

    @property
    def norms_first(self) -> bool:
        """Whether a part's norm is before its module."""
        return False


def classifier(config: Any) -> Classifier | None:
    """Returns the class's classifier, or None."""
    name = config.architectures
    found = {
        TOKENS: Classifier("classifier", config.num_labels, dropout=config.dropout),
        SPANS: Classifier("qa_outputs", config.num_labels, spans=True),
    }
    return found.get(name)


def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    module = "" if config.architectures == MODEL else "transformer"
    with b.scope(module):
        x = stream(config, workload, b)
    b.hold(x)
    if config.architectures == LM:
        tied = "transformer.embeddings.weight" if config.tie_word_embeddings else ""
        return linear(b, "pred_layer.proj", x, config.vocab_size, tied_to=tied)
    if config.architectures in (SEQUENCE, CHOICE):
        logits = summary(config, workload, b, x)
        return logits if config.architectures == SEQUENCE else linear(b, "logits_proj", logits, 1)
    found = classifier(config)
    return x if found is None else classified(found, workload, b, token(b, x, found.reads))


def summary(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns one row of each text, projected to labels or to the model's width."""
    if config.architectures == CHOICE and not (config.summary_use_proj and config.summary_proj_to_labels):
        raise ConfigError("summary_use_proj and summary_proj_to_labels are True in a class that chooses an answer")
    x = token(b, x, SUMMARIES[config.summary_type])
    x = dropped(b, "summary_first_dropout", x, config.summary_first_dropout, workload)
    if config.summary_use_proj:
        width = config.num_labels if config.summary_proj_to_labels else config.emb_dim
        x = linear(b, "sequence_summary.summary", x, width)
    if config.summary_activation:
        x = act(b, config.summary_activation, x, "summary_activation")
    return dropped(b, "summary_last_dropout", x, config.summary_last_dropout, workload)


def stream(config: Any, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output (batch, seq, width)."""
    batch, seq, width, count = workload.batch, workload.seq_len, config.emb_dim, config.n_layers
    assert seq is not None
    if not config.is_encoder:
        raise ConfigError("is_encoder is not True: the class runs as an encoder alone")
    if config.asm and config.architectures == LM:
        raise ConfigError("asm is True: a softmax in clusters of words is not modelled")
    if type(count) is not int:
        raise ConfigError(f"n_layers {count} is a symbol: these layers are written out, so give a number")
    if has_value(seq) and has_value(config.max_position_embeddings) and seq > config.max_position_embeddings:
        raise ConfigError(f"seq_len {seq} is beyond the {config.max_position_embeddings} positions of the model")
    ids = b.input("input_ids", (batch, seq), "int64")
    mask = b.apply("full", name="mask", shape=(batch, seq), dtype="bool")
    table = b.apply("constant", name="position_table", shape=(1, config.max_position_embeddings), dtype="int64")
    places = b.apply("slice", table, name="position_row", dim=1, start=0, length=seq)
    places = b.apply("expand", places, name="position_ids", shape=(batch, seq))
    x = embedding(b, "embeddings", ids, config.vocab_size, width)
    where = embedding(b, "position_embeddings", places, config.max_position_embeddings, width)
    x = b.apply("add", x, where, name="with_positions")
    if config.use_lang_emb and not equal(config.n_langs, 1):
        resident(b, "lang_embeddings", b.parameter("lang_embeddings.weight", (config.n_langs, width)), lookup=True)
    x = dropped(b, "dropout", layer_norm(b, "layer_norm_emb", x), config.dropout, workload)
    x = unpadded(b, "unpadded", x, mask)
    seen = mask
    if config.causal:
        seen = b.apply("full", name="causal_mask", shape=(batch, seq, seq), dtype="bool", causal=True)
    b.hold(mask, seen)
    for index in range(count):
        x = layer(config, workload, b, x, mask, seen, index)
    return x


def unpadded(b: Builder, name: str, x: Value, mask: Value) -> Value:
    """Returns x (batch, seq, width) with zeros for padding; `mask` is (batch, seq)."""
    batch, seq, _ = x.spec.shape
    rows = b.apply("reshape", mask, name=f"{name}_rows", shape=(batch, seq, 1))
    return b.apply("mul", x, b.apply("cast", rows, name=f"{name}_mask", dtype=x.spec.dtype), name=name)


def layer(config: Any, workload: Workload, b: Builder, x: Value, mask: Value, seen: Value, index: int) -> Value:
    """Applies attention, then the network; each output is added, and normalized before or after that."""
    first, second = f"layer_norm1.{index}", f"layer_norm2.{index}"
    b.hold(x)
    y = layer_norm(b, first, x) if config.norms_first else x
    with b.scope(f"attentions.{index}"):
        y = attention(config, workload, b, y, seen)
    y = dropped(b, f"attentions.{index}.output_dropout", y, config.dropout, workload)
    x = b.apply("add", x, y, name=f"attentions.{index}.residual")
    x = x if config.norms_first else layer_norm(b, first, x)
    b.hold(x)
    y = layer_norm(b, second, x) if config.norms_first else x
    with b.scope(f"ffns.{index}"):
        y = linear(b, "lin1", y, config.emb_dim * WIDER)
        y = b.apply("gelu" if config.gelu_activation else "relu", y, name="act")
        y = dropped(b, "dropout", linear(b, "lin2", y, config.emb_dim), config.dropout, workload)
        x = b.apply("add", x, y, name="residual")
    x = x if config.norms_first else layer_norm(b, second, x)
    return unpadded(b, f"ffns.{index}.unpadded", x, mask)


def attention(config: Any, workload: Workload, b: Builder, x: Value, seen: Value) -> Value:
    """Returns attention's output; `seen` is (batch, seq), or (batch, seq, seq) of causal attention."""
    width, heads = config.emb_dim, config.n_heads
    d_head = exact_div(width, heads, "emb_dim / n_heads")
    batch, seq, _ = x.spec.shape
    q, k, v = (split_heads(b, linear(b, f"{name}_lin", x, width), heads, d_head, name) for name in "qkv")
    q = b.apply("scale", q, name="scaled")
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    rows = 1 if len(seen.spec.shape) == 2 else seq
    hidden = b.apply("logical_not", seen, name="unseen")
    hidden = b.apply("reshape", hidden, name="unseen_of_heads", shape=(batch, 1, rows, seq))
    scores = b.apply("masked_fill", scores, hidden, name="masked")
    if b.dtype != "float32":
        scores = b.apply("cast", scores, name="scores_upcast", dtype="float32")
    weights = b.apply("softmax", scores, name="softmax")
    if b.dtype != "float32":
        weights = b.apply("cast", weights, name="weights_narrowed", dtype=b.dtype)
    weights = dropped(b, "dropout", weights, config.attention_dropout, workload)
    return linear(b, "out_lin", merge_heads(b, b.apply("matmul", weights, v, name="values")), width)


def has_logits(config: Any) -> bool:
    """Returns whether a class has logits of words, of classes or of places in the text."""
    if config.architectures == SEQUENCE:
        return not equal(config.num_labels, 1)
    return config.architectures == LM or scored(classifier(config))


def loss(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of a span's ends, or of one target for each row of logits."""
    return (span if len(outputs) == 2 else cross_entropy)(config, outputs, b)


ALIASES = {
    "n_words": "vocab_size",
    "hidden_size": "emb_dim",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
}
NO_COST: dict[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(("bos_index", "eos_index", "pad_index", "unk_index", "mask_index", "mask_token_id", "lang_id")),
    **dict.fromkeys(("sinusoidal_embeddings", "embed_init_std", "init_std", "start_n_top", "end_n_top")),
    **dict.fromkeys(("id2lang", "lang2id", "max_vocab", "min_count", "same_enc_dec", "share_inout_emb", "asm_cutoffs")),
    **dict.fromkeys(("amp", "fp16", "bptt", "batch_size", "encoder_only", "asm_div_value", "attention_setting")),
}
BASE = built(
    "xlm",
    XLMConfig,
    build,
    PresetFiles(__file__),
    has_logits,
    lambda config: config.max_position_embeddings,
    doc="XLM: an encoder of many languages, alone or with the head of a class.",
    aliases=ALIASES,
    no_cost=NO_COST,
)
ARCHITECTURE = attrs.evolve(BASE, losses={CROSS_ENTROPY: loss, SUM: total}, attention=("eager",))
