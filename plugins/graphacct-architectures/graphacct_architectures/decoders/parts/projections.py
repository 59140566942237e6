"""Queries, keys and values of a decoder's attention: projected, normalized, rotated by position."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, ConfigError, Dim, Parameter, Value, Workload, equal
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.names import POSITIONS
from graphacct_architectures.decoders.parts.norms import norm_upcast
from graphacct_architectures.decoders.parts.norms import normed_by as normed_by
from graphacct_architectures.decoders.parts.norms import projection as projection
from graphacct_architectures.decoders.parts.rotary import both_rotated, scaled_by_position
from graphacct_architectures.layers import linear, norm, split_heads, with_cache


def of_their_own(
    a: Attention, kind: Norm, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, Value, Value, Value | None]:
    """Returns queries and keys, rotated by position, values, and the gate if there is one. Keys and values include the
    tokens in the cache."""
    q, k, v, gate = projections(a, kind, workload, b, x)
    if not equal(a.rotary, 0):
        b.hold(q, k, until="k_rope")
        q, k = both_rotated(a, b, q, k, tables)
    if a.qk_norm and a.qk_norm_last:
        by = a.qk_norm_kind or kind
        q, k = (normed_by(b, name, part, by) for name, part in zip(a.qk_norm_names, (q, k), strict=True))
    if a.position_scaled:
        q = scaled_by_position(a, b, q, tables.get(POSITIONS))
    window = a.window if a.window_cached else None
    k, v = (with_cache(b, part, label, workload, window) for part, label in ((k, "k"), (v, "v")))
    return q, k, v, gate


def projections(
    a: Attention, kind: Norm, workload: Workload, b: Builder, x: Value
) -> tuple[Value, Value, Value, Value | None]:
    """Returns queries, keys and values, each (batch, heads, seq, d_head), and the gate (batch, seq, heads · d_head) if
    there is one."""
    gate: Value | None = None
    parts: tuple[Value, ...] = ()
    counts = (a.heads, a.kv_heads, a.kv_heads)
    if a.joint:
        from graphacct_architectures.decoders.parts.joint import UNEVEN, heads_of

        total = (a.heads + a.kv_heads) * a.d_head + a.kv_heads * a.value_width
        flat = projection(a.in_out, b, a.joint, x, total, a.bias)
        if a.clamped:
            flat = b.apply("clamp", flat, name="qkv_cut")
        if a.joint_order in UNEVEN:
            q, k, v = heads_of(a, workload, b, flat)
            if a.qk_norm == "head":
                by = a.qk_norm_kind or kind
                q, k = (normed_by(b, name, part, by) for name, part in zip(a.qk_norm_names, (q, k), strict=True))
            return q, k, v, None
        sizes = (a.heads * a.d_head, a.kv_heads * a.d_head, a.kv_heads * a.value_width)
        parts = b.apply("split", flat, name="qkv", sizes=sizes)
    elif a.kv_joint:
        parts = (linear(b, a.q, x, a.heads * a.d_head, bias=a.bias), *keys_and_values(a, b, x))
    else:
        names = (a.q, a.k, a.v)
        widths = (a.d_head, a.d_head, a.value_width)
        for name, n, width in zip(names, counts, widths, strict=True):
            if a.gated and not parts:
                q, gate = with_gate(a, b, x)
                parts = (q,)
            elif a.values_from_keys and len(parts) == 2:
                parts += parts[1:]
            else:
                bias = a.bias if a.key_bias is None or len(parts) != 1 else a.key_bias
                parts += (linear(b, name, x, n * width, bias=bias),)
    normed = list(parts)
    if a.query_scaled:
        normed[0] = b.apply("scale", normed[0], name="q_scaled")
    kind = a.qk_norm_kind or kind
    if a.qk_norm == "width":
        normed[:2] = [normed_by(b, name, part, kind) for name, part in zip(a.qk_norm_names, normed, strict=False)]
    if a.clamped and not a.joint:
        normed = [b.apply("clamp", part, name=f"{label}_cut") for part, label in zip(normed, "qkv", strict=True)]
    heads = []
    for part, count, label in zip(normed, counts, "qkv", strict=True):
        if label == "v" and a.values_norm is not None:
            heads.append(head_normed(b, part, count, a.value_width, label, "v_norm", a.values_norm))
        elif a.qk_norm in ("head", "gains") and label != "v" and not a.qk_norm_last:
            name = a.qk_norm_names["qk".index(label)]
            gains = a.qk_norm == "gains"
            heads.append(head_normed(b, part, count, a.d_head, label, name, kind, gains=gains))
        else:
            heads.append(split_heads(b, part, count, a.value_width if label == "v" else a.d_head, label))
            if a.qk_norm == "heads" and label != "v":
                heads[-1] = each_normed(b, a.qk_norm_names["qk".index(label)], heads[-1], kind)
    q, k, v = heads
    if a.key_scaled:
        k = b.apply("scale", k, name="k_scaled")
    return q, k, b.apply("scale", v, name="v_scaled") if a.values_scaled else v, gate


def keys_and_values(a: Attention, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns keys and values, each (batch, seq, heads · d_head), from one projection with both of a head together."""
    batch, seq = x.spec.shape[:2]
    both = linear(b, a.kv_joint, x, 2 * a.kv_heads * a.d_head, bias=a.bias)
    both = b.apply("reshape", both, name="kv_heads", shape=(batch, seq, a.kv_heads, 2 * a.d_head))
    k, v = (
        b.apply("reshape", part, name=f"{label}_flat", shape=(batch, seq, a.kv_heads * a.d_head))
        for part, label in zip(b.apply("split", both, name="k_and_v", parts=2), "kv", strict=True)
    )
    return k, v


