"""The backward pass as kernels: what is alive after each, against what torch was measured to have, to the byte."""

from __future__ import annotations

import heapq
import weakref

import pytest
from draws import examples
from each import each
from hypothesis import given
from runs import RUNS, TINY, chain, passed, scheduled, tiny
from strategies import dags

import graphacct
from graphacct import Builder, memory
from graphacct.errors import GraphacctError
from graphacct.execution.kernels import ACTIVATION
from graphacct.execution.profiles import DECLARED, Profile
from graphacct.execution.saved_storages import saved_uses
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import default

LOSSES = (("sum", "train_live_loss_sum"), ("cross_entropy", "train_live_cross_entropy"))
"""Losses, and what was measured of a step with each."""


@each("family, run, loss, key", [(*item.values, *loss) for item in RUNS for loss in LOSSES])
def test_the_peak_of_a_step_is_torchs(family, run, loss, key):
    """Every measured row, to the byte: the most alive over forward and backward, the parameters' gradients as they are
    made. A dispatch mode watched these runs, for which torch adds gradients into new tensors."""
    steps = tiny(family, run, loss)
    saved, back = passed(steps, in_place=False)
    alive = live_bytes(steps, saved, back, fresh=True)
    assert max(alive) == run[key]["total_peak_bytes"]
    assert sum(gradient.bytes for gradient in back.gradients) == run[key]["grad_bytes"]


@each("family, run", RUNS)
def test_gradients_are_added_where_the_first_one_is(family, run):
    """In a step that nobody watches a gradient that meets another takes no third tensor, and the peak is no higher."""
    steps = tiny(family, run, "sum")
    peaks = []
    for in_place in (True, False):
        saved, back = passed(steps, in_place=in_place)
        peaks.append(max(live_bytes(steps, saved, back, fresh=True)))
    assert peaks[0] <= peaks[1]


class Block:
    """A piece of memory that Python's own references keep alive."""

    def __init__(self, size):
        self.size = size


def simulate(steps, saving):
    """Live bytes by brute force: torch's engine with a queue of ready nodes, and memory that Python itself counts.

    For rules that make a new gradient of each operand, views passing theirs on.
    """
    alive = weakref.WeakSet()
    after = []

    def new(size):
        block = Block(size)
        alive.add(block)
        return block

    def sample():
        after.append(sum(block.size for block in alive))

    producer = {t: i for i, step in enumerate(steps.calls) for t in step.outputs if t.needs_grad}
    [root] = steps.outputs[:1]
    if root not in producer:
        return after
    known = {}
    nodes = {}
    for item in saving:
        if item.storage.kind == ACTIVATION:
            block = known.setdefault(item.storage, new(item.storage.bytes))
            nodes.setdefault(item.position, []).append(block)
    outputs = [t.storage for t in steps.outputs if t.storage.kind == ACTIVATION]
    held = [known.setdefault(s, new(s.bytes)) for s in outputs]
    known.clear()
    block = None  # the loop's last one
    waiting = {}
    stack, seen = [producer[root]], set()
    while stack:
        index = stack.pop()
        if index in seen:
            continue
        seen.add(index)
        for operand in steps.calls[index].operands:
            if operand in producer:
                waiting[producer[operand]] = waiting.get(producer[operand], 0) + 1
                stack.append(producer[operand])
    nodes = {index: blocks for index, blocks in nodes.items() if index in seen}
    start = new(root.spec.bytes)
    sample()
    buffers = {producer[root]: start}
    ready = [-producer[root]]
    while ready:
        index = -heapq.heappop(ready)
        step = steps.calls[index]
        g = buffers.pop(index)
        if step.application.view:
            made = [g for _ in step.operands]
        else:
            made = [new(o.spec.bytes) if o.needs_grad else None for o in step.operands]
            sample()
        del g
        nodes.pop(index, None)
        for place, operand in enumerate(step.operands):
            if operand in producer:
                target = producer[operand]
                if target in buffers:
                    total = new(operand.spec.bytes)
                    sample()
                    buffers[target] = total
                    del total
                else:
                    buffers[target] = made[place]
                waiting[target] -= 1
                if not waiting[target]:
                    heapq.heappush(ready, -target)
            made[place] = None
    assert held is not None
    return after


@examples(40)
@given(dags())
def test_a_simulator_agrees_on_random_graphs(graph):
    """Ready nodes in the engine's order and memory by reference counts: the same bytes after every kernel."""
    root = graph.outputs[0]
    graph = graphacct.Graph(graph.name, graph.inputs, graph.nodes, (root,))
    steps = scheduled(graph, DECLARED)
    saved, back = passed(steps, DECLARED, in_place=False)
    alive = live_bytes(steps, saved, back)[len(steps.calls) :]
    assert alive == simulate(steps, saved_uses(steps))


