"""The walk over a folded graph: its nodes, and the runs of nodes as repetitions of blocks.

This is the only file that knows how a block's repetitions stand for each other. `nodes` gives every node once.
`runs` gives each different run of a node once: those of a block's first and last repetitions, and one in the middle (or
a few in a row) that stands for all the others (`repetitions.py`). Its values are objects. What one run makes is the
very object that others take, whatever its name in their bodies, so facts about a value can be looked up by it.

    x → [h → fc → h] 12 times → head

gives, besides the ends of bodies and blocks,

    fc takes x, makes a; fc takes a, makes b; fc takes b, makes c (8 times); fc takes c, makes d; fc takes d, makes e;
    head takes e
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Block, Graph, Node, Parameter, Value
from graphacct.graph.repetitions import repetitions


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


@attrs.frozen(eq=False, repr=False)
class Result:
    """A value of one run, which is its own key.

    Attributes:
        value: The value as the graph names it where it is made.
        place: Where that is.
    """

    value: Value
    place: Place


@attrs.frozen(eq=False, repr=False)
class Run:
    """One run of a node; it stands for `place.times` of them.

    Attributes:
        node: The node.
        operands: What it takes, in the operator's order.
        outputs: What it makes.
        place: In which repetitions it runs.
    """

    node: Node
    operands: tuple[Result | Parameter, ...]
    outputs: tuple[Result, ...]
    place: Place


@attrs.frozen(eq=False, repr=False)
class BodyEnd:
    """A graph has run, or one repetition of a block's body.

    Attributes:
        graph: The graph, or the body.
        place: Which repetition.
        values: All its values by the names that it has for them.
    """

    graph: Graph
    place: Place
    values: Mapping[str, Result]


@attrs.frozen(eq=False, repr=False)
class BlockEnd:
    """All repetitions of a block have run.

    Attributes:
        block: The block.
        place: Where the block stands.
        repetitions: The places of its repetitions.
        stacks: Its stacked outputs, each with the results of the repetitions that it is made of.
    """

    block: Block
    place: Place
    repetitions: tuple[Place, ...]
    stacks: tuple[tuple[Result, tuple[Result, ...]], ...]


Event: TypeAlias = Run | BodyEnd | BlockEnd
Counts: TypeAlias = Callable[[Block, Place], Sequence[Dim]]
"""For a block and where it stands: the repetitions to tell apart, and how many each of them stands for."""


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


def runs(graph: Graph, counts: Counts | None = None) -> Iterator[Event]:
    """Returns the runs of a graph's nodes in order, the ends of bodies and blocks among them; the graph's own end is
    the last.

    `counts` says how many repetitions each separate one stands for; by default as few are separate as have to be.
    Raises GraphError if that depends on a symbolic number of repetitions.
    """
    entering = {value.name: Result(value, TOP) for value in graph.inputs}
    return _body(graph, entering, TOP, counts or (lambda block, place: repetitions(block)))


def _body(graph: Graph, values: dict[str, Result], place: Place, counts: Counts) -> Iterator[Event]:
    for node in graph.nodes:
        if isinstance(node, Block):
            yield from _block(node, values, place, counts)
            continue
        operands = tuple(values[operand.name] if isinstance(operand, Value) else operand for operand in node.inputs)
        outputs = tuple(Result(value, place) for value in node.outputs)
        for result in outputs:
            values[result.value.name] = result
        yield Run(node, operands, outputs, place)
    yield BodyEnd(graph, place, values)


def _block(block: Block, values: dict[str, Result], place: Place, counts: Counts) -> Iterator[Event]:
    carried = [values[value.name] for value in block.carry]
    constants = [values[value.name] for value in block.constants]
    n, names = len(carried), [value.name for value in block.body.inputs]
    parts: list[list[Result]] = [[] for _ in block.outputs[n:]]
    places = tuple(place.within(block, count, number) for number, count in enumerate(counts(block, place)))
    for inside in places:
        inner = dict(zip(names, carried + constants, strict=True))
        yield from _body(block.body, inner, inside, counts)
        results = [inner[value.name] for value in block.body.outputs]
        carried = results[:n]
        for stack, result in zip(parts, results[n:], strict=True):
            stack.append(result)
    stacks = tuple((Result(value, place), tuple(stack)) for value, stack in zip(block.outputs[n:], parts, strict=True))
    made = [*carried, *(stacked for stacked, _ in stacks)]
    values.update(zip((value.name for value in block.outputs), made, strict=True))
    yield BlockEnd(block, place, places, stacks)
