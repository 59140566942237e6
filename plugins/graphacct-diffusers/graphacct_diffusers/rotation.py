"""Rotary positions of diffusers' transformers: tables of cosines and sines, and queries and keys turned by them."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct import Builder, Dim, Value, exact_div


def tables(b: Builder, name: str, ids: Value, widths: Sequence[Dim]) -> tuple[Value, Value]:
    """Returns the cosines and sines (n, sum of widths), float32, of places (n, axes): each axis turns `widths` of a
    head's channels, two by one angle."""
    count = ids.spec.shape[0]
    found: dict[str, list[Value]] = {"cos": [], "sin": []}
    with b.scope(name):
        places = b.apply("cast", ids, name="places", dtype="float32")
        for axis, width in enumerate(widths):
            half = exact_div(width, 2, "axes_dims_rope / 2")
            column = b.apply("slice", places, name=f"axis_{axis}", dim=1, start=axis, length=1)
            rates = b.apply("full", name=f"rates_{axis}", shape=(1, half), dtype="float64")
            angles = b.apply("mul", b.apply("cast", column, name=f"wide_{axis}", dtype="float64"), rates)
            for kind, parts in found.items():
                x = b.apply(kind, angles, name=f"{kind}_{axis}")
                x = b.apply("reshape", x, name=f"{kind}_{axis}_column", shape=(count, half, 1))
                x = b.apply("repeat", x, name=f"{kind}_{axis}_twice", times=(1, 1, 2))
                x = b.apply("reshape", x, name=f"{kind}_{axis}_row", shape=(count, width))
                parts.append(b.apply("cast", x, name=f"{kind}_{axis}_narrow", dtype="float32"))
        cos, sin = (b.apply("concat", *parts, name=kind, dim=-1) for kind, parts in found.items())
        return cos, sin


def rotated(b: Builder, name: str, x: Value, cos: Value, sin: Value) -> Value:
    """Returns x (batch, n, heads, width), each pair of its channels turned: x * cos + turned * sin, in float32."""
    batch, count, heads, width = x.spec.shape
    with b.scope(name):
        cos, sin = (
            b.apply("reshape", part, name=f"{kind}_row", shape=(1, count, 1, width))
            for part, kind in ((cos, "cos"), (sin, "sin"))
        )
        pairs = b.apply("reshape", x, name="pairs", shape=(batch, count, heads, width // 2, 2))
        real, other = b.apply("unbind", pairs, name="parts", dim=-1)
        parts = (b.apply("neg", other, name="minus"), real)
        shape = (batch, count, heads, width // 2, 1)
        columns = [b.apply("reshape", part, name=f"column_{i}", shape=shape) for i, part in enumerate(parts)]
        turned = b.apply("concat", *columns, name="turned_pairs", dim=-1)
        turned = b.apply("reshape", turned, name="turned", shape=(batch, count, heads, width))
        first = b.apply("mul", b.apply("cast", x, name="wide", dtype="float32"), cos, name="by_cos")
        second = b.apply("mul", b.apply("cast", turned, name="turned_wide", dtype="float32"), sin, name="by_sin")
        return b.apply("cast", b.apply("add", first, second, name="sum"), name="as_computed", dtype=x.spec.dtype)
