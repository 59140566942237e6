"""Kernel calls of the backward pass: what each reads and makes, with its bytes, as in the forward pass."""

from __future__ import annotations

import inspect

import pytest
from runs import TINY, chain

import graphacct
from graphacct import Builder, KernelNames, Profile
from graphacct.errors import GraphacctError, PluginError
from graphacct.execution.kernels import ACTIVATION, BACKWARD, FORWARD, RECOMPUTE
from graphacct.execution.recorder import Expansion, Recorder
from graphacct.execution.schedule import Trace
from graphacct.execution.tape import NodeRecorder
from graphacct.footprint.activations import Activations
from graphacct.hooks.manager import default
from graphacct.training.recompute import find_policy, recompute_plan


def ran(graph, profile="torch-eager-cpu", recompute="none"):
    """A training step of a graph."""
    plugins = default()
    plan = recompute_plan(graph, find_policy(recompute, plugins.recompute_policies), plugins.operators)
    return Activations(graph, plugins.operators, plugins.profiles[profile], lambda p: p.trainable, plan)


def figures(calls):
    """Node, kernel, what it reads and what it writes, operand by operand in bytes, and how often it runs."""
    return [
        (
            call.node.name,
            call.name,
            [tensor.spec.bytes for tensor in call.operands],
            [tensor.spec.bytes for tensor in call.outputs],
            call.count,
        )
        for call in calls
    ]


def test_two_products_by_hand():
    """x (4 · 6 float32, 96 bytes) through two weights of 6 · 6 (144 bytes), and the sum as the loss.

    second: its gradient g (96) and what it saved, h (96) and the weight (144), make h's gradient (96) and the
    weight's (144). first: x needs no gradient, so that the weight was not saved: g and x make the weight's.
    """
    run = ran(chain())
    assert figures(run.backward.calls) == [
        ("loss", "gradient", [], [4], 1),
        ("second", "linear", [96, 96, 144], [96, 144], 1),
        ("first", "linear", [96, 96], [144], 1),
    ]
    calls = {call.node.name: call for call in run.backward.calls}
    assert (calls["second"].read_bytes, calls["second"].write_bytes) == (96 + 96 + 144, 96 + 144)
    assert (calls["first"].read_bytes, calls["first"].write_bytes) == (96 + 96, 144)
    assert {call.run for call in run.backward.calls} == {BACKWARD}
    assert calls["second"].operator is default().operators["linear"]
    assert calls["second"].application is None, "its work is that of the operator's gradients"
    forward = next(call for call in run.schedule.calls if call.node.name == "second")
    assert run.schedule.calls[calls["second"].position] is forward
    assert forward.run == FORWARD
    h, weight = forward.operands
    assert calls["second"].operands[1:] == (h, weight), "the same tensors as in the forward pass"


def test_gradients_that_meet_and_that_are_summed():
    """h (4 · 6, 96 bytes) is used twice, by itself and with a bias of 6 (24 bytes) added: the bias's gradient is a sum
    of 96 bytes to 24, and h's two gradients (96 each) are added in place of the first, which reads 192, writes 96."""
    b = Builder("meeting", default().operators)
    h = b.apply("linear", b.input("x", (4, 6)), b.parameter("w", (6, 6)), name="h")
    shifted = b.apply("add", h, b.parameter("bias", (6,)), name="shifted")
    graph = b.graph(b.apply("sum", b.apply("mul", shifted, h, name="product"), name="loss"))
    run = ran(graph)
    assert figures(run.backward.calls) == [
        ("loss", "gradient", [], [4], 1),
        ("product", "mul", [96, 96], [96], 1),
        ("product", "mul", [96, 96], [96], 1),
        ("shifted", "sum", [96], [24], 1),
        ("shifted", "add", [96, 96], [96], 1),
        ("h", "linear", [96, 96], [144], 1),
    ]
    added = run.backward.calls[4]
    assert (added.read_bytes, added.write_bytes) == (192, 96)
    assert added.outputs[0] is added.operands[0], "in place"