def test_two_products_by_hand():
    """The loss and its gradient, 4 bytes each, all along. second: h is there still (96), its new gradient and w2's
    (96 + 144). first: h is gone, its gradient is there and w1's is made; x needs none."""
    found = memory(chain(), profile="torch-eager-cpu")
    rows = [(row.node, row.operator, row.live_bytes) for row in found.timeline if row.run == "backward"]
    assert rows == [
        ("loss", "gradient", 4 + 4 + 96),
        ("second", "linear", 8 + 96 + 96 + 144),
        ("first", "linear", 8 + 96 + 144),
    ]
    assert found.backward_peak == 344
    assert found.fresh_peak == 8 + 96 + 144 + 144, "w2's gradient stays while w1's is made"
    assert (found.peak_at, found.peak_in) == ("second", "backward")
    assert found.total == found.parameters + found.gradients + found.optimizer_state + found.inputs + 344


def test_a_parameter_that_is_used_twice_has_two_gradients_at_once():
    """x w and then w again: the first gradient (144 bytes) waits for the second. A linear layer's weight is turned, so
    that its gradient is a view, and the sum a third tensor; stored as it is used, the first takes the sum."""
    assert _tied("linear") == [("linear", 8 + 96 + 144 + 144), ("add", 8 + 3 * 144)]
    assert _tied("linear_in_out") == [("linear_in_out", 8 + 96 + 144 + 144), ("add", 8 + 2 * 144)]


def _tied(operator):
    b = Builder("tied", default().operators)
    x = b.input("x", (4, 6))
    w = b.parameter("w", (6, 6))
    h = b.apply(operator, x, w, name="first")
    graph = b.graph(b.apply("sum", b.apply(operator, h, w, name="second"), name="loss"))
    found = memory(graph, profile="torch-eager-cpu")
    backward = [row for row in found.timeline if row.run == "backward"]
    return [(row.operator, row.live_bytes) for row in backward[2:]]


def test_what_is_run_again_is_there_again():
    """relu of h, recomputed: it is made once more before the backward pass needs it, and h alone is kept."""
    b = Builder("again", default().operators)
    x = b.input("x", (4, 6))
    h = b.apply("linear", x, b.parameter("w1", (6, 6)), name="first")
    r = b.apply("relu", h, name="act")
    y = b.apply("linear", r, b.parameter("w2", (6, 6)), name="second")
    found = memory(b.graph(b.apply("sum", y, name="loss")), recompute="act", profile="torch-eager-cpu")
    runs = [(row.node, row.run) for row in found.timeline if row.run != "forward"]
    assert runs == [
        ("loss", "backward"),
        ("second", "backward"),
        ("act", "recompute"),
        ("act", "backward"),
        ("first", "backward"),
    ]
    assert {item.why for item in found.live_at_peak} <= {
        "the recomputation starts from it",
        "the weight's gradient is gᵀ x",
        "of the backward pass, in use",
        "a parameter's new gradient",
        "an output of the model",
    }


def test_without_anything_to_train_there_is_no_backward_pass():
    """All parameters frozen: the timeline is the forward pass's."""
    found = memory(chain(), freeze=["*"])
    assert (found.backward_peak, found.peak) == (0, found.forward_peak)
    assert {row.run for row in found.timeline} == {"forward"}


def test_a_rule_that_gives_too_few_gradients():
    """The message names the node and both numbers."""
    rule = Profile("odd", "A rule that forgets the weight.", backward={"linear": lambda trace, g, x, w: g})
    steps = scheduled(chain(), rule)
    with pytest.raises(GraphacctError, match=r"node 'second'.*gives 1 gradients for 2 operands"):
        passed(steps, rule)


def test_the_nodes_peaks_in_a_report():
    """Each node has the most that is alive while its backward runs, and the model the largest of them."""
    options = {"seq_len": 16, "set": TINY["gpt2"], "profile": "torch-eager-cpu"}
    report = graphacct.account("gpt2", phase="train", **options)
    found = memory("gpt2", **options)
    assert report.total["backward_peak_bytes"] == found.backward_peak
    assert report.total["peak_bytes"] == found.forward_peak


def test_a_bias_that_is_used_twice_is_added_up_before_its_weight():
    """torch reads a linear layer's weight through a view, so that its gradient passes one more node than the bias's.

    Measured with torch 2.13 on a CPU: y = gelu(l(gelu(l(x)))), sum(head(y)), with gradients from an earlier step.
    """
    b = Builder("twice", default().operators)
    y, weight, bias = b.input("x", (4, 16)), b.parameter("l.weight", (16, 16)), b.parameter("l.bias", (16,))
    for name in ("first", "second"):
        y = b.apply("gelu", b.apply("linear", y, weight, bias, name=name), name=f"{name}.gelu")
    y = b.apply("linear", y, b.parameter("head.weight", (3, 16)), b.parameter("head.bias", (3,)), name="head")
    found = memory(b.graph(b.apply("sum", y, name="loss")), phase="train", profile="torch-eager-cpu")
    assert (found.forward_peak, found.backward_peak, found.fresh_peak) == (1076, 3080, 3348)
