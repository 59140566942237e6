"""Recordings: memory as torch held it, against what was measured on real runs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from graphacct_torch.errors import CaptureError
from measured import NAMES, factory, truth
from torch import nn
from torch.utils.checkpoint import checkpoint

import graphacct
from graphacct import ConfigError, Graph
from graphacct.reports.recorded_work import recorded_work

PROFILE = "as-recorded"
OPAQUE = {"lstm"}
"""oneDNN keeps a workspace here, whose size torch's fake kernels do not know (`note` in its truth)."""


def graph(model: Any, **options: Any) -> Graph:
    return graphacct.build(model, phase="train", **options)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPAQUE])
def test_a_recorded_step_is_the_measured_one(name: str) -> None:
    found, measured = graph(factory(name), loss="sum"), truth(name)
    recording = found.origin.record(found, True, False)
    alive, forward = recording.live_bytes, recording.forward_calls
    assert {kind: recording.saved_bytes(kind) for kind in measured["saved_bytes"]} == measured["saved_bytes"]
    assert max(alive[:forward]) == measured["forward_peak_bytes"]
    assert alive[forward - 1] == measured["after_forward_bytes"]
    assert max(alive[forward:]) == measured["backward_peak_bytes"]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPAQUE])
def test_each_node_multiplies_what_torch_multiplied(name: str) -> None:
    """Forward, backward and what runs again, node by node: graphacct's gradients against the calls that ran."""
    found = graph(factory(name), loss="sum")
    annotated = graphacct.account(found, phase="train").annotated
    rows = recorded_work(annotated, found.origin.record(found, True, False))
    assert [row for row in rows if row.counted != row.recorded] == []
    assert sum(row.recorded for row in rows) == truth(name)["train_matmul_flops"]


APART = {
    "selective_scan": "torch adds gradients in place, but not while a mode watches it, as one did for the truth",
}
"""Why the peak of a step that starts without gradients differs from the one under torch-eager-cpu."""


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPAQUE])
def test_the_profile_of_a_cpu_agrees_with_what_ran(name: str) -> None:
    found = graphacct.memory(factory(name), phase="train", loss="sum", profile="torch-eager-cpu")
    measured = truth(name)
    assert found.saved_activations == measured["saved_bytes"]["activation"]
    assert found.forward_peak == measured["forward_peak_bytes"]
    most = max(measured["forward_peak_bytes"], measured["backward_peak_bytes"])
    assert (found.fresh_peak == most) == (name not in APART)


@pytest.mark.parametrize("name", ["tied_mlp", "conv_bn_inplace", "sdpa_gqa", "checkpointed"])
def test_memory_and_report_read_the_recording(name: str) -> None:
    found, measured = graph(factory(name), loss="sum"), truth(name)
    memory = graphacct.memory(found, phase="train", profile=PROFILE)
    assert memory.saved_activations == measured["saved_bytes"]["activation"]
    assert memory.forward_peak == measured["forward_peak_bytes"]
    assert memory.fresh_peak == measured["backward_peak_bytes"]
    assert sum(item.bytes for item in memory.live_at_peak) == memory.peak
    assert memory.peak_at in {node.name for node in found.walk()}
    report = graphacct.account(found, phase="train", profile=PROFILE)
    assert report.total["saved_bytes"] == memory.saved_activations
    assert report.total["backward_peak_bytes"] == memory.backward_peak


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return self.second(torch.relu(self.first(x)))


def test_gradients_that_are_there_take_the_new_ones_memory_at_once() -> None:
    found = graph((Twice(), (torch.zeros(3, 8),)))
    fresh, added = (found.origin.record(found, True, accumulated) for accumulated in (False, True))
    gradients = [storage for storage in fresh.activations if storage.gradient_of]
    assert {storage.gradient_of for storage in gradients} == {
        "first.weight",
        "first.bias",
        "second.weight",
        "second.bias",
    }
    assert all(storage.died is None for storage in gradients)
    left, stays = (sum(item.bytes for item in run.activations if item.died is None) for run in (added, fresh))
    assert (left, stays) == (3 * 4 * 4, 3 * 4 * 4 + sum(storage.bytes for storage in gradients))
    assert sum(storage.bytes for storage in added.storages if storage.kind == "gradient") == 4 * (64 + 8 + 32 + 4)


def test_the_step_of_a_module_without_a_loss_starts_at_its_outputs() -> None:
    memory = graphacct.memory((Twice(), (torch.zeros(3, 8),)), phase="train", profile=PROFILE)
    assert memory.workload["loss"] == "sum of outputs"
    assert memory.saved_activations == 3 * 8 * 4


def test_a_forward_pass_keeps_nothing() -> None:
    memory = graphacct.memory((Twice(), (torch.zeros(3, 8),)), phase="forward", profile=PROFILE)
    assert (memory.saved_activations, memory.backward_peak) == (0, 0)
    assert memory.forward_peak == 3 * 8 * 4 * 2  # relu reads what it replaces


def test_a_saved_tensor_is_explained_by_the_call_that_keeps_it() -> None:
    report = graphacct.account((Twice(), (torch.zeros(3, 8),)), phase="train", profile=PROFILE)
    assert "aten.relu.default's backward needs it: torch saved it as its output" in str(
        graphacct.explain(report, "relu", "saved_bytes")
    )


