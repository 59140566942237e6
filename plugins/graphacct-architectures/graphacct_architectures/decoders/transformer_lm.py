"""The worksheet's language model: RMSNorm, rotary positions, SwiGLU, an untied head, no biases.

The model that the project grew from (docs/worksheet.md), with the operators of the measured reference module
(tests/goldens/, "transformer-lm-…"): cosine and sine tables are buffers, and each layer makes its own mask.
"""

from __future__ import annotations

from functools import partial

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.layers import embedding, for_logits, linear, merge_heads, rms_norm, split_heads, with_cache
from graphacct_architectures.losses import LOSSES


@frozen
class TransformerLMConfig:
    """The sizes of the worksheet's model; `d_ff` is 6,400 in all of its tables."""

    vocab_size: Dim = fields.size(50257)
    context_length: Dim = fields.size(1024)
    d_model: Dim = fields.size(768)
    n_layer: Dim = fields.size(12)
    n_head: Dim = fields.size(12)
    d_ff: Dim = fields.size(6400)
    dtype: str | None = fields.dtype()


def build(config: TransformerLMConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits."""
    batch, seq = workload.batch, workload.seq_len
    d_head = exact_div(config.d_model, config.n_head, "d_model / n_head")
    half = exact_div(d_head, 2, "d_head / 2 (rotary positions rotate pairs)")
    ids = b.input("input_ids", (batch, seq), "int64")
    x = embedding(b, "token_embeddings", ids, config.vocab_size, config.d_model)
    with b.scope("rope"):
        cos = b.apply("constant", name="cos", shape=(seq, half), dtype=b.dtype)
        sin = b.apply("constant", name="sin", shape=(seq, half), dtype=b.dtype)
    x = b.repeat("layers", config.n_layer, partial(block, config, d_head, workload), x, constants=(cos, sin))
    b.hold(x)
    x = rms_norm(b, "ln_final", x)
    x = for_logits(b, x, workload)
    return linear(b, "lm_head", x, config.vocab_size, bias=False)


def block(
    config: TransformerLMConfig, d_head: Dim, workload: Workload, b: Builder, x: Value, cos: Value, sin: Value
) -> Value:
    """Adds one transformer block."""
    b.hold(x)  # the loop over the layers still holds it
    y = rms_norm(b, "ln1", x)
    with b.scope("attn"):
        b.hold(y)
        y = attention(config, d_head, workload, b, y, cos, sin)
    x = b.apply("add", x, y, name="attn_residual")
    y = rms_norm(b, "ln2", x)
    with b.scope("ffn"):
        b.hold(y)
        gate = b.apply("silu", linear(b, "w1", y, config.d_ff, bias=False), name="silu")
        gated = b.apply("mul", gate, linear(b, "w3", y, config.d_ff, bias=False), name="gate")
        y = linear(b, "w2", gated, config.d_model, bias=False)
    return b.apply("add", x, y, name="ffn_residual")


def attention(
    config: TransformerLMConfig, d_head: Dim, workload: Workload, b: Builder, x: Value, cos: Value, sin: Value
) -> Value:
    """Adds causal self-attention with rotary positions, as separate nodes or as one fused operator."""
    q, k, v = (
        split_heads(b, linear(b, f"{label}_proj", x, config.d_model, bias=False), config.n_head, d_head, label)
        for label in "qkv"
    )
    q = b.apply("rotary_embedding", q, cos, sin, name="q_rope")
    k = b.apply("rotary_embedding", k, cos, sin, name="k_rope")
    k, v = with_cache(b, k, "k", workload), with_cache(b, v, "v", workload)
    b.hold(q, k, v)
    if workload.attention == "fused":
        causal = workload.phase != "decode"
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=causal)
    else:
        mask = b.apply("causal_mask", name="mask", seq=x.spec.shape[1], keys=k.spec.shape[-2], dtype="bool")
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("scale", scores, name="scale")
        scores = b.apply("masked_fill", scores, mask, name="masked")
        b.hold(mask, scores)
        y = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
    return linear(b, "output_proj", merge_heads(b, y), config.d_model, bias=False)


ARCHITECTURE = Architecture(
    "transformer-lm",
    TransformerLMConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.context_length},
    attention=("eager", "fused"),
    dtype="float32",
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    aliases={"num_layers": "n_layer", "num_heads": "n_head", "torch_dtype": "dtype"},
    model_types=("transformer-lm", "transformer_lm"),
    losses=LOSSES,
    doc="The worksheet's model: RMSNorm, RoPE, SwiGLU, untied head, no biases.",
)
