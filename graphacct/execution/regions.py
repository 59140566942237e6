"""Regions: the nodes that the backward pass recomputes together, which are those of one layer.

A layer is the outermost scope with an index (`graph/paths.outermost`). A repetition of a block may be several layers
that alternate, and a layer that is written out may have blocks in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphacct.decisions import less
from graphacct.dims import Dim, dim_text, is_symbol
from graphacct.errors import GraphError
from graphacct.graph.graph import Block, Node
from graphacct.graph.paths import outermost
from graphacct.graph.places import Place
from graphacct.graph.repetitions import repetitions

MOST_ALIVE = 5_000
"""The most repetitions of a block that are recomputed together."""


class Regions:
    """The regions of a schedule, numbered from 1 in the order of their first kernels."""

    def __init__(self, recompute: Callable[[Node], bool], saved: Callable[[Node], bool]) -> None:
        self.recompute = recompute
        self.saved = saved
        self._numbers: dict[tuple[str, Place], int] = {}

    def has(self, node: Node) -> bool:
        """Returns whether a node is in a region: it runs again, or its outputs are saved so that it does not."""
        return self.recompute(node) or self.saved(node)

    def of(self, node: Node, place: Place) -> int:
        """Returns the region of a node at a place; 0 if it is in none."""
        if not self.has(node):
            return 0
        layer = outermost(node.name)
        return self._numbers.setdefault((layer, place.around(layer.count("*"))), len(self._numbers) + 1)

    def go_across(self, block: Block, place: Place) -> bool:
        """Returns whether a region goes across the repetitions of a block that stands at a place: its layer is around
        the block."""
        depth = len(place.repeats)
        return any(self.has(node) and outermost(node.name).count("*") <= depth for node in block.body.walk())

    def counts(self, block: Block, place: Place) -> Sequence[Dim]:
        """Returns how many repetitions of a block each scheduled one stands for.

        Every repetition is scheduled if a region goes across them: it runs as a whole before its first gradient, so
        that all repetitions are alive at once and none equals the next. Raises GraphError if those are too many.
        """
        if self.go_across(block, place):
            if type(block.repeat) is not int:
                raise GraphError(
                    f"block {block.name!r} is recomputed as a whole, so that all its repetitions are alive at once: it "
                    f"cannot repeat {dim_text(block.repeat)} times, give a number"
                )
            if block.repeat > MOST_ALIVE:
                raise GraphError(
                    f"block {block.name!r} is recomputed as a whole, with {block.repeat:,} repetitions that are all "
                    f"alive at once, too many to walk one by one (at most {MOST_ALIVE:,}): recompute other nodes"
                )
            return [1] * block.repeat
        counts = repetitions(block)
        if is_symbol(block.repeat):  # a block that repeats less often has no such ends
            less(len(counts) - 1, block.repeat, assumed=True)
        return counts
