"""Recompute policies: which there are, what a stranger's sees and says, and what becomes of one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import RecomputePolicy, memory
from graphacct.errors import ConfigError, GraphacctError, PluginError
from graphacct.execution.kernels import ACTIVATION
from graphacct.execution.saved_storages import saved_storages, saved_uses
from graphacct.execution.schedule import schedule
from graphacct.hooks.manager import Plugins, default, load
from graphacct.training.recompute import FULL, RecomputePlan, recompute_plan

PLUGIN = """
import graphacct


@graphacct.hookimpl
def graphacct_register_recompute_policies():
    return [{}]
"""
STEP: dict[str, Any] = {"seq_len": 16, "set": {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512}}

ALL = dict.fromkeys(("first", "act", "second", "residual"), "recompute")


def policies(tmp_path: Path, source: str) -> Plugins:
    file = tmp_path / "policies.py"
    file.write_text(PLUGIN.format(source))
    return load(files=[str(file)])


def stack() -> graphacct.Graph:
    """Three layers of x + second(relu(first(x))), of 8 rows and a width of 4, and a sum."""
    b = graphacct.Builder("stack", default().operators, workload={"phase": "train"})

    def layer(b: graphacct.Builder, x: graphacct.Value) -> graphacct.Value:
        y = b.apply("linear", x, b.parameter("first.weight", (4, 4)), name="first")
        y = b.apply("linear", b.apply("relu", y, name="act"), b.parameter("second.weight", (4, 4)), name="second")
        return b.apply("add", x, y, name="residual")  # type: ignore[no-any-return]

    return b.graph(b.apply("sum", b.repeat("layers", 3, layer, b.input("x", (8, 4))), name="loss"))


def test_the_core_registers_its_own() -> None:
    """In the order in which they keep more."""
    names = list(default().recompute_policies)
    assert names[:3] == ["none", "full", "selective"]
    assert default().origin("recompute_policies", "full") == "graphacct.builtin (graphacct)"


def test_what_a_policy_sees(tmp_path: Path) -> None:
    """Each node of a layer, its operator, and its ordinal among those of the operator in the layer; nothing outside."""
    seen = []

    def asked(node: graphacct.Node, operator: graphacct.Operator | None, ordinal: int) -> str:
        seen.append((node.name, operator.name if operator else None, ordinal))
        return "keep"

    policy = RecomputePolicy("asked", "", of_node=asked)
    operators = {name: item for name, item in default().operators.items() if name != "relu"}
    assert recompute_plan(stack(), policy, operators) == RecomputePlan()
    layer = [("first", "linear", 0), ("act", None, 0), ("second", "linear", 1), ("residual", "add", 0)]
    assert seen == [(f"layers.*.{name}", operator, ordinal) for name, operator, ordinal in layer]
    seen.clear()
    assert recompute_plan(stack().unroll(), policy, operators) == RecomputePlan()
    assert seen == [(f"layers.{i}.{name}", operator, ordinal) for i in range(3) for name, operator, ordinal in layer]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # first saves x, the relu its output, which second saves too: 8 rows of 4 float32 are 128 bytes
        ({}, {"layers.*.act": 3 * 128, "layers.*.first": 2 * 128}),  # the first layer's x is the model's input
        (ALL, {"first": 2}),
        (ALL | {"first": "save"}, {"first": 2 + 3}),
        (ALL | {"act": "save"}, {"first": 2, "act": 3}),
        (
            ALL | {"second": "save"},
            {"first": 2, "second": 3},
        ),
        # a relu alone that is run again starts from what the product put out, and spares nothing: the next keeps it
        ({"act": "recompute"}, {"first": 2, "act": 3, "second": 3}),
        # nothing is run again from a saved output: the product's operand is the layer's input
        ({"first": "save"}, {"first": 2 + 3, "act": 3}),
    ],
)
def test_what_is_kept_by_hand(words: dict[str, str], expected: dict[str, int]) -> None:
    """A saved node keeps its output; what else it needs is made again, or kept where nothing makes it again."""
    policy = RecomputePolicy("x", "", of_node=lambda node, *_: words.get(node.name.rpartition(".")[2], "keep"))
    plan = recompute_plan(stack(), policy, default().operators)
    steps = schedule(
        stack(),
        default().operators,
        recompute=lambda node: node.name in plan.recompute,
        saved=lambda node: node.name in plan.saved,
    )
    found: dict[str, Any] = {}
    for use in saved_storages(saved_uses(steps)):
        if use.storage.kind == ACTIVATION:
            found[use.call.node.name] = found.get(use.call.node.name, 0) + use.bytes
    if words:
        expected = {f"layers.*.{name}": count * 128 for name, count in expected.items()}
    assert found == expected


@pytest.mark.parametrize("repeat", [1, 2, 9])
def test_layers_that_alternate_by_hand(repeat: int) -> None:
    """A block of two layers that take turns is two checkpoints a repetition: of 2 · 2 · 4 float32, 64 bytes, each layer
    but the first keeps what entered it. Without recomputation the second product of a layer keeps as much again."""
    b = graphacct.Builder("alternating", default().operators, workload={"phase": "train"})

    def layer(b: graphacct.Builder, x: graphacct.Value) -> graphacct.Value:
        y = b.apply("linear", x, b.parameter("first.weight", (4, 4)), name="first")
        return b.apply("linear", y, b.parameter("second.weight", (4, 4)), name="second")  # type: ignore[no-any-return]

    graph = b.graph(b.repeat("layers", repeat, [layer, layer], b.input("x", (2, 2, 4))))
    for what in ("full", "layers.*"):
        folded, flat = memory(graph, recompute=what), memory(graph.unroll(), recompute=what)
        assert folded.saved_activations == flat.saved_activations == (2 * repeat - 1) * 64
        assert (folded.forward_peak, folded.peak, folded.total) == (flat.forward_peak, flat.peak, flat.total)
    assert memory(graph).saved_activations == (4 * repeat - 1) * 64


def test_a_layer_around_a_block() -> None:
    """Stages that are written out and have blocks in them: a stage is a layer, and all of its block's repetitions are
    one checkpoint, however many."""
    b = graphacct.Builder("stages", default().operators, workload={"phase": "train"})

    def step(b: graphacct.Builder, x: graphacct.Value) -> graphacct.Value:
        return b.apply("linear", x, b.parameter("weight", (4, 4)), name="product")  # type: ignore[no-any-return]

    x = b.input("x", (2, 2, 4))
    for index in range(2):
        with b.scope(f"stages.{index}"):
            x = b.repeat("steps", 9, step, x)
    graph = b.graph(x)
    folded, flat = memory(graph, recompute="full"), memory(graph.unroll(), recompute="full")
    assert folded.saved_activations == flat.saved_activations == 64, "what enters the second stage"
    assert (folded.forward_peak, folded.peak, folded.total) == (flat.forward_peak, flat.peak, flat.total)


def test_a_saved_node_does_not_work_again() -> None:
    """The first product of each layer runs again, 2 · 8 · 4 · 4 FLOPs; the second, whose output is kept, does not."""

    def some(node: graphacct.Node, *_: Any) -> str:
        return "save" if node.name.endswith("second") else "recompute"

    plugins = load()
    plugins.recompute_policies["some"] = RecomputePolicy("some", "", of_node=some)
    total = graphacct.account(stack(), recompute="some", plugins=plugins, convention="matmul").total
    assert total["recompute_matmul_flops"] == 3 * 2 * 8 * 4 * 4
    again = [row.node for row in memory(stack(), recompute="some", plugins=plugins).timeline if row.run == "recompute"]
    assert {name.rpartition(".")[2] for name in again} == {"first", "act"}


def test_a_policy_of_a_stranger(tmp_path: Path) -> None:
    """A few lines: a policy that says recompute of every node of a layer is `full`, but for what it is called."""
    plugins = policies(tmp_path, "graphacct.RecomputePolicy('all', 'All.', of_node=lambda *asked: 'recompute')")
    ours, full = (
        graphacct.account("gpt2", phase="train", recompute=what, plugins=plugins, **STEP) for what in ("all", "full")
    )
    assert ours.total == full.total
    assert (ours.workload["recompute"], full.workload["recompute"]) == ("all", "full")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("of_node=lambda node, operator, ordinal: 1 / 0", "operator 'layer_norm', failed: ZeroDivisionError"),
        ("of_node=lambda node, operator, ordinal: True", "returned True, which is none of keep, recompute, save"),
        ("of_node=lambda node: 'keep'", "operator 'layer_norm', failed: TypeError"),
        ("", "recompute policy 'faulty' has either of_node= or of_graph="),
    ],
)
def test_a_policy_that_fails_is_named(tmp_path: Path, source: str, message: str) -> None:
    """With the node and the operator at which it did."""
    plugins = policies(tmp_path, f"graphacct.RecomputePolicy('faulty', '', {source})")
    with pytest.raises(PluginError) as caught:
        graphacct.account("gpt2", phase="train", recompute="faulty", plugins=plugins, **STEP)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """Both plugins are named."""
    plugins = policies(tmp_path, "graphacct.RecomputePolicy('full', '', of_node=lambda *asked: 'keep')")
    with pytest.raises(
        PluginError, match=r"recompute policy 'full' is registered twice, by graphacct\.builtin .* and by"
    ):
        _ = plugins.recompute_policies


def test_nothing_to_decide_about() -> None:
    """A graph without layers is an error, not a policy without effect; an unknown word suggests policies too."""
    b = graphacct.Builder("flat", default().operators)
    y = b.apply("linear", b.input("x", (8, 4)), b.parameter("weight", (4, 4)), name="product")
    flat = b.graph(b.apply("sum", y, name="loss"))
    with pytest.raises(
        ConfigError, match="recompute op-selective decides about the nodes of layers, and 'flat' has none"
    ):
        memory(flat, recompute="op-selective")
    message = (
        "recompute full runs layers again, scopes with an index such as layers.0, and 'flat' has none: give a glob"
    )
    with pytest.raises(ConfigError, match=message):
        recompute_plan(flat, FULL, default().operators)
    with pytest.raises(GraphacctError, match="recompute 'op-selectiv' matches no node; did you mean 'op-selective'"):
        memory("gpt2", recompute="op-selectiv", **STEP)
