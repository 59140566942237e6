"""The layers of Gemma 4: norms around each part, a network beside experts, inputs of each layer's own, a factor."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import chosen, mlp
from graphacct_architectures.decoders.parts.lending import (
    LENDING,
    PER_LAYER,
    Lender,
    PerLayer,
    attention_of,
    lent_stack,
    own_input,
    per_layer_inputs,
)
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation, linear

NORM = Norm(upcast="all", power=True, weight_wide=True)
GAINLESS = Norm(weight=False, upcast="all", power=True)


@frozen
class Gemma4Layer:
    """One layer.

    Attributes:
        attention: Its attention.
        lender: Whose keys and values it reads.
        mlp: Its network.
        experts: Experts beside the network, or None.
        own_width: The width of its own input; 0 for none.
        activation: The operators of that input's gate.
        scalar: The name of the factor of its output; empty for none.
    """

    attention: Attention
    lender: Lender
    mlp: Mlp
    experts: Experts | None = None
    own_width: Dim = 0
    activation: str = "gelu_tanh"
    scalar: str = "layer_scalar"


@frozen
class Gemma4Stack:
    """All layers.

    Attributes:
        roles: What each does with keys and values.
        words: The kind of attention of each.
        per_layer: The inputs of each layer's own, or None.
    """

    roles: tuple[str, ...]
    words: tuple[str, ...]
    per_layer: PerLayer | None = None


def gemma4_stack(
    s: Gemma4Stack, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the stream after all layers."""
    found = dict(tables)
    if s.per_layer is not None:
        found[PER_LAYER] = per_layer_inputs(s.per_layer, b, ids, x)
        b.hold(found[PER_LAYER])
    return lent_stack(s.roles, s.words, d, workload, b, x, found)


def gemma4_layer(
    s: Gemma4Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value | tuple[Value, Value, Value]:
    """Returns the stream after one layer, and what it lends."""
    y = normed_by(b, "input_layernorm", x, NORM)
    with b.scope(s.attention.module):
        y, weights, lent = attention_of(s.attention, s.lender, NORM, workload, b, y, tables)
    b.hold(*weights)
    x = b.apply("add", x, normed_by(b, "post_attention_layernorm", y, NORM), name="attn_residual")
    y = normed_by(b, "pre_feedforward_layernorm", x, NORM)
    with b.scope(s.mlp.module):
        b.hold(y)
        y = mlp(s.mlp, b, y)
    if s.experts is not None:
        y = beside(s.experts, b, x, y)
    x = b.apply("add", x, normed_by(b, "post_feedforward_layernorm", y, NORM), name="mlp_residual")
    if s.own_width:
        y = linear(b, "per_layer_input_gate", x, s.own_width, bias=False)
        y = activation(b, s.activation, y, "act_fn")
        y = b.apply("mul", y, own_input(b, tables), name="per_layer_gated")
        y = linear(b, "per_layer_projection", y, x.spec.shape[-1], bias=False)
        x = b.apply("add", x, normed_by(b, "post_per_layer_input_norm", y, NORM), name="per_layer_residual")
    if s.scalar:
        x = b.apply("mul", x, b.parameter(s.scalar, (1,), buffer=True), name="layer_scaled", in_place=True)
    return (x, *lent) if s.lender.role == LENDING else x


def beside(e: Experts, b: Builder, x: Value, y: Value) -> Value:
    """Returns the sum of the network's output y and of the experts', each normalized; the experts read the stream x."""
    y = normed_by(b, "post_feedforward_layernorm_1", y, NORM)
    batch, seq, width = x.spec.shape
    rows = b.apply("reshape", x, name="tokens", shape=(batch * seq, width))
    ids, weights = routed(e, b, rows)
    z = chosen(e, b, normed_by(b, "pre_feedforward_layernorm_2", rows, NORM), ids, weights)
    z = b.apply("reshape", z, name="sequences", shape=(batch, seq, width))
    z = normed_by(b, "post_feedforward_layernorm_2", z, NORM)
    both: Value = b.apply("add", y, z, name="with_experts")
    return both


def routed(e: Experts, b: Builder, rows: Value) -> tuple[Value, Value]:
    """Returns the chosen experts of each row and their weights: a softmax of the normalized and scaled row's scores,
    made to sum to 1, times a factor of each expert."""
    with b.scope(e.router):
        x = normed_by(b, "norm", rows, GAINLESS)
        x = b.apply("mul", x, b.parameter("scale", rows.spec.shape[-1:]), name="scaled")
        x = b.apply("scale", x, name="scaled_again")
        scores = linear(b, "proj", x, e.count, bias=False)
        wide = {} if scores.spec.dtype == "float32" else {"dtype": "float32"}
        scores = b.apply("softmax", scores, name="softmax", **wide)
        best, ids = b.apply("topk", scores, name="topk", k=e.per_token)
        total = b.apply("sum", best, name="total", dim=-1, keepdim=True)
        best = b.apply("div", best, total, name="normalised", in_place=True)
        flat = b.apply("reshape", ids, name="flat_ids", shape=(rows.spec.shape[0] * e.per_token,))
        factors = b.apply("index_select", b.parameter("per_expert_scale", (e.count,)), flat, name="factors")
        factors = b.apply("reshape", factors, name="factors_of_rows", shape=best.spec.shape)
        return ids, b.apply("mul", best, factors, name="weighted")
