"""What the repetitions of a run return besides what they carry: results that a block stacks up."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.graph.graph import Block, Value
from graphacct.graph.unroll import beside, stacked
from graphacct.transforms.flat_level import FlatLevel, Wire
from graphacct.transforms.layer_run import Carried, Constant, Run, Source


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


def returned(level: FlatLevel, run: Run) -> list[tuple[Wire, tuple[Wire, ...]]]:
    """Returns the results of a repetition that leave the graph stacked, each with the outputs that it stacks: those of
    all repetitions."""
    found: dict[Wire, list[Wire]] = {}
    for wire in sorted(level.stacked):
        if run.start <= wire[0] < run.end:
            found.setdefault((run.place(wire[0])[1], wire[1]), []).append(wire)
    return [(place, tuple(wires)) for place, wires in found.items() if len(wires) == run.repeat]


def _stacked(run: Run, wires: Sequence[Wire]) -> Source | None:
    """Returns what of a repetition makes up a stack of these values; None if it is no result of each."""
    if len(wires) != run.repeat:
        return None
    if run.start <= wires[0][0]:
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


def left_apart(
    level: FlatLevel, run: Run, gathers: Sequence[int], returned: Sequence[tuple[Wire, tuple[Wire, ...]]]
) -> list[Wire]:
    """Returns the results of a repetition, as counted from its start, that leave the block one by one: something after
    the run takes what one repetition or some of them made, other than what went round last."""
    inside: dict[Wire, int] = {}
    rounds: dict[Carried, int] = {}
    places = [place for place in range(run.size) for _ in level.takes[run.start + place]]
    for place, source in zip(places, run.sources, strict=True):
        if level.gathers[run.start + place]:
            continue
        if isinstance(source, Carried):
            rounds[source] = rounds.get(source, 0) + 1
        elif isinstance(source, tuple):
            inside[source] = inside.get(source, 0) + 1
    stacked = {wire for _, wires in returned for wire in wires}
    own = set(gathers)
    found: dict[Wire, None] = {}
    for repetition in range(run.repeat):
        expected = dict(inside)
        for carried, count in rounds.items():
            if repetition + carried.back < run.repeat:
                expected[carried.made] = expected.get(carried.made, 0) + count
        begin = run.start + repetition * run.size
        for place in range(run.size):
            for output in range(len(level.graph.nodes[begin + place].outputs)):
                wire = (begin + place, output)
                gathering = [by for by in level.gathered.get(wire, ()) if not run.start <= by < run.end]
                used = level.uses.get(wire, 0) > expected.get((place, output), 0) or not own.issuperset(gathering)
                used = used or (wire in level.stacked and wire not in stacked)
                if used and run.results(wire) is None:
                    found[place, output] = None
    return sorted(found)
