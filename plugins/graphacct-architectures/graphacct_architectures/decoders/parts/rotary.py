"""Queries and keys rotated by position, in the order of operations of the transformers library."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Value, equal
from graphacct_architectures.decoders.parts.description.attention import Attention

LAYER, EACH = "layer", "each"
"""When tables with one angle for each pair are repeated for its two elements: once in a layer, or for queries and for
keys."""


def both_rotated(a: Attention, b: Builder, q: Value, k: Value, tables: Mapping[str, Value]) -> tuple[Value, Value]:
    """Returns queries and keys (batch, heads, seq, d_head) with the first `rotary` dimensions of each head rotated."""
    cos, sin = tables[f"{a.rotary_tables}.cos"], tables[f"{a.rotary_tables}.sin"]
    if a.rotary_wide and b.dtype != "float32":
        cos, sin = (
            b.apply("cast", table, name=f"{name}_wide", dtype="float32") for table, name in ((cos, "cos"), (sin, "sin"))
        )
        b.hold(cos, sin, until="k_rope")
    if a.rotary_repeated == EACH:
        return turned_before_transposed(a, b, q, cos, sin, "q"), turned_before_transposed(a, b, k, cos, sin, "k")
    if a.rotary_repeated == LAYER:
        halves = [
            b.apply("split", table, name=f"{name}_halves", parts=2) for table, name in ((cos, "cos"), (sin, "sin"))
        ]
        cos, sin = (repeated(b, half[0], name) for half, name in zip(halves, ("cos", "sin"), strict=True))
        b.hold(cos, sin, until="k_turned")
    return rotated(a, b, q, cos, sin, "q"), rotated(a, b, k, cos, sin, "k")


def rotated(a: Attention, b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x with the first `rotary` dimensions of each head rotated by position.

    The rotated part and the rest are joined, which copies. A model that joins them always (`rotary_joined`) also copies
    if there is no rest.
    """
    if equal(a.rotary, a.d_head):
        whole = equal(cos.spec.shape[-1], a.rotary)
        dtype = x.spec.dtype
        x = b.apply("rotary_embedding", x, cos, sin, name=f"{label}_rope", **({"composed": True} if whole else {}))
        x = x if x.spec.dtype == dtype else b.apply("cast", x, name=f"{label}_narrowed", dtype=dtype)
        return b.apply("concat", x, name=f"{label}_turned", dim=-1) if a.rotary_joined else x
    sizes = (a.rotary, a.d_head - a.rotary)
    front, rest = b.apply("split", x, name=f"{label}_parts", sizes=sizes)
    front = b.apply("rotary_embedding", front, cos, sin, name=f"{label}_rope", composed=True)
    return b.apply("concat", front, rest, name=f"{label}_turned", dim=-1)


def turned_before_transposed(a: Attention, b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x rotated as GPT-J does it: parts joined while a token's heads lie side by side (batch, seq, heads,
    d_head), with tables that each call repeats. If the tables are in float32, so is the result, until it is cast."""
    whole = equal(a.rotary, a.d_head)
    rest: tuple[Value, ...] = ()
    if not whole:
        x, *others = b.apply("split", x, name=f"{label}_parts", sizes=(a.rotary, a.d_head - a.rotary))
        rest = tuple(b.apply("transpose", part, name=f"{label}_rest", dims=(1, 2)) for part in others)
    dtype = x.spec.dtype
    cos, sin = (repeated(b, table, f"{label}_{name}") for table, name in ((cos, "cos"), (sin, "sin")))
    x = b.apply("rotary_embedding", x, cos, sin, name=f"{label}_rope", composed=True)
    x = b.apply("transpose", x, name=f"{label}_by_token", dims=(1, 2))
    x = b.apply("concat", x, *rest, name=f"{label}_turned", dim=-1)
    x = b.apply("transpose", x, name=f"{label}_by_head", dims=(1, 2))
    return x if x.spec.dtype == dtype else b.apply("cast", x, name=f"{label}_narrowed", dtype=dtype)


def repeated(b: Builder, table: Value, name: str) -> Value:
    """Returns a table (seq, pairs) with each angle twice, for both elements of its pair: a copy."""
    return b.apply("repeat", table, name=f"{name}_repeated", times=(1, 2))


def scaled_by_position(a: Attention, b: Builder, q: Value, positions: Value | None) -> Value:
    """Returns queries (batch, heads, seq, d_head) times 1 + β log(1 + ⌊position / length⌋), in float32 but for the last
    product, or also that one."""
    if a.position_scaled_wide or positions is None:
        positions = b.apply("arange", name="q_positions", batch=1, n=q.spec.shape[2])
    places = b.apply("cast", positions, name="q_places", dtype="float32")
    rounds = b.apply("floor", b.apply("scale", places, name="q_rounds"), name="q_whole_rounds")
    growth = b.apply("log", b.apply("shift", rounds, name="q_rounds_and_one"), name="q_growth")
    factor = b.apply("shift", b.apply("scale", growth, name="q_growth_scaled"), name="q_factor")
    factor = b.apply("reshape", factor, name="q_factor_apart", shape=(1, 1, q.spec.shape[2], 1))
    dtype = q.spec.dtype
    if factor.spec.dtype != dtype and not a.position_scaled_wide:
        factor = b.apply("cast", factor, name="q_factor_narrowed", dtype=dtype)
    q = b.apply("mul", q, factor, name="q_scaled_by_position")
    return q if q.spec.dtype == dtype else b.apply("cast", q, name="q_scaled_narrowed", dtype=dtype)
