"""Attention that samples a few points of each map (Zhu et al., 2020, arXiv:2010.04159)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, exact_div

BOX = 4


def attention(
    b: Builder,
    x: Value,
    memory: Value,
    reference: Value,
    sizes: Sequence[tuple[Dim, Dim]],
    heads: Dim,
    points: Dim,
    hidden: Value | None = None,
) -> Value:
    """Returns what queries (batch, queries, width) read of the memory (batch, places of all maps, width) near their
    references: points or boxes of all maps (batch, queries, 2 or 4), or one in each map (batch, queries, maps, 2 or 4).
    `sizes` are the maps'; places where `hidden` (batch, places, 1) is set are read as 0. The builder is in the
    module's scope."""
    batch, queries, width = x.spec.shape
    levels, places = len(sizes), memory.spec.shape[1]
    d_head = exact_div(width, heads, "d_model / attention heads")
    value = linear(b, "value_proj", memory, width)
    if hidden is not None:
        value = b.apply("masked_fill", value, hidden, name="value_seen")
    value = b.apply("reshape", value, name="value_heads", shape=(batch, places, heads, d_head))
    offsets = linear(b, "sampling_offsets", x, heads * levels * points * 2)
    offsets = b.apply("reshape", offsets, name="offsets", shape=(batch, queries, heads, levels, points, 2))
    weights = linear(b, "attention_weights", x, heads * levels * points)
    weights = b.apply("reshape", weights, name="weights_by_head", shape=(batch, queries, heads, levels * points))
    weights = b.apply("softmax", weights, name="weights")
    where = locations(b, offsets, reference, points)
    where = b.apply("shift", b.apply("scale", where, name="grid_doubled"), name="grid")
    grids = [b.apply("select", where, name=f"grid_{level}", dim=3, index=level) for level in range(levels)]
    y = read(b, value, weights, grids, sizes)
    return linear(b, "output_proj", y, width)


def read(b: Builder, value: Value, weights: Value, grids: Sequence[Value], sizes: Sequence[tuple[Dim, Dim]]) -> Value:
    """Returns the sum (batch, queries, width) of what is found in maps, `value` (batch, places of all, heads, d_head),
    times `weights` (batch, queries, heads, points of all maps). `grids` are each map's points, (batch, queries, heads,
    points, 2)."""
    batch, _, heads, d_head = value.spec.shape
    queries, total = weights.spec.shape[1], weights.spec.shape[3]
    lengths = tuple(rows * columns for rows, columns in sizes)
    parts = [value] if len(sizes) == 1 else b.apply("split", value, name="value_of_maps", sizes=lengths, dim=1)
    seen = []
    for level, ((rows, columns), grid) in enumerate(zip(sizes, grids, strict=True)):
        one = b.apply("permute", parts[level], name=f"channels_first_{level}", dims=(0, 2, 3, 1))
        one = b.apply("reshape", one, name=f"map_{level}", shape=(batch * heads, d_head, rows, columns))
        points = grid.spec.shape[3]
        grid = b.apply("transpose", grid, name=f"grid_heads_{level}", dims=(1, 2))
        grid = b.apply("reshape", grid, name=f"grid_flat_{level}", shape=(batch * heads, queries, points, 2))
        one = b.apply("grid_sampler", one, grid, name=f"sampled_{level}")
        seen.append(one)
    together = b.apply("concat", *seen, name="sampled", dim=-1)
    weights = b.apply("transpose", weights, name="weights_heads", dims=(1, 2))
    weights = b.apply("reshape", weights, name="weights_flat", shape=(batch * heads, 1, queries, total))
    y = b.apply("sum", b.apply("mul", together, weights, name="weighted"), name="read", dim=-1)
    y = b.apply("reshape", y, name="read_by_image", shape=(batch, heads * d_head, queries))
    return b.apply("contiguous", b.apply("transpose", y, name="read_turned", dims=(1, 2)), name="read_by_query")


def by_level(
    b: Builder,
    x: Value,
    memory: Value,
    box: Value,
    sizes: Sequence[tuple[Dim, Dim]],
    heads: Dim,
    points: Sequence[int],
) -> Value:
    """Returns what queries (batch, queries, width) read of the memory itself near their boxes (batch, queries, 4):
    `points` says at how many points of each map. The builder is in the module's scope."""
    batch, queries, width = x.spec.shape
    total, d_head = sum(points), exact_div(width, heads, "d_model / attention heads")
    value = b.apply("reshape", memory, name="value_heads", shape=(batch, memory.spec.shape[1], heads, d_head))
    offsets = linear(b, "sampling_offsets", x, heads * total * 2)
    offsets = b.apply("reshape", offsets, name="offsets", shape=(batch, queries, heads, total, 2))
    weights = linear(b, "attention_weights", x, heads * total)
    weights = b.apply("reshape", weights, name="weights_by_head", shape=(batch, queries, heads, total))
    weights = b.apply("softmax", weights, name="weights")
    rates: Any = b.parameter("num_points_scale", (total,), "float32", buffer=True)
    if b.dtype != "float32":
        rates = b.apply("cast", rates, name="rates", dtype=b.dtype)
    rates = b.apply("reshape", rates, name="rates_column", shape=(total, 1))
    around = b.apply("reshape", box, name="boxes", shape=(batch, queries, 1, 1, BOX))
    centre, side = b.apply("split", around, name="box_parts", parts=2, dim=-1)
    offsets = b.apply("mul", b.apply("mul", offsets, rates, name="offsets_of_points"), side, name="offsets_in_box")
    where = b.apply("add", centre, b.apply("scale", offsets, name="offsets_scaled"), name="locations")
    where = b.apply("shift", b.apply("scale", where, name="grid_doubled"), name="grid")
    grids = [where] if len(points) == 1 else b.apply("split", where, name="grid_of_maps", sizes=tuple(points), dim=3)
    return read(b, value, weights, grids, sizes)


def locations(b: Builder, offsets: Value, reference: Value, points: Dim) -> Value:
    """Returns where to read, (batch, queries, heads, maps, points, 2), from 0 to 1: offsets in pixels from a point, or
    in halves of a box's sides from its centre."""
    batch, queries, *by_map, numbers = reference.spec.shape
    shape = (batch, queries, 1, *(by_map or (1,)), 1, numbers)
    box = b.apply("reshape", reference, name="boxes", shape=shape)
    if numbers != BOX:
        sides = b.apply("constant", name="sides_of_maps", shape=(1, 1, 1, offsets.spec.shape[3], 1, 2), dtype=b.dtype)
        return b.apply("add", box, b.apply("div", offsets, sides, name="offsets_of_sides"), name="locations")
    centre, side = b.apply("split", box, name="box_parts", parts=2, dim=-1)
    offsets = b.apply("mul", b.apply("scale", offsets, name="offsets_of_points"), side, name="offsets_in_box")
    return b.apply("add", centre, b.apply("scale", offsets, name="offsets_halved"), name="locations")
