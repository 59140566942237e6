"""Repetitions: which of a block's a schedule writes out, and which of them stand for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import lcm
from typing import TypeAlias

from graphacct.dims import Dim, dim_text
from graphacct.errors import GraphError
from graphacct.graph.graph import Block, Graph, Operand, Value
from graphacct.tensors import FLOATING

Sources: TypeAlias = tuple[frozenset[int], ...]
"""For each of some values, the places of those that it is worked out from."""
SYMBOLIC = 2**60
"""What a symbolic number of repetitions is taken for: one of many, and a multiple of short cycles."""


def repetitions(block: Block) -> Sequence[Dim]:
    """The weights of the repetitions to write out: the first and last alone, those in the middle for all the others.

    Values are carried on by at most as many repetitions as there are of them before they are computed anew, so that
    many at each end may differ from the rest. What repeats in the middle is a `cycle` of repetitions: as many as it
    takes until every carried value is where it was, and worked out from what it was worked out from.
    Raises GraphError where such a cycle is longer than one and the number of repetitions symbolic.
    """
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


def cycle(block: Block) -> tuple[int, int]:
    """After how many repetitions what the carried values depend on repeats, and after how many it then does again.

    In (a, b) -> (b, f(a)) a gradient of one of them alone reaches every second f.
    """
    carried = len(block.carry)
    names = [value.name for value in block.body.inputs[:carried]]
    moved: Sources = tuple(
        frozenset([names.index(value.name)] if value.name in names else []) for value in block.body.outputs[:carried]
    )
    worked_out = _sources(block.body)[:carried]
    within = tuple(frozenset(place for place in places if place < carried) for places in worked_out)
    found = [_cycle(of) for of in (moved, within)]
    return max(before for before, _ in found), lcm(*(period for _, period in found))


def _cycle(of: Sources) -> tuple[int, int]:
    """After how many steps the powers of a relation repeat, and after how many they do again."""
    seen: dict[Sources, int] = {}
    power: Sources = tuple(frozenset([place]) for place in range(len(of)))
    while power not in seen:
        seen[power] = len(seen)
        power = _through(power, of)
    return seen[power], len(seen) - seen[power]


def _through(after: Sources, of: Sources) -> Sources:
    """What the values that are worked out from some are worked out from, whose own sources are `of`."""
    return tuple(frozenset(source for place in places for source in of[place]) for places in after)


def _sources(graph: Graph) -> Sources:
    """For each output of a graph the places of the inputs that gradients of it can reach."""
    known = {value.name: frozenset([place]) for place, value in enumerate(graph.inputs)}
    for node in graph.nodes:
        if isinstance(node, Block):
            inside = _repeated(node, [known[value.name] for value in node.values])
            known.update(zip((value.name for value in node.outputs), inside, strict=True))
            continue
        together = _union(node.inputs, known)
        for value in node.outputs:
            known[value.name] = together if value.spec.dtype in FLOATING else frozenset()
    return tuple(known[value.name] for value in graph.outputs)


def _repeated(block: Block, entering: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """The sources of a block's outputs, when those of its operands are given."""
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
        seen[state] = left
        inner = _through(body, (*state, *constants))
        stacked = tuple(old | new for old, new in zip(stacked, inner[carried:], strict=True))
        state, left = inner[:carried], left - 1
    return [*state, *stacked]


def _union(operands: Sequence[Operand], known: Mapping[str, frozenset[int]]) -> frozenset[int]:
    return frozenset(place for operand in operands if isinstance(operand, Value) for place in known[operand.name])