def test_what_is_run_again_is_a_call_of_the_same_kernel():
    """relu of h (96 bytes), recomputed: it reads h again and makes a new tensor of 96 bytes, which its own gradient and
    that of the second product read in place of the first."""
    b = Builder("again", default().operators)
    h = b.apply("linear", b.input("x", (4, 6)), b.parameter("w1", (6, 6)), name="first")
    r = b.apply("relu", h, name="act")
    y = b.apply("linear", r, b.parameter("w2", (6, 6)), name="second")
    run = ran(b.graph(b.apply("sum", y, name="loss")), recompute="act")
    forward = next(call for call in run.schedule.calls if call.node.name == "act")
    again = next(call for call in run.backward.calls if call.run == RECOMPUTE)
    assert figures([again]) == figures([forward]) == [("act", "relu", [96], [96], 1)]
    assert again.application is forward.application
    assert again.operands == forward.operands
    assert again.outputs[0].storage is not forward.outputs[0].storage
    gradient = next(call for call in run.backward.calls if call.node.name == "act" and call.run == BACKWARD)
    assert gradient.operands[1].storage is again.outputs[0].storage


def test_repetitions_are_counted_as_in_the_forward_pass():
    """GPT-2 of 12 layers: the backward kernel of a node runs as often as the node, however many are written out."""
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set={**TINY["gpt2"], "n_layer": 12})
    runs = {}
    for call in ran(graph).backward.calls:
        if call.name == "linear_in_out":
            runs[call.node.name] = runs.get(call.node.name, 0) + call.count
    assert runs == {f"transformer.h.*.{name}": 12 for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")}


CASES = {
    "gpt2": {"attention": "eager", "set": TINY["gpt2"]},
    "transformer-lm": {"loss": "cross_entropy", "set": TINY["transformer-lm"]},
}


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize("profile", ["torch-eager-cpu", "torch-eager-cuda", "torch-autocast-cuda"])
@pytest.mark.parametrize("model", CASES)
def test_a_kernel_reads_what_is_alive(model, profile, recompute):
    """A rule can only read what the forward pass saved and nobody has freed, or what the backward pass has made."""
    run = ran(graphacct.build(model, phase="train", seq_len=16, batch=2, **CASES[model]), profile, recompute)
    lives = {life.storage: life for life in run.backward.lives}
    saved = {use.storage for use in run.saved}
    for index, call in enumerate(run.backward.calls):
        for storage in {storage for tensor in call.operands for storage in tensor.storages}:
            what = (index, call.node.name, call.name, storage)
            if storage in lives:
                life = lives[storage]
                assert life.birth < index <= life.death, what
            elif storage.kind == ACTIVATION:
                assert storage in saved, what
                assert run.backward.releases[storage][0] >= index, what


@pytest.mark.parametrize(("protocol", "kind"), [(Expansion, Trace), (Recorder, NodeRecorder)])
def test_the_classes_fit_the_protocols(protocol, kind):
    """Each method has the protocol's signature."""
    methods = {name for name, item in vars(protocol).items() if inspect.isfunction(item) and name[0] != "_"}
    assert methods >= {"apply", "hold"}
    for name in methods:
        assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(protocol, name)), name


def test_a_kernel_with_several_outputs_is_asked_for_as_such():
    """The message says which method to call."""
    halves = Profile("odd", "Halves.", expand={"relu": lambda trace, x: trace.apply("split", x, parts=2)})
    b = Builder("odd", default().operators)
    graph = b.graph(b.apply("relu", b.input("x", (4, 6)), name="act"))
    with pytest.raises(GraphacctError, match=r"node 'act'.*'split' has 2 outputs: record it with apply_several"):
        assert Activations(graph, default().operators, halves, lambda parameter: True).schedule


def test_casts_need_the_name_of_an_operator():
    """A profile that casts says which operator does."""
    with pytest.raises(PluginError, match=r"'half' casts operands and names no operator.*names=KernelNames"):
        Profile("half", "Products in float16.", casts={"linear": "float16"})
    named = Profile("half", "Products in float16.", casts={"linear": "float16"}, names=KernelNames(cast="cast"))
    assert named.names.add == "gradient addition", "the rest have names that are no operator's"
