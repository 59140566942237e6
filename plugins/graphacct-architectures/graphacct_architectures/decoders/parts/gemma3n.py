"""The layers of Gemma 3n: several streams of which a layer runs one and predicts and corrects the others (AltUp), a
residual of low rank beside attention (LAuReL), networks whose gate keeps the largest elements alone, inputs of each
layer's own.

Baykal et al., 2023 (arXiv:2301.13310); Menghani, Kumar and Kumar, 2024 (arXiv:2411.07501).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.gemma4 import NORM
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
from graphacct_architectures.layers import activation, linear, resident

ALTUP = "altup"
LAST: Mapping[str, Any] = {"dim": -1, "keepdim": True}


@frozen
class Streams:
    """Several streams beside one another, (streams, batch, seq, width).

    Attributes:
        count: How many.
        active: The one that layers run.
        clipped: Whether the weights of their coefficients are clamped in training.
        scaled: Whether the active one is multiplied by a parameter before it meets a layer's own input.
    """

    count: int
    active: int
    clipped: bool
    scaled: bool


@frozen
class Gemma3nLayer:
    """One layer.

    Attributes:
        attention: Its attention.
        lender: Whose keys and values it reads.
        mlp: Its network.
        sparse: Whether the network's gate keeps its largest elements alone.
        streams: The streams.
        rank: The rank of the residual beside attention.
        own_width: The width of its own input.
    """

    attention: Attention
    lender: Lender
    mlp: Mlp
    sparse: bool
    streams: Streams
    rank: Dim
    own_width: Dim


@frozen
class Gemma3nStack:
    """All layers.

    Attributes:
        roles: What each does with keys and values.
        words: The kind of attention of each.
        per_layer: The inputs of each layer's own.
        streams: The streams.
    """

    roles: tuple[str, ...]
    words: tuple[str, ...]
    per_layer: PerLayer
    streams: Streams


def gemma3n_stack(
    s: Gemma3nStack, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns one stream: the mean of all after the layers, each as large as the first."""
    known = b.apply("where", b.apply("ge", ids, name="known_ids"), ids, ids, name="ids_of_table")
    found = {**tables, PER_LAYER: per_layer_inputs(s.per_layer, b, known, x)}
    b.hold(found[PER_LAYER])
    x = side_by_side(b, "altup_projections", [x] * s.streams.count, "streams")
    x = lent_stack(s.roles, s.words, d, workload, b, x, found, shortened=False)
    each = [b.apply("select", x, name=f"stream_{i}", dim=0, index=i) for i in range(s.streams.count)]
    x = side_by_side(b, "altup_unembed_projections", each, "streams_back")
    mean: Value = b.apply("mean", x, name="mean_stream", dim=0)
    return mean


def side_by_side(b: Builder, name: str, streams: list[Value], label: str) -> Value:
    """Returns streams (batch, seq, width) as one tensor (streams, batch, seq, width): the first as it is, the others
    projected and made as large as the first."""
    first = streams[0]
    target = b.apply("mean", b.apply("pow", first, name=f"{label}_square", exponent=2), name=f"{label}_mean", **LAST)
    target = b.apply("pow", target, name=f"{label}_size", exponent=0.5)
    found = [first]
    b.hold(target)
    for i, x in enumerate(streams[1:]):
        y = linear(b, f"{name}.{i}", x, x.spec.shape[-1], bias=False)
        size = b.apply(
            "mean", b.apply("pow", y, name=f"{label}_{i}_square", exponent=2), name=f"{label}_{i}_mean", **LAST
        )
        size = b.apply("sqrt", b.apply("clamp", size, name=f"{label}_{i}_least"), name=f"{label}_{i}_size")
        y = b.apply("mul", y, target, name=f"{label}_{i}_times")
        found.append(b.apply("div", y, size, name=f"{label}_{i}_sized"))
    apart = [
        b.apply("reshape", y, name=f"{label}_{i}_apart", shape=(1, *first.spec.shape)) for i, y in enumerate(found)
    ]
    joined: Value = b.apply("concat", *apart, name=label, dim=0)
    return joined


