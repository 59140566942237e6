"""Places: where the nodes of a folded graph stand, and each node once with its place.

The runs of the nodes, several for the different repetitions of a block, are in `walk.py`. A forward report does not
need them, and not their classes: this file is apart so that they are not made (1 ms of its 95).
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Block, Graph, Node


@attrs.frozen(eq=False, repr=False)
class Place:
    """The place of a node: in which repetition of which block.

    Attributes:
        outer: The place of the block; None outside every block.
        block: The innermost block around the node; None outside every block.
        count: How many of that block's repetitions this one stands for.
        times: How many runs one run here stands for: the counts of all blocks around it, multiplied.
        repeats: How often each block around it repeats, outermost first.
        starts: The first index of each block around it, outermost first.
        numbers: The number of the repetition of each block around it, from 0, outermost first; only separate
            repetitions count.
    """

    outer: Place | None = None
    block: Block | None = None
    count: Dim = 1
    times: Dim = 1
    repeats: tuple[Dim, ...] = ()
    starts: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()

    def within(self, block: Block, count: Dim, number: int = 0) -> Place:
        """Returns the place of the nodes of a block that stands here."""
        inside = ((*self.repeats, block.repeat), (*self.starts, block.start), (*self.numbers, number))
        return Place(self, block, count, self.times * count, *inside)

    @property
    def levels(self) -> tuple[Place, ...]:
        """The repetitions around a node as places, outermost first; this place is the last."""
        return () if self.outer is None else (*self.outer.levels, self)

    def around(self, blocks: int) -> Place:
        """Returns the place in the outermost blocks alone, so many of them; this one if it is in no more."""
        here = self
        while len(here.repeats) > blocks and here.outer is not None:
            here = here.outer
        return here

    def times_for_each(self, maker: Place) -> Dim:
        """Returns how many runs here take the same value, which was made at another place.

        If both places are in repetitions of a block that was entered once, each run takes a value of its own: when
        one repetition stands for eight, so do the values that it takes of the repetition before. If the value comes
        from outside the block, or from an earlier entry into it, all repetitions take the same one:

            [x → [y → f(x, y)] 9 times → x] 5 times

        The last f of each of the 5 makes what all 9 f of the next one take as x.
        """
        times: Dim = 1
        here = self
        while here.outer is not None:
            level = maker
            while level.outer is not None:
                if level.outer is here.outer and level.block is here.block:
                    return times
                level = level.outer
            times = times * here.count
            here = here.outer
        return times


TOP = Place()
"""Outside every block."""


def nodes(graph: Graph, place: Place = TOP) -> Iterator[tuple[Node, Place]]:
    """Yields the nodes in schedule order, each block's body once for all repetitions, and where each stands."""
    for node in graph.nodes:
        if isinstance(node, Block):
            yield from nodes(node.body, place.within(node, node.repeat))
        else:
            yield node, place


def bodies(graph: Graph) -> Iterator[Graph]:
    """Yields the bodies of all blocks, inner ones before those around them, then the graph itself."""
    for node in graph.nodes:
        if isinstance(node, Block):
            yield from bodies(node.body)
    yield graph
