"""Inputs that need a gradient: a prompt that is learned, pixels that are optimised."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import graphacct


class Prompted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 6).requires_grad_(False)

    def forward(self, prompt: Any, x: Any) -> Any:
        return self.body(torch.cat([prompt, x], 1)) * prompt.sum()


def prompted(needed: bool = True) -> Any:
    return Prompted(), (torch.zeros(2, 3, 8, requires_grad=needed), torch.zeros(2, 5, 8))


def test_its_gradient_is_in_the_step_and_nothing_else_is() -> None:
    graph = graphacct.build(prompted(), phase="train", loss="sum")
    assert graph.trained_inputs == {"prompt"}
    total = graphacct.account(graph, phase="train").total
    assert total["input_grad_matmul_flops"] == 2 * 2 * 8 * 8 * 6  # of all that the prompt was joined with
    assert total["weight_grad_matmul_flops"] == 0
    written_out = graphacct.account(graph.unroll(), phase="train").total
    assert written_out == total


def test_its_gradient_stays_to_the_end() -> None:
    for profile in ("torch-eager-cpu", "as-recorded"):
        found = graphacct.memory(prompted(), phase="train", loss="sum", profile=profile)
        assert found.gradients == 0  # which are those of parameters
        assert sum(item.bytes for item in found.live_at_peak) == found.peak
    modelled, recorded = (
        graphacct.memory(prompted(), phase="train", loss="sum", profile=profile)
        for profile in ("torch-eager-cpu", "as-recorded")
    )
    assert (modelled.backward_peak, modelled.fresh_peak) == (recorded.backward_peak, recorded.fresh_peak)


class Optimised(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x.requires_grad_())


def test_the_module_itself_may_ask_for_one() -> None:
    x = torch.zeros(3, 8)
    graph = graphacct.build((Optimised(8, 4), (x,)), phase="train", loss="sum")
    assert graph.trained_inputs == {"x"}
    assert not x.requires_grad  # the caller's own stays as it is
    total = graphacct.account(graph, phase="train").total
    assert total["step_matmul_flops"] == 3 * (2 * 3 * 8 * 4)


def test_a_saved_graph_knows_them(tmp_path: Any) -> None:
    graph = graphacct.build(prompted(), phase="train", loss="sum")
    graphacct.save(graph, tmp_path / "prompted.json")
    read = graphacct.load(tmp_path / "prompted.json")
    assert read.trained_inputs == {"prompt"}
    assert graphacct.account(read, phase="train").total == graphacct.account(graph, phase="train").total
