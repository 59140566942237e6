"""A block's repetitions that stand for others: every figure is that of all of them written out."""

from __future__ import annotations

from unittest import mock

import pytest
import strategies
from draws import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from runs import PROFILES, TINY, passed, scheduled

from graphacct import Builder, memory
from graphacct.footprint.liveness import live_bytes, live_storages
from graphacct.footprint.timeline import timeline
from graphacct.graph.graph import Block
from graphacct.graph.repetitions import cycle, repetitions
from graphacct.hooks.manager import default
from graphacct.training.recompute import RecomputePlan


def figures(graph, profile="torch-eager-cpu", recompute="none", in_place=True):
    """The figures of a step that a repetition that stands for many must not change."""
    steps = scheduled(graph, profile, recompute)
    saved, back = passed(steps, profile, in_place)
    alive, fresh = (live_bytes(steps, saved, back, fresh=fresh) for fresh in (False, True))
    nodes = {}
    for call, live in zip(back.calls, alive[len(steps.calls) :], strict=True):
        nodes[call.node.name] = max(nodes.get(call.node.name, 0), live)
    peak = max(alive, default=0)
    if alive:
        there = live_storages(steps, alive.index(peak), saved, back)
        assert sum(storage.bytes * count for storage, count in there) == peak
    return peak, max(fresh, default=0), alive[-1:], fresh[-1:], nodes


@examples(20, suppress_health_check=list(HealthCheck))
@given(strategies.graphs(repeats=9), st.sampled_from(PROFILES), st.booleans(), st.data())
def test_a_repetition_that_stands_for_many(graph, profile, in_place, data):
    """Random graphs with nested blocks, several carries, constants, stacked results, parameters of one repetition, of
    all and tied; some nodes run again: peaks, ends and the peak of every node are those of all repetitions written
    out."""
    names = [node.name for node in graph.walk()]
    again = RecomputePlan(frozenset(data.draw(st.lists(st.sampled_from(names), max_size=6), label="run again")))
    one = figures(graph, profile, again, in_place)
    with mock.patch("graphacct.execution.regions.repetitions", lambda block: [1] * block.repeat):
        assert figures(graph, profile, again, in_place) == one


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("times", [5, 6, 9])
def test_gradients_of_what_is_stacked_twice_meet_for_each_repetition(times, in_place):
    """h, 4 bytes, goes round through a weight, and two stacks of it through gelu are the outputs.

    The most is alive when the parts of both stacks' gradients have been added up for each h but the first one, the
    input: both gelus' outputs, gradients of 1 and gradients, 4 bytes for each repetition; the h that later products
    read, without the input and the last one, whose product leads nowhere; the sums.
    """
    b = Builder("stacked", default().operators)
    x = b.input("x", (1, 1))

    def body(inner, h):
        return [inner.apply("linear", h, inner.parameter("w", (1, 1)), name="product"), h, h]

    _, *stacks = b.repeat("layers", times, body, x)
    graph = b.graph(*[b.apply("gelu", stack) for stack in stacks])
    one = figures(graph, in_place=in_place)
    assert one[0] == 3 * 2 * 4 * times + 4 * (times - 2) + 4 * (times - 1)
    steps = scheduled(graph)
    saved, back = passed(steps, in_place=in_place)
    rows = timeline(steps, live_bytes(steps, saved, back), back)
    assert sum(row.repeat for row in rows if row.operator == "add") == (times - 1) + (times - 2), (
        "the two parts, and with them what the next product gives"
    )
    with mock.patch("graphacct.execution.regions.repetitions", lambda block: [1] * block.repeat):
        assert figures(graph, in_place=in_place) == one


def test_a_block_inside_what_is_run_again():
    """An outer repetition's relu nodes are all run again before the first of them is needed, so that those of a block
    inside it are there at once, however many: one cannot stand for them."""
    b = Builder("nested", default().operators)
    x = b.input("x", (1, 1))

    def step(inner, h):
        relu = inner.apply("relu", h, name="act")
        return inner.apply("linear", relu, inner.parameter("w", (1, 1)), name="product")

    def layer(outer, h):
        return outer.repeat("steps", 9, step, h)

    graph = b.graph(b.repeat("layers", 2, layer, x))
    again = RecomputePlan(frozenset(["layers.*.steps.*.act"]))
    one = figures(graph, recompute=again)
    with mock.patch("graphacct.execution.regions.repetitions", lambda block: [1] * block.repeat):
        assert figures(graph, recompute=again) == one


