"""The walk over a folded graph: its runs are those of the graph written out, alike ones together."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import strategies
from draws import examples
from hypothesis import given

import graphacct
from graphacct import Builder, Graph
from graphacct.dims import Dim
from graphacct.graph.graph import Value
from graphacct.graph.paths import indexed, pattern
from graphacct.graph.places import Place, bodies, nodes
from graphacct.graph.walk import BlockEnd, BodyEnd, Result, Run, runs
from graphacct.hooks.manager import default


def chain(times: Dim) -> Graph:
    """x goes through fc so many times, then through the head."""
    b = Builder("chain", default().operators)
    x = b.repeat("h", times, lambda b, h: b.apply("gelu", h, name="fc"), b.input("x", (2, 3)))
    return b.graph(b.apply("gelu", x, name="head"))


def test_runs_by_hand() -> None:
    """Twelve repetitions: the first two, one for the eight in the middle, the last two. What one makes is what the
    next one takes."""
    events = list(runs(chain(12)))
    made = [event for event in events if isinstance(event, Run)]
    assert [(run.node.name, run.place.times) for run in made] == [
        ("h.*.fc", 1),
        ("h.*.fc", 1),
        ("h.*.fc", 8),
        ("h.*.fc", 1),
        ("h.*.fc", 1),
        ("head", 1),
    ]
    for before, after in pairwise(made):
        assert after.operands == before.outputs
    assert [type(event).__name__ for event in events] == [*["Run", "BodyEnd"] * 5, "BlockEnd", "Run", "BodyEnd"]
    last = events[-1]
    assert isinstance(last, BodyEnd)
    assert last.values["h.*"] is made[4].outputs[0]
    assert [run.place.numbers for run in made] == [(0,), (1,), (2,), (3,), (4,), ()]


def test_the_caller_may_tell_all_repetitions_apart() -> None:
    """Or none of them."""
    assert sum(isinstance(event, Run) for event in runs(chain(12), lambda block, place: [1] * 12)) == 13
    [one, _] = [event for event in runs(chain(12), lambda block, place: [block.repeat]) if isinstance(event, Run)]
    assert one.place.times == 12


def test_each_node_once() -> None:
    """With the blocks around it; inner bodies come before those around them."""
    graph = graphacct.build("gpt2", seq_len=8)
    found = list(nodes(graph))
    assert [node for node, _ in found] == list(graph.walk())
    assert {(place.times, place.repeats, place.starts) for _, place in found} == {(1, (), ()), (12, (12,), (0,))}
    assert [body.name for body in bodies(graph)][-1] == graph.name


def names(place: Place) -> tuple[int, ...]:
    """The indices of a repetition in a walk that tells all of them apart."""
    return tuple(map(sum, zip(place.numbers, place.starts, strict=True)))


@examples(30)
@given(strategies.graphs())
def test_told_apart_they_are_the_graph_written_out(graph: Graph) -> None:
    """Node for node and operand for operand, but for the stacks, which have no node in a folded graph."""
    flat = [node for node in graph.unroll().nodes if node.operator != "stack"]
    stacks = {node.outputs[0].name for node in graph.unroll().nodes if node.operator == "stack"}
    apart = [run for run in runs(graph, lambda block, place: [1] * block.repeat) if isinstance(run, Run)]
    assert [indexed(run.node.name, names(run.place)) for run in apart] == [node.name for node in flat]
    for run, node in zip(apart, flat, strict=True):
        for ours, theirs in zip(run.operands, node.inputs, strict=True):
            if isinstance(ours, Result) and theirs.name not in stacks:
                assert indexed(ours.value.name, names(ours.place)) == theirs.name


@examples(25)
@given(strategies.graphs(repeats=9))
def test_alike_runs_stand_for_each_other(graph: Graph) -> None:
    """Of the values that a name stands for as many are used once, twice and so on as in the graph written out."""
    uses: Counter[Result] = Counter()
    made: list[Result] = []
    for event in runs(graph):
        if isinstance(event, Run):
            made.extend(event.outputs)
            for operand in event.operands:
                if isinstance(operand, Result):
                    uses[operand] += event.place.times_for_each(operand.place)
        elif isinstance(event, BlockEnd):
            for _, results in event.stacks:
                for place, result in zip(event.repetitions, results, strict=True):
                    uses[result] += place.times_for_each(result.place)
    folded: Counter[tuple[str, int]] = Counter()
    for result in made:
        folded[pattern(result.value.name), uses[result]] += result.place.times
    flat: Counter[str] = Counter()
    written_out = graph.unroll().nodes
    for node in written_out:
        flat.update(operand.name for operand in node.inputs if isinstance(operand, Value))
    outputs = [value.name for node in written_out if node.operator != "stack" for value in node.outputs]
    assert folded == Counter((pattern(name), flat[name]) for name in outputs)
