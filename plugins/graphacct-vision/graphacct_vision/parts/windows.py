"""Attention in square windows of a map, every other layer's moved by half a window.

Liu et al., 2021 (arXiv:2103.14030).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import attrs
from graphacct_architectures.layers import layer_norm, linear

from graphacct import Builder, ConfigError, Dim, Value, ceil_div, fields, floor_div, has_value, prod

Grid = tuple[Dim, Dim]
"""Rows and columns."""


def ratio(default: float) -> Any:
    """Returns a key that is a positive number, whole or not."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise ConfigError(f"{field.name} is a number above 0, not {value!r}")
        return value

    return fields.checked_field(check, default)


def times(width: Dim, factor: float) -> Dim:
    """Returns the whole part of a width times a number."""
    if has_value(width):
        return int(factor * width)
    exact = Fraction(str(factor))
    return floor_div(width * exact.numerator, exact.denominator)


def padded_grid(grid: Grid, window: Dim) -> Grid:
    """Returns the smallest grid of whole windows."""
    rows, columns = (ceil_div(side, window) * window for side in grid)
    return rows, columns


def into_windows(b: Builder, x: Value, grid: Grid, window: Dim, shift: Dim) -> Value:
    """Returns x (batch, rows * columns, channels) as windows (batch * windows, window², channels), zeros
    at the edge."""
    batch, _, channels = x.spec.shape
    x = b.apply("reshape", x, name="map", shape=(batch, *grid, channels))
    whole = padded_grid(grid, window)
    rest = [(0, after - side) for after, side in zip(whole, grid, strict=True)]
    x = b.apply("pad", x, name="padded", padding=(*rest, (0, 0)))  # torch copies where nothing is missing too
    if shift:
        x = b.apply("roll", x, name="shifted")
    rows, columns = (floor_div(side, window) for side in whole)
    x = b.apply("reshape", x, name="by_window", shape=(batch, rows, window, columns, window, channels))
    x = b.apply("contiguous", b.apply("transpose", x, name="windows_first", dims=(2, 3)), name="windows")
    return b.apply("reshape", x, name="tokens", shape=(batch * rows * columns, window**2, channels))


def out_of_windows(b: Builder, x: Value, batch: Dim, grid: Grid, window: Dim, shift: Dim) -> Value:
    """Returns windows put back in their places, as (batch, rows * columns, channels)."""
    channels = x.spec.shape[-1]
    whole = padded_grid(grid, window)
    rows, columns = (floor_div(side, window) for side in whole)
    x = b.apply("reshape", x, name="windows_back", shape=(batch, rows, columns, window, window, channels))
    x = b.apply("contiguous", b.apply("transpose", x, name="rows_first", dims=(2, 3)), name="rows_together")
    x = b.apply("reshape", x, name="map_back", shape=(batch, *whole, channels))
    if shift:
        x = b.apply("roll", x, name="shifted_back")
    if whole != grid:
        for dim, side in enumerate(grid, 1):
            x = b.apply("slice", x, name=f"cut_{dim}", dim=dim, start=0, length=side)
        x = b.apply("contiguous", x, name="cut")
    return b.apply("reshape", x, name="tokens_back", shape=(batch, prod(grid), channels))


def regions(b: Builder, grid: Grid, window: Dim) -> Value:
    """Returns what hides pairs of a shifted window that lay apart before the shift: (windows, window², window²)."""
    count = prod(floor_div(side, window) for side in padded_grid(grid, window))
    places = b.apply("full", name="regions", shape=(count, window**2), dtype=b.dtype)
    sides = [
        b.apply("reshape", places, name=f"regions_{label}", shape=shape)
        for label, shape in (("rows", (count, 1, window**2)), ("columns", (count, window**2, 1)))
    ]
    apart = b.apply("sub", *sides, name="apart")
    zero = b.apply("full", name="zero", shape=(), dtype=b.dtype)
    other, same = b.apply("ne", apart, zero, name="other"), b.apply("eq", apart, zero, name="same")
    return b.apply("masked_fill", b.apply("masked_fill", apart, other, name="hidden"), same, name="mask")


def alternating(
    b: Builder,
    name: str,
    depth: int,
    body: Callable[[bool, bool], Callable[..., Value]],
    x: Value,
    *,
    spared: bool,
    shifts: bool,
) -> Value:
    """Returns x after `depth` layers, every other one shifted if the map `shifts`. `body(shifted, spared)` returns a
    layer's; `spared` says that the first drops no branch."""
    start = 0
    if spared or depth == 1:
        with b.scope(f"{name}.0"):
            x = body(False, spared)(b, x)
        start = 1
    kinds = [shifts and bool(place % 2) for place in range(start, depth)]
    if not any(kinds):
        return b.repeat(name, len(kinds), body(False, False), x, start=start) if kinds else x
    pairs, left = divmod(len(kinds), 2)
    if pairs:
        x = b.repeat(name, pairs, [body(kind, False) for kind in kinds[:2]], x, start=start)
    if left:
        with b.scope(f"{name}.{depth - 1}"):
            x = body(kinds[-1], False)(b, x)
    return x


def merged(b: Builder, x: Value, grid: Grid, *, norm_last: bool = False) -> tuple[Value, Grid]:
    """Returns four neighbours each as one token of twice the width, and the new grid; the builder is in the scope."""
    batch, _, channels = x.spec.shape
    x = b.apply("reshape", x, name="map", shape=(batch, *grid, channels))
    whole = padded_grid(grid, 2)
    if whole != grid:
        rest = [(0, after - side) for after, side in zip(whole, grid, strict=True)]
        x = b.apply("pad", x, name="padded", padding=(*rest, (0, 0)))
    rows, columns = (floor_div(side, 2) for side in whole)
    x = b.apply("reshape", x, name="squares", shape=(batch, rows, 2, columns, 2, channels))
    x = b.apply("permute", x, name="squares_last", dims=(0, 1, 3, 4, 2, 5))
    x = b.apply("contiguous", x, name="together")
    x = b.apply("reshape", x, name="tokens", shape=(batch, rows * columns, 4 * channels))
    x = x if norm_last else layer_norm(b, "norm", x)
    x = linear(b, "reduction", x, 2 * channels, bias=False)
    return (layer_norm(b, "norm", x) if norm_last else x), (rows, columns)
