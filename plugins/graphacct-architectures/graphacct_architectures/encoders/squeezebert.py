"""SqueezeBERT: BERT's layers with grouped convolutions of width 1 in place of linear layers.

Iandola et al., 2020 (arXiv:2006.11316). Channels come before tokens throughout the layers.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    differ,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.encoders.bert import CHOICE, MASKED, MODEL, SEQUENCE, SPANS, TOKENS, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import head_width
from graphacct_architectures.layers import activation, dropped, layer_norm

BERTS = {f"Squeeze{name}": name for name in (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE)}
"""BERT's class for each of SqueezeBERT's."""


@frozen(kw_only=True)
class SqueezeBertConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("SqueezeBertModel", tuple(BERTS))
    embedding_size: Dim = fields.size(768)
    q_groups: Dim = fields.size(4)
    k_groups: Dim = fields.size(4)
    v_groups: Dim = fields.size(4)
    post_attention_groups: Dim = fields.size(1)
    intermediate_groups: Dim = fields.size(4)
    output_groups: Dim = fields.size(4)
    prefix: ClassVar[str] = "transformer"

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: SqueezeBertConfig) -> Encoder:
    """Returns the encoder with its pooler, which every class has, and its class's head."""
    if differ(config.embedding_size, config.hidden_size):
        raise ConfigError(
            f"embedding_size {config.embedding_size} is not hidden_size {config.hidden_size}: the class has one width"
        )
    found = of_class(config, BERTS[config.architectures])
    names = Names(stack="encoder.layers")
    own = attrs.evolve(found, names=names, causal=False, crossed=False, pooled=True)
    return attrs.evolve(own, written_out=True, types_made=True)


def stream(config: SqueezeBertConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    b.hold(x)
    x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
    x = through(e, workload, b, x, body=partial(layer, config))
    return b.apply("permute", x, name="channels_last", dims=(0, 2, 1))


def layer(config: SqueezeBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Applies attention and the network to x (batch, channels, tokens), each added to its input and normalized."""
    b.hold(x)
    y, weights = attended(config, e, workload, b, x)
    b.hold(*weights)
    y = combined(b, "post_attention", y, x, e.width, config.post_attention_groups, e.dropout, workload)
    b.hold(y)
    inner = convolved(b, "intermediate.conv1d", y, e.inner, config.intermediate_groups)
    inner = activation(b, e.activation, inner, "intermediate.act")
    return combined(b, "output", inner, y, e.width, config.output_groups, e.dropout, workload)


def attended(
    config: SqueezeBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output (batch, channels, tokens), and the weights."""
    batch, _, seq = x.spec.shape
    width = head_width(e)
    with b.scope("attention"):
        parts = {}
        for label, name, groups in (
            ("q", "query", config.q_groups),
            ("k", "key", config.k_groups),
            ("v", "value", config.v_groups),
        ):
            y = convolved(b, name, x, e.width, groups)
            parts[label] = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, e.heads, width, seq))
        q, v = (b.apply("permute", parts[label], name=f"{label}_rows", dims=(0, 1, 3, 2)) for label in "qv")
        b.hold(q, parts["k"], v)
        scores = b.apply("matmul", q, parts["k"], name="matmul_qk")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
        weights = dropped(b, "dropout", weights, e.attention_dropout, workload)
        y = b.apply("matmul", weights, v, name="matmul_qkv")
        y = b.apply("permute", y, name="columns", dims=(0, 1, 3, 2))
        y = b.apply("contiguous", y, name="columns_copied")
        return b.apply("reshape", y, name="merge_heads", shape=(batch, e.width, seq)), (weights,)


def convolved(b: Builder, name: str, x: Value, width: Dim, groups: Dim) -> Value:
    """Returns a convolution of width 1 of x (batch, channels, tokens)."""
    exact_div(width, groups, "channels / groups")
    weight = b.parameter(f"{name}.weight", (width, floor_div(x.spec.shape[1], groups), 1))
    return b.apply("convolution", x, weight, b.parameter(f"{name}.bias", (width,)), name=name, groups=groups)


def combined(
    b: Builder, name: str, x: Value, residual: Value, width: Dim, groups: Dim, dropout: float, workload: Workload
) -> Value:
    """Returns x convolved and added to the residual, normalized over channels."""
    y = convolved(b, f"{name}.conv1d", x, width, groups)
    y = b.apply("add", dropped(b, f"{name}.dropout", y, dropout, workload), residual, name=f"{name}_residual")
    y = b.apply("permute", y, name=f"{name}_channels_last", dims=(0, 2, 1))
    y = layer_norm(b, f"{name}.layernorm", y)
    return b.apply("permute", y, name=f"{name}_channels_first", dims=(0, 2, 1))


ARCHITECTURE = encoder(
    "squeezebert",
    SqueezeBertConfig,
    describe,
    PresetFiles(__file__),
    doc="SqueezeBERT: BERT's layers of grouped convolutions, alone or with the head of a class.",
    configured=stream,
)
