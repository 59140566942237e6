"""The ends of towers that read a grid of patches: learned positions of the patches, and mergers, which make one token
of a square of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from graphacct import Builder, Dim, Value, exact_div
from graphacct_architectures.decoders.parts.attention import normed_by
from graphacct_architectures.decoders.parts.description import Norm
from graphacct_architectures.layers import embedding, linear

if TYPE_CHECKING:
    from graphacct_architectures.multimodal.parts.grid import Extent


@attrs.frozen
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


@attrs.frozen
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
    """

    merge: Dim
    out: Dim
    kind: Norm
    norm: str
    up: str
    down: str
    norm_last: bool = False
    module: str = "merger"

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        with b.scope(self.module):
            count, each = x.spec.shape
            width = each * self.merge**2
            squares = (exact_div(count, self.merge**2, "patches / spatial_merge_size²"), width)
            if self.norm_last:
                x = normed_by(b, self.norm, b.apply("reshape", x, name="squares", shape=squares), self.kind)
            else:
                x = b.apply("reshape", normed_by(b, self.norm, x, self.kind), name="squares", shape=squares)
            x = b.apply("gelu", linear(b, self.up, x, width), name="act")
            return linear(b, self.down, x, self.out)