@examples(25, suppress_health_check=list(HealthCheck))
@given(strategies.graphs(), st.sampled_from(PROFILES))
def test_folded_equals_unrolled(graph, profile):
    """A block's stacked results get their gradients as the stack node of the flat graph gives them."""
    folded, flat = (figures(form, profile) for form in (graph, graph.unroll()))
    assert folded[:-1] == flat[:-1]


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize("layers", [1, 3, 4, 5, 12])
def test_a_models_layers(layers, recompute):
    """GPT-2's, one of them for all in the middle, each checkpointed or not."""
    overrides = {**TINY["gpt2"], "n_layer": layers}
    options = {"seq_len": 16, "batch": 2, "recompute": recompute, "set": overrides}
    one = memory("gpt2", **options)
    with mock.patch("graphacct.execution.regions.repetitions", lambda block: [1] * block.repeat):
        all_ = memory("gpt2", **options)
    for part in ("forward_peak", "backward_peak", "peak", "fresh_peak", "total"):
        assert getattr(one, part) == getattr(all_, part), part
    assert one.fresh_peak <= one.gradients + one.peak


def block_of(times, carried, body):
    """A graph with one block, which carries so many values of 4 bytes; the sum of the last one is its loss."""
    b = Builder("layers", default().operators)
    carry = [b.input(f"x_{place}", (1, 1)) for place in range(carried)]
    result = b.repeat("layers", times, body, *carry)
    last = result if carried == 1 else result[-1]
    return b.graph(b.apply("sum", last, name="loss"))


def product(b, x):
    return b.apply("linear", x, b.parameter("w", (1, 1)), name="product")


@pytest.mark.parametrize("times", range(5, 14))
def test_a_gradient_that_reaches_every_second_repetition(times):
    """(a, c) -> (c, a w), of which c alone is used: the products of every second repetition lead nowhere, and two
    repetitions in a row stand for the others."""
    graph = block_of(times, 2, lambda b, a, c: [c, product(b, a)])
    one = figures(graph)
    assert one[3] == [4 + 4 + 4 + 4 * ((times + 1) // 2)], (
        "the loss, its gradient, that of the last product to go back, and that of w for every second product"
    )
    with mock.patch("graphacct.execution.regions.repetitions", lambda block: [1] * block.repeat):
        assert figures(graph) == one


def test_cycles_by_hand():
    """After how many repetitions the sources of carried values repeat, and after how many they do again."""

    def of(carried, body):
        return cycle(block_of(9, carried, body).nodes[0])

    assert of(1, product) == (1, 1), "the value that enters is there once"
    assert of(2, lambda b, a, c: [c, product(b, a)]) == (2, 2), "each comes of the other"
    assert of(2, lambda b, a, c: [c, b.apply("add", a, c)]) == (2, 1), "both of both, from the second on"
    assert of(3, lambda b, a, c, d: [c, d, product(b, a)]) == (3, 3)
    assert of(3, lambda b, a, c, d: [product(b, a), a, c]) == (3, 1), "two repetitions late"
    assert of(5, lambda b, a, c, d, e, f: [c, a, e, f, d]) == (0, 6), "two change places, three go round"

    def inner(b, a, c):
        return [c, product(b, a)]

    assert of(2, lambda b, a, c: b.repeat("steps", 4, inner, a, c)) == (1, 1), "an even number of times is back"
    assert of(2, lambda b, a, c: b.repeat("steps", 5, inner, a, c)) == (1, 2)


def test_what_is_written_out():
    """As many at each end as there are carried values and one more; in the middle one, or a cycle, for the others."""

    def of(times, carried, body):
        return repetitions(block_of(times, carried, body).nodes[0])

    assert of(12, 1, product) == [1, 1, 8, 1, 1]
    assert of(5, 1, product) == [1] * 5
    assert of(13, 2, lambda b, a, c: [c, product(b, a)]) == [1, 1, 1, 3, 3, 1, 1, 1, 1], "6 + 3 · 2 + 1"


def test_many_values_that_move_up_by_one_place() -> None:
    """(a, b, c, …) -> (b, c, …, f(a)): after n repetitions each is in its old place, computed anew; n = 90."""
    b = Builder("shift", default().operators)
    xs = [b.input(f"x{place}", (4,)) for place in range(90)]
    b.repeat("h", 10**6, lambda inner, *v: (*v[1:], inner.apply("relu", v[0])), *xs)
    (block,) = b._nodes
    assert isinstance(block, Block)
    assert cycle(block) == (90, 90)  # handed on for 90; computed from the same values again every 90
