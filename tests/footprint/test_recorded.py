"""The profile that reads a recording, on one made by hand: no framework is needed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import (
    Builder,
    ConfigError,
    Graph,
    Origin,
    Profile,
    RecordedCall,
    RecordedSave,
    RecordedStorage,
    Recording,
    TensorSpec,
)
from graphacct.hooks.manager import Plugins, default, load
from graphacct.reports.recorded_work import RecordedWork, recorded_work

WATCHED = Profile("watched", "As it was watched.", recorded=True)


@pytest.fixture
def watched() -> Plugins:
    """The installed plugins, and one that has the profile."""
    plugins, module = load(), ModuleType("watching")
    module.graphacct_register_profiles = graphacct.hookimpl(lambda: [WATCHED])  # type: ignore[attr-defined]
    module.graphacct_register_profiles.__name__ = "graphacct_register_profiles"
    plugins.register(module, "watching", "watching.py")
    return plugins


def storage(size: int, born: int, died: int | None, **others: Any) -> RecordedStorage:
    return RecordedStorage(size, "activation", "float32", others.pop("owner", "linear"), born, died, **others)


def recorded(training: bool, accumulated: bool) -> Recording:
    """Two forward calls; the second's result is kept. The backward pass makes 100 bytes, and 40 that stay in a step
    that starts without gradients."""
    first, second = storage(10, 0, 1), storage(20, 1, 2 if training else None, owner="relu")
    calls = [RecordedCall("linear", "fw.linear", "forward"), RecordedCall("relu", "fw.relu", "forward")]
    if not training:
        return Recording(tuple(calls), (first, second), ())
    calls.append(RecordedCall("relu", "fw.relu_backward", "backward"))
    calls.append(RecordedCall("linear", "fw.linear_backward", "backward"))
    made = storage(100, 2, 3, owner="relu")
    gradient = storage(40, 2, 3 if accumulated else None, gradient_of="linear.weight")
    saves = (RecordedSave(1, second, TensorSpec((5,)), "output", "fw.relu keeps its output"),)
    return Recording(tuple(calls), (first, second, made, gradient, RecordedStorage(7, "table", "int64", "mask")), saves)


def model(origin: bool = True) -> Graph:
    b = Builder("net", default().operators)
    x = b.input("x", (2, 3))
    graph = b.graph(b.apply("relu", b.apply("linear", x, b.parameter("linear.weight", (4, 3)), name="linear")))
    if not origin:
        return graph
    return attrs.evolve(
        graph, origin=Origin(lambda graph, training, accumulated: recorded(training, accumulated), lost)
    )


def lost(loss: str) -> Graph:
    return attrs.evolve(model(), name=f"net with {loss}")


def test_a_recording_counts_what_is_alive_after_each_call() -> None:
    found = recorded(True, True)
    assert found.live_bytes == [10, 30, 160, 140]
    assert (found.forward_calls, found.saved_bytes(), found.saved_bytes("table")) == (2, 20, 0)


def test_memory_reads_the_recording(watched: Plugins) -> None:
    found = graphacct.memory(model(), phase="train", profile="watched", plugins=watched)
    assert (found.saved_activations, found.forward_peak, found.backward_peak) == (20, 30, 160)
    assert (found.peak_at, found.peak_in, found.buffers) == ("relu", "backward", 7)
    assert [(item.node, item.bytes, item.kept_by, item.why) for item in found.live_at_peak] == [
        ("relu", 100, "", "of the backward pass, in use"),
        ("linear", 40, "", "of the backward pass, in use"),
        ("relu", 20, "relu", "fw.relu keeps its output"),
    ]
    assert [(row.node, row.operator, row.live_bytes) for row in found.timeline][2] == ("relu", "fw.relu_backward", 160)


def test_a_forward_pass_has_its_own_recording(watched: Plugins) -> None:
    found = graphacct.memory(model(), phase="forward", profile="watched", plugins=watched)
    assert (found.saved_activations, found.forward_peak, found.backward_peak) == (0, 30, 0)


def test_a_report_has_the_figures_of_each_node(watched: Plugins) -> None:
    report = graphacct.account(model(), phase="train", profile="watched", plugins=watched)
    assert (report["relu"].values["saved_bytes"], report["linear"].values["saved_bytes"]) == (20, 0)
    assert (report["linear"].values["peak_bytes"], report["linear"].values["backward_peak_bytes"]) == (10, 140)
    assert "fw.relu keeps its output" in str(graphacct.explain(report, "relu", "saved_bytes"))


def test_recorded_products_stand_beside_the_counted(watched: Plugins) -> None:
    annotated = graphacct.account(model(), phase="train", plugins=watched).annotated
    product = 2 * 2 * 3 * 4
    calls = [RecordedCall("linear", "fw.linear", "forward", product), RecordedCall("relu", "fw.mm", "backward", 5)]
    assert recorded_work(annotated, Recording(tuple(calls), (), ())) == (
        RecordedWork("linear", "forward", product, product),
        RecordedWork("linear", "backward", product, 0),
        RecordedWork("relu", "backward", 0, 5),
    )


def test_a_graph_without_an_origin_is_refused(watched: Plugins) -> None:
    with pytest.raises(ConfigError, match="'watched' shows what a module does when it runs, and 'net' has none"):
        graphacct.memory(model(origin=False), phase="train", profile="watched", plugins=watched)


def test_a_rewritten_graph_is_refused(watched: Plugins) -> None:
    with pytest.raises(ConfigError, match="not rewritten since"):
        graphacct.memory(model(), phase="train", profile="watched", lora=["2:*"], plugins=watched)


@pytest.mark.parametrize("option", [{"freeze": "linear*"}, {"recompute": "relu"}])
def test_another_step_than_the_recorded_one_is_refused(watched: Plugins, option: Any) -> None:
    with pytest.raises(ConfigError, match=f"as it is, without {next(iter(option))}="):
        graphacct.memory(model(), phase="train", profile="watched", plugins=watched, **option)


def test_a_loss_after_a_captured_module_is_its_origins() -> None:
    found = graphacct.build(model(), phase="train", loss="sum")
    assert (found.name, found.workload["loss"], found.workload["phase"]) == ("net with sum", "sum", "train")
    with pytest.raises(ConfigError, match="is a finished graph, whose sizes are fixed: it takes no loss"):
        graphacct.build(model(origin=False), phase="train", loss="sum")


def test_a_recording_is_not_compared() -> None:
    assert model() == model(origin=False)
