"""Maps as tokens, and back: a place of a map is a token."""

from __future__ import annotations

from graphacct_architectures.layers import layer_norm

from graphacct import Builder, Dim, Value
from graphacct_vision.parts.layers import convolution


def as_map(b: Builder, x: Value, grid: tuple[Dim, Dim]) -> Value:
    """Returns tokens (batch, places, channels) as (batch, channels, rows, columns)."""
    batch, _, channels = x.spec.shape
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    return b.apply("reshape", x, name="map", shape=(batch, channels, *grid))


def as_tokens(b: Builder, x: Value) -> Value:
    """Returns a map as tokens (batch, places, channels)."""
    batch, channels, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="flat", shape=(batch, channels, rows * columns))
    return b.apply("transpose", x, name="tokens", dims=(1, 2))


def overlapping(b: Builder, x: Value, width: Dim, size: int, step: Dim) -> tuple[Value, tuple[Dim, Dim]]:
    """Returns a map's overlapping patches as normalized tokens, and their grid."""
    x = convolution(b, "proj", x, width, size, stride=step, padding=size // 2, bias=True)
    _, _, rows, columns = x.spec.shape
    return layer_norm(b, "layer_norm", as_tokens(b, x)), (rows, columns)


def by_place(b: Builder, x: Value, grid: tuple[Dim, Dim]) -> Value:
    """Returns tokens as a map (batch, channels, rows, columns), copied."""
    batch, _, width = x.spec.shape
    x = b.apply("reshape", x, name="places", shape=(batch, *grid, width))
    x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    return b.apply("contiguous", x, name="map")
