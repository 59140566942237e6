"""Norms and projections as a description says them: layers of every kind have these."""

from __future__ import annotations

import attrs

from graphacct import Builder, Dim, Value
from graphacct_architectures.decoders.parts.description.norm import RMS, Norm
from graphacct_architectures.layers import conv1d, linear, norm


def projection(in_out: bool, b: Builder, name: str, x: Value, width: Dim, bias: bool) -> Value:
    """Returns x projected by a weight stored (out, in), or (in, out)."""
    return conv1d(b, name, x, width) if in_out else linear(b, name, x, width, bias=bias)


def normed_by(b: Builder, name: str, x: Value, kind: Norm) -> Value:
    """Returns x normalized over its last dimension."""
    dtype = x.spec.dtype
    if kind.gate_rank is not None:
        return gated_norm(b, name, x, kind, kind.gate_rank)
    narrow = kind.cast and dtype != "float32"
    if narrow:
        x = b.apply("cast", x, name=f"{name}_wide", dtype="float32")
    options = {"weight": kind.weight, "bias": kind.bias, "centred": kind.centred, "weight_wide": kind.weight_wide}
    options["stored_wide"] = kind.stored_wide
    y = norm(b, name, x, kind.kind, upcast=norm_upcast(kind), power=kind.power, **options)
    return b.apply("cast", y, name=f"{name}_narrowed", dtype=dtype) if narrow else y


def gated_norm(b: Builder, name: str, x: Value, kind: Norm, rank: Dim) -> Value:
    """Returns x normalized, times the sigmoid of a projection of it, there and back, which runs in float32."""
    with b.scope(name):
        y = normed_by(b, "norm", x, attrs.evolve(kind, gate_rank=None))
        b.hold(y)
        with b.scope("mlp"):
            gate = b.apply("silu", linear(b, "fc1", y, rank, bias=False), name="act")
            gate = linear(b, "fc2", gate, x.spec.shape[-1], bias=False)
        if gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        y = b.apply("mul", y, b.apply("sigmoid", gate, name="gate"), name="gated")
        return y if y.spec.dtype == x.spec.dtype else b.apply("cast", y, name="narrowed", dtype=x.spec.dtype)


def norm_upcast(kind: Norm) -> str:
    """Returns which part of a norm is computed in float32; empty for torch's own LayerNorm."""
    return kind.upcast if kind.kind == RMS or kind.upcast == "all" else ""
