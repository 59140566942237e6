"""The walk over a folded graph: its nodes, and the runs of nodes as repetitions of blocks.

This is the only file that knows how a block's repetitions stand for each other. `nodes` of `places.py` gives every node
once. `runs` gives each different run of a node once: those of a block's first and last repetitions, and one in the
middle (or a few in a row) that stands for all the others (`repetitions.py`). Its values are objects. What one run makes
is the very object that others take, whatever its name in their bodies, so facts about a value can be looked up by it.

    x → [h → fc → h] 12 times → head

gives, besides the ends of bodies and blocks,

    fc takes x, makes a; fc takes a, makes b; fc takes b, makes c (8 times); fc takes c, makes d; fc takes d, makes e;
    head takes e
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import TypeAlias

import attrs

from graphacct.dims import Dim
from graphacct.errors import GraphError
from graphacct.graph.graph import Block, Graph, Node, Parameter, Value
from graphacct.graph.places import TOP, Place, nodes
from graphacct.graph.repetitions import MOST_ALIVE, repetitions

MOST_RUNS, RUNS_PER_NODE = 10_000, 5
"""The most runs that are walked: so many, and so many more for each node. A repeated layer's nodes have five each."""


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


def runs(graph: Graph, counts: Counts | None = None) -> Iterator[Event]:
    """Returns the runs of a graph's nodes in order, the ends of bodies and blocks among them; the graph's own end is
    the last.

    `counts` says how many repetitions each separate one stands for; by default as few are separate as have to be.
    Raises GraphError if that depends on a symbolic number of repetitions, and if blocks inside blocks have too many
    runs to walk one by one.
    """
    entering = {value.name: Result(value, TOP) for value in graph.inputs}
    return _body(graph, entering, TOP, _Limited(graph, counts or (lambda block, place: repetitions(block))))


class _Limited:
    """The counts of blocks, each asked for once, and how many runs are left.

    Each block around a node multiplies its runs by the repetitions that are told apart, five for most. So a file of a
    few lines can have more runs than there is time for.
    """

    def __init__(self, graph: Graph, counts: Counts) -> None:
        self._counts = counts
        self._known: dict[tuple[int, int], Sequence[Dim]] = {}
        self.most = self.left = MOST_RUNS + RUNS_PER_NODE * sum(_separate(place) for _, place in nodes(graph))

    def __call__(self, block: Block, place: Place) -> Sequence[Dim]:
        key = (id(block), len(place.repeats))
        if key not in self._known:
            self._known[key] = self._counts(block, place)
        return self._known[key]

    def spend(self, runs: int, place: Place) -> None:
        """Counts runs at a place."""
        self.left -= runs
        if self.left < 0:
            block = place.levels[0].block if place.levels else None
            raise GraphError(
                f"the blocks inside {block.name if block else 'the graph'!r} have more than {self.most:,} runs that "
                "may differ, too many to walk one by one: nest fewer blocks, or ask for a forward report"
            )


def _separate(place: Place) -> int:
    """Returns how often a node runs at least, because blocks around it give their repetitions values one by one."""
    blocks = [level.block for level in place.levels if level.block is not None and level.block.one_by_one]
    return prod(min(int(block.repeat), MOST_ALIVE) for block in blocks)


def _body(graph: Graph, values: dict[str, Result], place: Place, counts: _Limited) -> Iterator[Event]:
    counts.spend(1 + len(graph.nodes), place)
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


def _block(block: Block, values: dict[str, Result], place: Place, counts: _Limited) -> Iterator[Event]:
    carried = [values[value.name] for value in block.carry]
    constants = [values[value.name] for value in block.constants]
    n, names = len(carried), [value.name for value in block.body.inputs]
    parts: list[list[Result]] = [[] for _ in block.body.outputs[n:]]
    places = tuple(place.within(block, count, number) for number, count in enumerate(counts(block, place)))
    for number, inside in enumerate(places):
        own = [values[each[number].name] for each in block.each]
        inner = dict(zip(names, carried + constants + own, strict=True))
        yield from _body(block.body, inner, inside, counts)
        results = [inner[value.name] for value in block.body.outputs]
        carried = results[:n]
        for stack, result in zip(parts, results[n:], strict=True):
            stack.append(result)
    several, apart = parts[: len(parts) - block.apart], parts[len(parts) - block.apart :]
    single = block.outputs[n : n + len(several)]
    stacks = tuple((Result(value, place), tuple(stack)) for value, stack in zip(single, several, strict=True))
    made = [*carried, *(stacked for stacked, _ in stacks), *(result for results in apart for result in results)]
    values.update(zip((value.name for value in block.outputs), made, strict=True))
    yield BlockEnd(block, place, places, stacks)