def head_normed(
    b: Builder, x: Value, heads: Dim, width: Dim, label: str, name: str, kind: Norm, *, gains: bool = False
) -> Value:
    """Returns x (batch, seq, heads · width) as (batch, heads, seq, width), each head normalized: all by one norm, or if
    `gains` with a gain of its own."""
    batch, seq = x.spec.shape[:2]
    x = b.apply("reshape", x, name=f"{label}_heads", shape=(batch, seq, heads, width))
    x = normed_with_gains(b, name, x, kind) if gains else normed_by(b, name, x, kind)
    return b.apply("transpose", x, name=f"{label}_transposed", dims=(1, 2))


def with_gate(a: Attention, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns queries (batch, seq, heads, d_head) and a gate (batch, seq, heads · d_head) from one projection, in which
    each head's gate stands behind its query."""
    batch, seq = x.spec.shape[:2]
    both = linear(b, a.q, x, 2 * a.heads * a.d_head, bias=a.bias)
    both = b.apply("reshape", both, name="q_and_gate", shape=(batch, seq, a.heads, 2 * a.d_head))
    q, gate = b.apply("split", both, name="q_gate", parts=2)
    return q, b.apply("reshape", gate, name="gate", shape=(batch, seq, a.heads * a.d_head))


def normed_with_gains(b: Builder, name: str, x: Value, kind: Norm) -> Value:
    """Returns heads (batch, seq, heads, width), each normalized, then multiplied by a gain of (heads, width): both in
    float32 where the norm is."""
    gain: Value | Parameter = b.parameter(f"{name}.weight", x.spec.shape[-2:])
    wide = kind.upcast == "all" and b.dtype != "float32"
    if wide:
        x = b.apply("cast", x, name=f"{name}_wide", dtype="float32")
        gain = b.apply("cast", gain, name=f"{name}.wide", dtype="float32")
    y = norm(b, name, x, kind.kind, weight=False, upcast=norm_upcast(kind))
    y = b.apply("mul", gain, y, name=f"{name}_scaled")
    if kind.bias:
        y = b.apply("add", y, b.parameter(f"{name}.bias", x.spec.shape[-2:]), name=f"{name}_shifted")
    return b.apply("cast", y, name=f"{name}_narrowed", dtype=b.dtype) if wide else y


def each_normed(b: Builder, name: str, x: Value, kind: Norm) -> Value:
    """Returns x (batch, heads, seq, width) normalized by one norm per head: `name.norms.0` and so on."""
    count = x.spec.shape[1]
    if type(count) is not int:
        raise ConfigError(f"the number of heads is {count}: each has a norm of its own, so give a number")
    parts = b.apply("split", x, name=f"{name}.parts", parts=count, dim=1) if count > 1 else (x,)
    normed = [normed_by(b, f"{name}.norms.{i}", part, kind) for i, part in enumerate(parts)]
    return b.apply("concat", *normed, name=name, dim=1)
