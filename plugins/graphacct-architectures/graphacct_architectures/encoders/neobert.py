"""NeoBERT: RMSNorm first, rotary positions, one projection for queries, keys and values, and gated networks.

Le Breton et al., 2025 (arXiv:2502.19587). The class stands in its own repository (chandar-lab/NeoBERT); names of
modules are those of the published checkpoint.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Builder, Dim, PresetFiles, Value, Workload, equal, exact_div, fields, floor_div, frozen
from graphacct_architectures.classifier import Classifier, classified, scored, token
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.encoders.parts.rotation import angles
from graphacct_architectures.layers import activation, embedding, linear, merge_heads, rms_norm

MODEL, MASKED, SEQUENCE = "NeoBERT", "NeoBERTLMHead", "NeoBERTForSequenceClassification"
MULTIPLE = 8
"""What the network's width is a multiple of."""


@frozen(kw_only=True)
class NeoBERTConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE))
    vocab_size: Dim = fields.size(30522)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(28)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    max_length: Dim = fields.size(1024)
    classifier_dropout: float = fields.probability(0.1)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def inner(self) -> Dim:
        """The network's width: two thirds of `intermediate_size`, rounded up to a multiple."""
        thirds = floor_div(2 * self.intermediate_size, 3)
        return MULTIPLE * floor_div(thirds + MULTIPLE - 1, MULTIPLE)


def classifier(config: NeoBERTConfig) -> Classifier | None:
    """Returns the class's classifier, or None."""
    if config.architectures != SEQUENCE:
        return None
    drop = config.classifier_dropout
    return Classifier(
        "classifier",
        config.num_labels,
        "first",
        dense="dense",
        width=config.hidden_size,
        activation="tanh",
        early_dropout=drop,
        dropout=drop,
    )


def build(config: NeoBERTConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    width = config.hidden_size
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    ids = b.input("input_ids", (workload.batch, workload.seq_len), "int64")
    with b.scope("" if config.architectures == MODEL else "model"):
        x = embedding(b, "encoder", ids, config.vocab_size, width)
        with b.scope("rotary"):
            tables = angles(workload, b, d_head)
        b.hold(x, *tables)
        body = partial(layer, config, d_head, workload)
        x = b.repeat("transformer_encoder", config.num_hidden_layers, body, x, constants=tables)
        x = rms_norm(b, "layer_norm", x)
    if config.architectures == MASKED:
        y = linear(b, "decoder", x, config.vocab_size)
        return b.apply("select", y, name="logits", dim=-1) if equal(config.vocab_size, 1) else y
    found = classifier(config)
    return x if found is None else classified(found, workload, b, token(b, x, found.reads))


def layer(
    config: NeoBERTConfig, d_head: Dim, workload: Workload, b: Builder, x: Value, cos: Value, sin: Value
) -> Value:
    """Applies attention, then the network; each output is added to its input."""
    b.hold(x)
    batch, seq, width = x.spec.shape
    heads = config.num_attention_heads
    both = linear(b, "qkv", rms_norm(b, "attention_norm", x), 3 * width, bias=False)
    both = b.apply("reshape", both, name="qkv_heads", shape=(batch, seq, heads, 3 * d_head))
    parts = b.apply("split", both, name="qkv_parts", parts=3)
    q, k, v = (
        b.apply("transpose", part, name=f"{label}_by_head", dims=(1, 2))
        for part, label in zip(parts, "qkv", strict=True)
    )
    q, k = (
        b.apply("rotary_embedding", part, cos, sin, name=f"{label}_rope", composed=True)
        for part, label in ((q, "q"), (k, "k"))
    )
    b.hold(q, k, v)
    if workload.attention == "fused":
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa")
    else:
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
        b.hold(weights)
        y = b.apply("matmul", weights, v, name="values")
    x = b.apply("add", x, linear(b, "wo", merge_heads(b, y), width, bias=False), name="attention_residual")
    gate, passing = both_halves(b, config, rms_norm(b, "ffn_norm", x))
    y = b.apply("mul", activation(b, "silu", gate, "ffn.act"), passing, name="ffn.gated")
    return b.apply("add", x, linear(b, "ffn.w3", y, width, bias=False), name="network_residual")


def both_halves(b: Builder, config: NeoBERTConfig, x: Value) -> Any:
    """Returns the gate and what passes it, of one projection."""
    return b.apply("split", linear(b, "ffn.w12", x, 2 * config.inner, bias=False), name="ffn.halves", parts=2)


ARCHITECTURE = built(
    "neobert",
    NeoBERTConfig,
    build,
    PresetFiles(__file__),
    lambda config: config.architectures == MASKED or scored(classifier(config)),
    lambda config: config.max_length,
    doc="NeoBERT: RMSNorm first, rotary positions and gated networks; alone or with the head of a class.",
    no_cost=dict.fromkeys(
        ("embedding_init_range", "decoder_init_range", "norm_eps", "pad_token_id", "dim_head", "kwargs")
    ),
)