def gemma3n_layer(
    s: Gemma3nLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value | tuple[Value, Value, Value]:
    """Returns the streams after one layer, and what it lends."""
    predicted = predictions(s.streams, b, x)
    active = b.apply("select", predicted, name="active", dim=0, index=s.streams.active)
    b.hold(predicted, active)
    y = normed_by(b, "input_layernorm", active, NORM)
    b.hold(y)
    with b.scope("laurel"):
        low = linear(b, "linear_left", y, s.rank, bias=False)
        low = normed_by(b, "post_laurel_norm", linear(b, "linear_right", low, y.spec.shape[-1], bias=False), NORM)
        low = b.apply("add", y, low, name="residual")
    b.hold(low)
    with b.scope(s.attention.module):
        y, weights, lent = attention_of(s.attention, s.lender, NORM, workload, b, y, tables)
    b.hold(*weights)
    y = b.apply("add", active, normed_by(b, "post_attention_layernorm", y, NORM), name="attn_residual")
    b.hold(y)
    y = b.apply("scale", b.apply("add", y, low, name="attn_and_laurel"), name="attn_laurel")
    b.hold(y)
    z = normed_by(b, "pre_feedforward_layernorm", y, NORM)
    with b.scope(s.mlp.module):
        b.hold(z)
        z = network(s, b, z)
    y = b.apply("add", y, normed_by(b, "post_feedforward_layernorm", z, NORM), name="mlp_residual")
    x = corrected(s.streams, workload, b, predicted, y)
    y = b.apply("clone", b.apply("select", x, name="corrected_active", dim=0, index=s.streams.active), name="first")
    with b.scope(ALTUP):
        scale = b.parameter("correct_output_scale", y.spec.shape[-1:])
        if s.streams.scaled:
            y = b.apply("mul", y, scale, name="output_scaled")
        else:
            resident(b, "correct_output_scale", scale)
    y = linear(b, "per_layer_input_gate", y, s.own_width, bias=False)
    y = activation(b, s.mlp.activation, y, "act_fn")
    y = b.apply("mul", y, own_input(b, tables), name="per_layer_gated")
    y = linear(b, "per_layer_projection", y, active.spec.shape[-1], bias=False)
    y = normed_by(b, "post_per_layer_input_norm", y, NORM)
    if s.streams.count > 1:
        rest = b.apply("slice", x, name="other_streams", dim=0, start=1, length=s.streams.count - 1)
        rest = b.apply("add", rest, y, name="others_with_input", in_place=True)
        x = b.apply("written_through", x, rest, name="streams_out")
    return (x, *lent) if s.lender.role == LENDING else x


def modalities(b: Builder, x: Value, count: int, turn: int) -> Value:
    """Returns a number from -1 to 1 for each stream, of a token of the active one, (batch, seq, streams), by a module
    that runs twice in a layer."""
    with b.scope(ALTUP), b.turn(turn):
        y = normed_by(b, "router_norm", x, NORM)
        y = linear(b, "modality_router", b.apply("scale", y, name="router_inputs"), count, bias=False)
        wide = b.dtype != "float32"
        y = b.apply("cast", y, name="routed_wide", dtype="float32") if wide else y
        y = b.apply("tanh", y, name="routed")
        found: Value = b.apply("cast", y, name="routed_narrowed", dtype=b.dtype) if wide else y
    return found


def predictions(s: Streams, b: Builder, x: Value) -> Value:
    """Returns what the layer is expected to make of all streams: each plus a mixture of them, by coefficients of the
    active one's tokens. The library's module has this as a method, so that its products are the layer's own."""
    n = s.count
    y = modalities(b, b.apply("select", x, name="before", dim=0, index=s.active), n, 0)
    batch, seq, _ = y.spec.shape
    with b.scope(ALTUP):
        y = linear(b, "prediction_coefs", y, n * n, bias=False)
    y = b.apply("reshape", y, name="coefs", shape=(batch, seq, n, n))
    y = b.apply("permute", y, name="coefs_turned", dims=(0, 1, 3, 2))
    y = b.apply("matmul", b.apply("permute", x, name="streams_last", dims=(1, 2, 3, 0)), y, name="mixture")
    y = b.apply("permute", y, name="streams_first", dims=(3, 0, 1, 2))
    y = b.apply("add", y, x, name="predicted", in_place=True)
    found: Value = b.apply("contiguous", y, name="predictions")
    return found


def corrected(s: Streams, workload: Workload, b: Builder, predicted: Value, x: Value) -> Value:
    """Returns the predictions, each plus a share of what the active one was wrong by."""
    n = s.count
    y = modalities(b, x, n, 1)
    wrong = b.apply("sub", x, b.apply("select", predicted, name="expected", dim=0, index=s.active), name="innovation")
    wrong = b.apply("reshape", wrong, name="innovation_apart", shape=(1, *x.spec.shape))
    wrong = b.apply("repeat", wrong, name="innovations", times=(n, 1, 1, 1))
    if s.clipped and workload.phase == "train":
        weight = b.apply("clamp", b.parameter(f"{ALTUP}.correction_coefs.weight", (n, n)), name="correction_clipped")
        y = b.apply("linear", y, weight, name="corrections")
    else:
        with b.scope(ALTUP):
            y = linear(b, "correction_coefs", y, n, bias=False)
    y = b.apply("permute", b.apply("shift", y, name="shares"), name="shares_first", dims=(2, 0, 1))
    y = b.apply("reshape", y, name="shares_apart", shape=(*y.spec.shape, 1))
    found: Value = b.apply("mul", wrong, y, name="correction")
    found = b.apply("add", found, predicted, name="corrected", in_place=True)
    return found


def network(s: Gemma3nLayer, b: Builder, x: Value) -> Value:
    """Returns the network's output. A sparse gate has 0 in place of what is no more than so many deviations above its
    mean; the builder is in the module's scope."""
    m = s.mlp
    gate = linear(b, m.gate, x, m.width, bias=False)
    if s.sparse:
        mean = b.apply("mean", gate, name="gate_mean", **LAST)
        spread = b.apply("std", gate, name="gate_std", correction=0, **LAST)
        times = b.apply("full", name="deviations", shape=(), dtype=b.dtype)
        cutoff = b.apply("add", mean, b.apply("mul", spread, times, name="gate_deviations"), name="cutoff")
        gate = b.apply("relu", b.apply("sub", gate, cutoff, name="gate_above"), name="gate_largest")
    gate = activation(b, m.activation, gate)
    y = b.apply("mul", gate, linear(b, m.up, x, m.width, bias=False), name="gated")
    return linear(b, m.down, y, x.spec.shape[-1], bias=False)
