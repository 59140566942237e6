"""The ends of towers that read a grid of patches: learned positions of the patches, and mergers, which make one token
of a square of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphacct import Builder, Dim, Value, exact_div, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import embedding, linear

if TYPE_CHECKING:
    from graphacct_architectures.multimodal.parts.grid import Extent


@frozen
class Corners:
    """Each patch reads four rows of a table, those nearest to it, and adds their sum, weighted in float32.

    Attributes:
        name: The table's name.
        count: Its rows.
    """

    name: str
    count: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        ids = b.apply("full", name="corners", shape=(count, 4), dtype="int64")
        near = b.apply("full", name="weights", shape=(count, 4, 1), dtype="float32")
        read = b.apply("mul", embedding(b, self.name, ids, self.count, width), near, name="weighted")
        read = b.apply("sum", read, name="interpolated", dim=1)
        if read.spec.dtype != b.dtype:
            read = b.apply("cast", read, name="interpolated_narrowed", dtype=b.dtype)
        y: Value = b.apply("add", x, read, name="with_positions")
        return y


@frozen
class Sampled:
    """Each patch samples a square table at its place by cubic convolution, in float32, and adds what it finds.

    Attributes:
        name: The table's name.
        side: Its rows are those of a square of this side.
    """

    name: str
    side: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        y = table(b, self.name, self.side, width)
        places = b.apply("full", name="places", shape=(1, count, 1, 2), dtype="float32")
        y = b.apply("grid_sampler", y, places, name="sampled", interpolation_mode="bicubic", padding_mode="border")
        y = b.apply("reshape", y, name="sampled_flat", shape=(width, count))
        y = b.apply("permute", y, name="sampled_rows", dims=(1, 0))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="sampled_narrowed", dtype=b.dtype)
        found: Value = b.apply("add", x, y, name="with_positions")
        return found


def table(b: Builder, name: str, side: Dim, width: Dim) -> Value:
    """Returns a table of learned positions as an image in float32, (1, width, side, side)."""
    weight = b.parameter(f"{name}.weight", (side * side, width))
    y = b.apply("reshape", weight, name="position_rows", shape=(side, side, width))
    y = b.apply("permute", y, name="positions_by_width", dims=(2, 0, 1))
    y = b.apply("reshape", y, name="position_image", shape=(1, width, side, side))
    found: Value = b.apply("cast", y, name="positions_wide", dtype="float32") if b.dtype != "float32" else y
    return found


def convolved(b: Builder, name: str, x: Value, merge: Dim, out: Dim) -> Value:
    """Returns one token (squares, out) of each square of patches, which lie one after another, by a convolution that
    has the square's size."""
    count, width = x.spec.shape
    squares = exact_div(count, merge**2, "patches / spatial_merge_size²")
    x = b.apply("reshape", x, name=f"{name}_squares", shape=(squares, merge, merge, width))
    x = b.apply("permute", x, name=f"{name}_width_first", dims=(0, 3, 1, 2))
    weight, bias = b.parameter(f"{name}.weight", (out, width, merge, merge)), b.parameter(f"{name}.bias", (out,))
    x = b.apply("convolution", x, weight, bias, name=name, stride=(merge, merge))
    y: Value = b.apply("reshape", x, name=f"{name}_tokens", shape=(squares, out))
    return y


@frozen
class Merger:
    """A norm, and a network of one hidden layer as wide as the square.

    Attributes:
        merge: The side of a square.
        out: The tokens' width.
        kind: The norm's kind.
        norm: The norm's name.
        up, down: The names of the two linear layers.
        norm_last: Whether it normalizes the square, not each patch.
        module: The module's name; empty if the builder is in it.
        hidden: The hidden layer's width; None for the square's.
    """

    merge: Dim
    out: Dim
    kind: Norm
    norm: str
    up: str
    down: str
    norm_last: bool = False
    module: str = "merger"
    hidden: Dim | None = None

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        with b.scope(self.module):
            count, each = x.spec.shape
            width = each * self.merge**2
            squares = (exact_div(count, self.merge**2, "patches / spatial_merge_size²"), width)
            if self.norm_last:
                x = normed_by(b, self.norm, b.apply("reshape", x, name="squares", shape=squares), self.kind)
            else:
                x = b.apply("reshape", normed_by(b, self.norm, x, self.kind), name="squares", shape=squares)
            x = b.apply("gelu", linear(b, self.up, x, width if self.hidden is None else self.hidden), name="act")
            return linear(b, self.down, x, self.out)
