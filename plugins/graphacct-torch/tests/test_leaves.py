"""Variables that a module makes on the way: their gradients are in the step, and go no further."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import graphacct


class Between(nn.Module):
    """Two layers, and what comes between them."""

    def __init__(self, between: Callable[[Any], Any]) -> None:
        super().__init__()
        self.a, self.b, self.between = nn.Linear(16, 16), nn.Linear(16, 4), between

    def forward(self, x: Any) -> Any:
        return self.b(self.between(self.a(x)))


def twice(h: Any) -> Any:
    z = torch.ones(4, 16, requires_grad=True)
    return torch.relu(h * z) * z


def written(h: Any) -> Any:
    z = torch.ones(16, 4, requires_grad=True)
    with torch.no_grad():
        z.mul_(2)
    return h * z.t()


BOTH = 3 * 2 * 4 * 16 * 4 + 2 * 2 * 4 * 16 * 16  # all products but that of the first layer's input gradient
MEASURED = [
    (lambda h: h + torch.zeros(4, 16, requires_grad=True), (BOTH, 256, 768, 2136)),
    (lambda h: h + torch.zeros(16, requires_grad=True), (BOTH, 256, 576, 1752)),
    (lambda h: h * torch.randn(4, 16, requires_grad=True), (BOTH, 768, 840, 2136)),
    (lambda h: h * nn.Parameter(torch.ones(16)), (BOTH, 576, 648, 1752)),
    (lambda h: h.detach().requires_grad_(), (BOTH - 2 * 4 * 16 * 16, 256, 328, 792)),
    (twice, (BOTH, 1024, 1096, 2136)),
]
"""The step's products, saved bytes, and both peaks of a step that starts without gradients: torch 2.13 on a CPU
(`measure_case.py`)."""


def figures(model: Any, profile: str) -> tuple[int, ...]:
    report = graphacct.account(model, phase="train", loss="sum", profile=profile).total
    memory = graphacct.memory(model, phase="train", loss="sum", profile=profile)
    return report["step_matmul_flops"], report["saved_bytes"], memory.forward_peak, memory.fresh_peak


@pytest.mark.parametrize("profile", ["torch-eager-cpu", "torch-eager-cuda", "as-recorded"])
@pytest.mark.parametrize(("between", "measured"), MEASURED)
def test_a_step_is_as_measured(between: Any, measured: tuple[int, ...], profile: str) -> None:
    assert figures((Between(between), (torch.zeros(4, 16),)), profile) == measured


@pytest.mark.parametrize("between", [written, lambda h: h.view(2, 32).detach().requires_grad_().view(4, 16)])
def test_views_and_writes(between: Any) -> None:
    model = (Between(between), (torch.zeros(4, 16),))
    assert figures(model, "torch-eager-cpu") == figures(model, "as-recorded")


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(16, 16)

    def forward(self, x: Any) -> Any:
        return torch.tanh(self.a(x)) * torch.ones(4, 16, requires_grad=True)


class Layers(nn.Module):
    def __init__(self, again: bool) -> None:
        super().__init__()
        self.layers, self.again = nn.ModuleList(Scaled() for _ in range(7)), again

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if self.again else layer(x)
        return x


@pytest.mark.parametrize(
    ("again", "frozen", "measured"),
    [
        (False, False, (40960, 5120, 5384, 11464)),
        (False, True, (26624, 3328, 4096, 4360)),
        (True, False, (55296, 1536, 3840, 11464)),
    ],
)
def test_each_of_folded_layers_leaves_its_own(again: bool, frozen: bool, measured: tuple[int, ...]) -> None:
    model = (Layers(again).requires_grad_(not frozen), (torch.zeros(4, 16),))
    graph = graphacct.build(model, phase="train", loss="sum")
    assert len(list(graph.walk())) < 10
    for profile in ("torch-eager-cpu", "as-recorded"):
        assert figures(model, profile) == measured
    written_out = graphacct.memory(graph.unroll(), phase="train", profile="torch-eager-cpu")
    assert (written_out.forward_peak, written_out.fresh_peak) == measured[2:]


def test_a_forward_pass_keeps_none() -> None:
    model = (Between(MEASURED[2][0]), (torch.zeros(4, 16),))
    for profile in ("torch-eager-cpu", "as-recorded"):
        assert graphacct.memory(model, phase="forward", profile=profile).peak == 3 * 256
