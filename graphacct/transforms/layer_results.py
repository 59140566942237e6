"""What the repetitions of a run return besides what they carry: results that a block stacks up."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.graph.graph import Block, Value
from graphacct.graph.unroll import beside, stacked
from graphacct.transforms.flat_level import FlatLevel, Wire
from graphacct.transforms.layer_run import Constant, Run, Source


def gathers(
    level: FlatLevel, run: Run, block: str, start: int, stop: int
) -> tuple[tuple[Source, ...], tuple[int, ...]]:
    """Returns what a block stacks up, and the nodes after the run that stand for it, which writing out names so."""
    stacks: list[Source] = []
    gathers: list[int] = []
    for index in range(run.end, stop):
        node = level.graph.nodes[index]
        if not level.gathers[index] or isinstance(node, Block):
            break
        source = _stacked(run, level.takes[index])
        named = f"{beside(block, start)}_{node.operator}_{len(gathers)}"
        if source is None or node.name != named or node.outputs != (Value(named, stacked(node.values)),):
            break
        stacks.append(source)
        gathers.append(index)
    return tuple(stacks), tuple(gathers)


def returned(level: FlatLevel, run: Run) -> list[tuple[Wire, tuple[Wire, ...]]] | None:
    """Returns the results of a repetition that leave the graph stacked, each with the outputs that it stacks; None if
    those of some repetitions alone do."""
    found: dict[Wire, list[Wire]] = {}
    for wire in sorted(level.stacked):
        if run.start <= wire[0] < run.end:
            found.setdefault((run.place(wire[0])[1], wire[1]), []).append(wire)
    if any(len(wires) != run.repeat for wires in found.values()):
        return None
    return [(place, tuple(wires)) for place, wires in found.items()]


def _stacked(run: Run, wires: Sequence[Wire]) -> Source | None:
    """Returns what of a repetition makes up a stack of these values; None if it is no result of each."""
    if len(wires) != run.repeat:
        return None
    if wires[0][0] >= run.start:
        place, output = wires[0][0] - run.start, wires[0][1]
        same = all(wire == (run.start + i * run.size + place, output) for i, wire in enumerate(wires))
        return (place, output) if same and place < run.size else None
    if all(wire == wires[0] for wire in wires):
        return Constant(wires[0])
    for carried in run.carried:
        made = [(run.start + i * run.size + carried.made[0], carried.made[1]) for i in range(run.repeat)]
        if list(wires) == [*carried.first, *made][: run.repeat]:
            return carried
    return None


def all_gathered(level: FlatLevel, run: Run, gathers: Sequence[int]) -> bool:
    """Whether all nodes that gather results of a run are in it, or stand for what it stacks up."""
    own = set(gathers)
    return all(
        run.start <= by < run.end or by in own
        for index in range(run.start, run.end)
        for output in range(len(level.graph.nodes[index].outputs))
        for by in level.gathered.get((index, output), ())
    )
