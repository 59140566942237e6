"""Regions: the nodes that the backward pass recomputes together, which are those of one layer.

A layer is the outermost scope with an index (`graph/paths.outermost`), unless the model says itself what runs again
together (`graph/rerun.py`). A repetition of a block may be several layers
that alternate, and a layer that is written out may have blocks in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import index

from graphacct.decisions import less
from graphacct.dims import Dim, is_symbol, is_traced
from graphacct.graph.graph import Block, Graph, Node
from graphacct.graph.paths import outermost
from graphacct.graph.places import Place, nodes
from graphacct.graph.repetitions import one_by_one, repetitions


class Regions:
    """The regions of a schedule, numbered from 1 in the order of their first kernels."""

    def __init__(self, recompute: Callable[[Node], bool], saved: Callable[[Node], bool]) -> None:
        self.recompute = recompute
        self.saved = saved
        self.sharing: Collection[int] = ()  # ids of blocks that share parameters (`graph/sharing.py`)
        self.starting: Collection[int] = ()  # ids of blocks in which a gradient starts, which each repetition leaves
        self._numbers: dict[tuple[str, int, Place], int] = {}

    def has(self, node: Node) -> bool:
        """Returns whether a node is in a region: it runs again, or its outputs are saved so that it does not."""
        return self.recompute(node) or self.saved(node)

    def of(self, node: Node, place: Place) -> int:
        """Returns the region of a node at a place; 0 if it is in none."""
        if not self.has(node):
            return 0
        layer, ordinal = _region(node)
        key = (layer, ordinal, place.around(layer.count("*")))
        return self._numbers.setdefault(key, len(self._numbers) + 1)

    def go_across(self, block: Block, place: Place) -> bool:
        """Returns whether a region goes across the repetitions of a block that stands at a place: its layer is around
        the block."""
        depth = len(place.repeats)
        return any(self.has(node) and _region(node)[0].count("*") <= depth for node in block.body.walk())

    def counts(self, block: Block, place: Place) -> Sequence[Dim]:
        """Returns how many repetitions of a block each scheduled one stands for.

        Every repetition is scheduled if a region goes across them: it runs as a whole before its first gradient, so
        that all repetitions are alive at once and none equals the next. So is every one that shares parameters with
        another block's: the parts of their gradients wait from one block to the other; and every one in which a leaf is
        made, whose gradient stays. Raises GraphError if those are too many.
        """
        if self.go_across(block, place):
            return one_by_one(block, "is recomputed as a whole", "recompute other nodes")
        if id(block) in self.sharing:
            return one_by_one(block, "shares parameters with another block", "ask for a forward report")
        if id(block) in self.starting:
            return one_by_one(block, "makes a tensor with a gradient of its own", "ask for a forward report")
        counts = repetitions(block)
        if (is_symbol(block.repeat) or is_traced(block.repeat)) and not less(
            len(counts) - 1, block.repeat, assumed=True
        ):
            return [1] * index(block.repeat)  # so few have no middle: their number holds, as that of an int
        return counts


def blocks_with(graph: Graph, operators: Collection[str]) -> set[int]:
    """Returns the ids of the blocks that have a node of one of these operators."""
    places = (place for node, place in nodes(graph) if node.operator in operators) if operators else ()
    return {id(level.block) for place in places for level in place.levels if level.block is not None}


def _region(node: Node) -> tuple[str, int]:
    """Returns what names a node's region: the model's own, or else its layer."""
    return (outermost(node.name), 0) if node.rerun is None else node.rerun.region(node.name)
