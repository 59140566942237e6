"""Live bytes over the schedule, against what torch was measured to have alive, to the byte."""

import pytest
import strategies
from draws import examples
from each import each
from hypothesis import given
from hypothesis import strategies as st
from runs import RUNS, TINY, scheduled, tiny
from strategies import dags

import graphacct
from graphacct.execution.kernels import ACTIVATION, PREEXISTING
from graphacct.execution.saved_storages import saved_bytes, saved_storages, saved_uses
from graphacct.footprint.liveness import live_bytes

LOSSES = (("sum", "train_live_loss_sum"), ("cross_entropy", "train_live_cross_entropy"))
"""Losses, and what was measured of a step with each."""


def training(steps):
    """Live bytes after each step of a forward pass that keeps what the backward pass needs."""
    return live_bytes(steps, saved_storages(saved_uses(steps)))


@each("family, run, loss, key", [(*item.values, *loss) for item in RUNS for loss in LOSSES])
def test_the_forward_peak_of_training_is_torchs(family, run, loss, key):
    """The largest sum of live storages in a training step's forward pass, float32 on a CPU, to the byte."""
    assert max(training(tiny(family, run, loss))) == run[key]["forward_peak_bytes"]


WITHOUT_GRADIENTS = [item for item in RUNS if "no_grad_forward" in item.values[1]]


@each("family, run", WITHOUT_GRADIENTS)
def test_the_peak_without_gradients_is_torchs(family, run):
    """The same without gradients, where Python's variables decide what is alive: the loop still has a layer's input
    while the layer runs, attention has q, k and v until it returns."""
    overrides = dict(TINY[family])
    attention = "eager" if run["attn"] == "eager" else "fused"
    graph = graphacct.build(family, batch=run["batch"], seq_len=run["seq"], attention=attention, set=overrides)
    assert max(live_bytes(scheduled(graph, trained=lambda parameter: False))) == run["no_grad_forward"]["peak_bytes"]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("phase", ["forward", "train"])
def test_folded_equals_unrolled(depth, phase):
    """The peak and the end are those of the model written out, however many layers one repetition stands for."""
    graph = graphacct.build("gpt2", phase=phase, seq_len=16, batch=2, set={**TINY["gpt2"], "n_layer": depth})
    found = []
    for form in (graph, graph.unroll()):
        steps = scheduled(form)
        alive = training(steps) if phase == "train" else live_bytes(steps)
        found.append((max(alive), alive[-1]))
    assert found[0] == found[1]


def simulate(steps, saved):
    """Live bytes by brute force: after each step, the storages that some later step reads, that leave the graph, that
    are kept, or that the step itself touched; from the start those that an earlier step left."""
    always = {tensor.storage for tensor in steps.outputs} | {item.storage for item in saved}
    alive = []
    every = [tensor.storage for step in steps.calls for tensor in step.outputs]
    made = {storage for storage in every if storage.kind == PREEXISTING}
    for position, step in enumerate(steps.calls):
        touched = [tensor.storage for tensor in (*step.operands, *step.outputs)]
        own = [item.storage for item in saved if item.position == position]
        made |= {storage for storage in (*touched, *own) if storage.kind == ACTIVATION}
        later = [tensor for rest in steps.calls[position + 1 :] for tensor in (*rest.operands, *rest.outputs)]
        needed = {tensor.storage for tensor in later} | always | set(touched)
        alive.append(sum(storage.bytes for storage in made & needed))
    return alive


@given(dags(), st.booleans())
def test_a_simulator_agrees_on_random_graphs(graph, train):
    """On random DAGs the analysis by first and last use equals a simulation that looks at every later step."""
    steps = scheduled(graph, "declared", trained=lambda parameter: train)
    saved = saved_storages(saved_uses(steps)) if train else []
    assert live_bytes(steps, saved) == simulate(steps, saved)


@examples(30)
@given(strategies.graphs(), st.booleans())
def test_folded_equals_unrolled_for_any_graph(graph, train):
    """Saved and peak bytes of random graphs: nested blocks, constants, several carries, results stacked up."""
    found = []
    for form in (graph, graph.unroll()):
        steps = scheduled(form, trained=lambda parameter: train)
        found.append((saved_bytes(steps), max(training(steps), default=0)))
    assert found[0] == found[1]


def test_symbols_give_a_formula():
    """With a symbol for the depth, what is alive at the end of a training step's forward pass is linear in it."""
    sympy = pytest.importorskip("sympy")
    layers = sympy.Symbol("L", integer=True, positive=True)
    alive = training(scheduled("gpt2", seq_len=16, set={**TINY["gpt2"], "n_layer": layers}))[-1]
    deep = training(scheduled("gpt2", seq_len=16, set={**TINY["gpt2"], "n_layer": 20}))[-1]
    assert sympy.degree(alive, layers) == 1
    assert alive.subs(layers, 20) == deep