def test_frozen_parameters_have_no_gradient() -> None:
    module = Twice()
    module.first.requires_grad_(False)
    found = graph((module, (torch.zeros(3, 8),)))
    assert {parameter.name for node in found.walk() for parameter in node.parameters if parameter.frozen} == {
        "first.weight",
        "first.bias",
    }
    memory = graphacct.memory(found, phase="train", profile=PROFILE)
    assert memory.gradients == 4 * (32 + 4)


def test_a_graph_that_was_not_captured_has_no_recording() -> None:
    message = "profile 'as-recorded' shows what a module does when it runs, and 'gpt2' has none that can run"
    with pytest.raises(ConfigError, match=message):
        graphacct.memory("gpt2", phase="train", profile=PROFILE)


def test_a_rewritten_graph_has_none_either() -> None:
    with pytest.raises(ConfigError, match="not rewritten since"):
        graphacct.memory((Twice(), (torch.zeros(3, 8),)), phase="train", profile=PROFILE, lora=["2:second"])


def test_a_recording_is_of_the_module_as_it_is() -> None:
    model = (Twice(), (torch.zeros(3, 8),))
    for options in ({"freeze": "first.*"}, {"recompute": "relu"}):
        with pytest.raises(ConfigError, match=f"of the module as it is, without {next(iter(options))}="):
            graphacct.memory(model, phase="train", profile=PROFILE, **options)


def test_a_module_has_one_loss() -> None:
    with pytest.raises(ConfigError, match="loss 'mse' of module 'Twice': after a module there is 'sum'"):
        graph((Twice(), (torch.zeros(3, 8),)), loss="mse")


def test_outputs_that_carry_no_gradient_start_no_step() -> None:
    module = Twice().requires_grad_(False)
    with pytest.raises(CaptureError, match="none of the 1 outputs carries a gradient"):
        graphacct.memory((module, (torch.zeros(3, 8),)), phase="train", profile=PROFILE)


RUNS = itertools.count(1)


class Forgetful(nn.Module):
    """It does more when it runs again, by a count outside of it: its own attributes are given back after each run."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        for _ in range(next(RUNS)):
            x = self.inner(x)
        return x


def test_a_module_that_does_something_else_when_it_runs_again_is_refused() -> None:
    with pytest.raises(CaptureError, match="did not do the same when it ran again"):
        graphacct.memory((Forgetful(), (torch.zeros(3, 8),)), phase="train", profile=PROFILE)


class Holding(nn.Module):
    """Its code keeps `a` until the end, though nothing reads it after `b`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 32), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        a = self.first(x)
        b = a[:, :8] + 1
        return self.second(b * 2).neg()


def test_what_the_code_holds_lives_as_long_in_the_graph() -> None:
    found = graph((Holding(), (torch.zeros(3, 8),)))
    assert found.held == {"first": "neg", "shift": "neg"}
    peaks = {p: graphacct.memory(found, phase="train", profile=p).forward_peak for p in (PROFILE, "torch-eager-cpu")}
    assert len(set(peaks.values())) == 1


def test_a_workspace_that_nobody_knows_is_named() -> None:
    memory = graphacct.memory(factory("lstm"), phase="train", profile=PROFILE)
    assert memory.inexact == (
        "oneDNN's LSTM keeps a workspace on a CPU, whose size is unknown without data: it is in no figure",
    )
    assert "oneDNN's LSTM keeps a workspace" in " ".join(str(memory).split())


class Region(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x: Any) -> Any:
        return x + self.down(torch.nn.functional.gelu(self.up(x)))


class Checkpointed(nn.Module):
    """Pairs of layers in regions, which may be in others."""

    def __init__(self, nested: bool, reentrant: bool) -> None:
        super().__init__()
        self.nested, self.reentrant, self.first = nested, reentrant, nn.Linear(16, 16)
        self.layers, self.head = nn.ModuleList(Region() for _ in range(4)), nn.Linear(16, 3)

    def pair(self, first: int, x: Any) -> Any:
        for layer in self.layers[first : first + 2]:
            x = checkpoint(layer, x, use_reentrant=self.reentrant) if self.nested else layer(x)
        return x

    def forward(self, x: Any) -> Any:
        x = self.first(x)
        for first in (0, 2):
            x = checkpoint(self.pair, first, x, use_reentrant=self.reentrant)
        return self.head(x)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("reentrant", [False, True])
def test_what_checkpoint_runs_again_is_counted_as_torch_counts_it(nested: bool, reentrant: bool) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module, x = Checkpointed(nested, reentrant), torch.zeros(4, 16)
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    report = graphacct.account((module, (x,)), phase="train", loss="sum")
    assert report.total["step_matmul_flops"] == counter.get_total_flops()
    assert report.total["recompute_matmul_flops"] == 0


def test_the_profiles_know_checkpointed_regions() -> None:
    model = (Checkpointed(False, False), (torch.zeros(4, 16),))
    found = [graphacct.memory(model, phase="train", profile=profile) for profile in (PROFILE, "torch-eager-cpu")]
    for name in ("saved_activations", "forward_peak", "backward_peak", "fresh_peak"):
        assert getattr(found[0], name) == getattr(found[1], name)
    assert found[0].saved_activations == 3 * 4 * 16 * 4  # what enters two regions, and the head
