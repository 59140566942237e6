"""Repetitions: which repetitions of a block a schedule writes out, and how many each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from math import lcm
from operator import or_
from typing import TypeAlias

from graphacct.dims import Dim, dim_text
from graphacct.errors import GraphError
from graphacct.graph.graph import Block, Graph, Operand, Value
from graphacct.tensors import FLOATING

Sources: TypeAlias = tuple[frozenset[int], ...]
"""For each value of a row, the places (indices) of the values that it is computed from."""
MOST_ALIVE = 5_000
"""The most repetitions of a block that are alive together."""
MOST_TURNS = 1_000
"""The most repetitions in a row that may differ, because carried values change places."""
SYMBOLIC = 2**60
"""The number that stands for a symbolic number of repetitions: it is large, and a multiple of short cycles."""


def repetitions(block: Block) -> Sequence[Dim]:
    """Returns how many repetitions each one that is written out stands for.

    The first and the last stand for themselves. A block of n carried values may hand each of them on for up to n
    repetitions before it is computed anew, so n repetitions at each end may differ from the rest. In the middle a
    `cycle` of repetitions stands for all the others: as many as it takes until every carried value is in its old place
    and is computed from the same values again.

        a block of 12 layers that carries one value:     1, 1, 8, 1, 1
        one of 13 that carries two which change places:  1, 1, 1, 3, 3, 1, 1, 1, 1     (a cycle of two, and one over)

    Raises GraphError if a cycle is longer than one and the number of repetitions symbolic, or if a cycle is longer than
    a thousand.
    """
    if block.one_by_one:
        return one_by_one(block, "gives its repetitions values one by one", "leave them written out")
    carried = len(block.carry)
    before, period = (1, 1) if carried < 2 else cycle(block)
    ends = max(carried, before) + 1
    if type(block.repeat) is not int:
        if period > 1:
            raise GraphError(
                f"block {block.name!r} carries values that change places, so that its repetitions differ by turns, "
                f"{period} in a row: it cannot repeat {dim_text(block.repeat)} times, give a number"
            )
        return [1] * ends + [block.repeat - 2 * ends] + [1] * ends
    times, over = divmod(block.repeat - 2 * ends, period)
    if times < 2:
        return [1] * block.repeat
    return [1] * ends + [times] * period + [1] * (ends + over)


def one_by_one(block: Block, why: str, way_out: str) -> Sequence[Dim]:
    """Returns that each repetition stands for itself, for the reason given.

    Raises GraphError if there is a symbolic number of them, or too many, with a way out.
    """
    if type(block.repeat) is not int:
        raise GraphError(
            f"block {block.name!r} {why}, so that all its repetitions are alive at once: it cannot repeat "
            f"{dim_text(block.repeat)} times, give a number"
        )
    if block.repeat > MOST_ALIVE:
        raise GraphError(
            f"block {block.name!r} {why}, with {block.repeat:,} repetitions that are all alive at once, too many to "
            f"walk one by one (at most {MOST_ALIVE:,}): {way_out}"
        )
    return [1] * block.repeat


def cycle(block: Block) -> tuple[int, int]:
    """Returns after how many repetitions the sources of the carried values begin to repeat, and with which period.

    Why sources: a gradient that reaches one of the values in (a, b) -> (b, f(a)) reaches every second f, so that two
    repetitions in a row differ and the third is like the first. Two relations have to repeat, and for that block they
    are, after 0, 1 and 2 repetitions:

        handed on as it is from    {a}, {b}    {b}, {}     {}, {}       repeats from 2 on, every 1
        computed from              {a}, {b}    {b}, {a}    {a}, {b}     repeats from 0 on, every 2

    Together they repeat from 2 on, every 2: (2, 2).
    """
    carried = len(block.carry)
    names = [value.name for value in block.body.inputs[:carried]]
    moved: Sources = tuple(
        frozenset([names.index(value.name)] if value.name in names else []) for value in block.body.outputs[:carried]
    )
    worked_out = _sources(block.body)[:carried]
    within = tuple(frozenset(place for place in places if place < carried) for places in worked_out)
    found = [_cycle(of) for of in (moved, within)]
    period = lcm(*(period for _, period in found))
    if period > MOST_TURNS:
        raise too_many_turns(block)
    return max(before for before, _ in found), period


def too_many_turns(block: Block) -> GraphError:
    """Returns the error for a block whose repetitions differ too long."""
    return GraphError(
        f"block {block.name!r} carries values that change places, so that more than {MOST_TURNS:,} repetitions in "
        "a row differ, too many to walk one by one: carry fewer values round, or ask for a forward report"
    )


def _cycle(of: Sources) -> tuple[int, int]:
    """Returns after how many steps the powers of a relation begin to repeat, and with which period, or one that is too
    long. A row of a power is one integer, with a bit for each place."""
    seen: dict[tuple[int, ...], int] = {}
    power = tuple(1 << place for place in range(len(of)))
    while power not in seen:
        if len(seen) > 2 * MOST_TURNS:
            return 0, len(seen)
        seen[power] = len(seen)
        power = tuple([reduce(or_, [power[place] for place in places], 0) for places in of])
    return seen[power], len(seen) - seen[power]


def _through(after: Sources, of: Sources) -> Sources:
    """Returns the sources of values two steps back: `after` says which values they come from, `of` those values' own
    sources."""
    return tuple(frozenset(source for place in places for source in of[place]) for places in after)


def _sources(graph: Graph) -> Sources:
    """Returns, for each output of a graph, the places of the inputs that its gradient can reach."""
    known = {value.name: frozenset([place]) for place, value in enumerate(graph.inputs)}
    for node in graph.nodes:
        if isinstance(node, Block):
            entering = [known[value.name] for value in (*node.carry, *node.constants)]
            each = [[known[value.name] for value in values] for values in node.each]
            inside = _each_repeated(node, entering, each) if node.one_by_one else _repeated(node, entering)
            known.update(zip((value.name for value in node.outputs), inside, strict=True))
            continue
        together = _union(node.inputs, known)
        for value in node.outputs:
            known[value.name] = together if value.spec.dtype in FLOATING else frozenset()
    return tuple(known[value.name] for value in graph.outputs)


def _repeated(block: Block, entering: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """Returns the sources of a block's outputs, given those of its operands."""
    carried = len(block.carry)
    body = _sources(block.body)
    state, constants = tuple(entering[:carried]), tuple(entering[carried:])
    stacked: Sources = (frozenset(),) * (len(body) - carried)
    left = block.repeat if type(block.repeat) is int else SYMBOLIC
    seen: dict[Sources, int] = {}
    while left:
        if state in seen:
            left %= seen[state] - left
            seen = {}
            continue
        if len(seen) > 2 * MOST_TURNS:
            raise too_many_turns(block)
        seen[state] = left
        inner = _through(body, (*state, *constants))
        stacked = tuple(old | new for old, new in zip(stacked, inner[carried:], strict=True))
        state, left = inner[:carried], left - 1
    return [*state, *stacked]


def _each_repeated(
    block: Block, entering: Sequence[frozenset[int]], each: Sequence[Sequence[frozenset[int]]]
) -> list[frozenset[int]]:
    """Returns the sources of the outputs of a block whose repetitions take or return values one by one."""
    carried, body = len(block.carry), _sources(block.body)
    state, constants = tuple(entering[:carried]), tuple(entering[carried:])
    results: list[Sources] = []
    for number in range(len(one_by_one(block, "gives its repetitions values one by one", "leave them written out"))):
        inner = _through(body, (*state, *constants, *(values[number] for values in each)))
        state = inner[:carried]
        results.append(inner[carried:])
    single = len(body) - carried - block.apart
    stacked = [frozenset[int]().union(*(result[place] for result in results)) for place in range(single)]
    return [*state, *stacked, *(result[place] for place in range(single, len(body) - carried) for result in results)]


def _union(operands: Sequence[Operand], known: Mapping[str, frozenset[int]]) -> frozenset[int]:
    return frozenset(place for operand in operands if isinstance(operand, Value) for place in known[operand.name])
