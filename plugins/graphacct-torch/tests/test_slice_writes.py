"""Writes through views that a gradient passes: torch's CopySlices, measured on a CPU, against the profile of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import measure_case  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import graphacct  # noqa: E402

Between = Callable[[Any, Any], Any]


class Model(nn.Module):
    """Two linear layers, and between them what a case does to twice the first one's output; `w` is a parameter."""

    def __init__(self, between: Between) -> None:
        super().__init__()
        self.between = between
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)
        self.scale = nn.Parameter(torch.ones(12))

    def forward(self, x: Any) -> Any:
        return self.b(self.between(self.a(x), self.scale))


def strided(y: Any, w: Any) -> Any:
    y[:, ::2].mul_(w[:6])
    return y


def whole(y: Any, w: Any) -> Any:
    """To autograd a view of all of a tensor is one, too."""
    z = y * 2
    z[:] = y.tanh()
    return z


def view_of_a_view(y: Any, w: Any) -> Any:
    z = y * 2
    z.view(6, 3, 4)[:, 1][:, :2].mul_(y[:, :2])
    return z


def transposed(y: Any, w: Any) -> Any:
    z = y * 2
    z.t()[:4].mul_(y.t()[:4])
    return z


def divided(y: Any, w: Any) -> Any:
    """The gradients of both factors lie beside the copies."""
    z = y * 2
    z[:3].div_(y[3:])
    return z


def from_its_output(y: Any, w: Any) -> Any:
    z = y * 2
    F.leaky_relu(z[:3], 0.1, inplace=True)
    return z


def from_its_input(y: Any, w: Any) -> Any:
    z = y * 2
    z[:3].sin_()
    return z


def raised(y: Any, w: Any) -> Any:
    z = y * 2
    z[:3].pow_(2)
    return z


def chained(y: Any, w: Any) -> Any:
    z = y * 2
    z[:, 6:].add_(y[:, 6:].tanh()).sigmoid_()
    return z


def of_another_dtype(y: Any, w: Any) -> Any:
    z = y * 2
    z[:3].copy_(y[:3].double())
    return z


def into_zeros(y: Any, w: Any) -> Any:
    """The base needs no gradient before."""
    z = torch.zeros(6, 12)
    z[:3].mul_(y[:3])
    z[3:].mul_(y[3:].tanh())
    return z


def row_by_row(y: Any, w: Any) -> Any:
    z = torch.empty(6, 12)
    for index, row in enumerate(y.unbind()):
        z[index] = torch.tanh(row)
    return z


def rows_by_index(y: Any, w: Any) -> Any:
    z = y * 2
    z[:, :6][torch.arange(3)] = y[3:, 6:]
    return z


def scattered(y: Any, w: Any) -> Any:
    z = y * 2
    z[:, :6].scatter_(1, torch.arange(6).view(6, 1).expand(6, 3), y[:, :3])
    return z


def without_bias(y: Any, w: Any) -> Any:
    """torch's `_unsafe_view` of a product is no view to autograd."""
    z = F.linear(y.view(2, 3, 12), torch.diag(w))
    return F.relu(z, inplace=True).view(6, 12)


def with_bias(y: Any, w: Any) -> Any:
    """And that of a product with a bias is one."""
    z = F.linear(y.view(2, 3, 12), torch.diag(w), w)
    return F.relu(z, inplace=True).view(6, 12)


def under_no_grad(y: Any, w: Any) -> Any:
    z = y * 2
    with torch.no_grad():
        z[:3].mul_(2)
    return z


CASES = [
    *(strided, whole, view_of_a_view, transposed, divided, from_its_output, from_its_input, raised, chained),
    *(of_another_dtype, into_zeros, row_by_row, rows_by_index, scattered, without_bias, with_bias, under_no_grad),
]


@pytest.mark.parametrize("between", CASES, ids=lambda case: case.__name__)
def test_a_step_is_the_measured_one(between: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(_: Path) -> Any:
        torch.manual_seed(0)
        return Model(between), (torch.rand(6, 12),), {}

    monkeypatch.setattr(measure_case, "made", made)
    measured = {**measure_case.saved(Path()), **measure_case.peaks(Path())}
    found = graphacct.memory(made(Path()), phase="train", loss="sum", profile="torch-eager-cpu")
    assert found.saved_activations == measured["saved_bytes"]["activation"]
    assert found.forward_peak == measured["forward_peak_bytes"]
    assert found.fresh_peak == max(measured["forward_peak_bytes"], measured["backward_peak_bytes"])


def test_one_node_of_the_backward_pass() -> None:
    """Its kernels: the copy of g, the written part's, the operator's own, the part's gradient put in its place."""
    from graphacct.execution.autograd import backward_pass
    from graphacct.execution.saved_storages import saved_uses
    from graphacct.execution.schedule import schedule
    from graphacct.hooks.manager import default

    graph = graphacct.build((Model(strided), (torch.rand(6, 12),)), phase="train", loss="sum")
    operators, profile = default().operators, default().profiles["torch-eager-cpu"]
    kernels = schedule(graph, operators, profile)
    passed = backward_pass(kernels, saved_uses(kernels), operators, profile)
    of_write = [call for call in passed.calls if call.node.name in ("written_through", "mul")]
    assert [call.name for call in of_write] == ["copy of a gradient"] * 2 + ["mul", "mul", "copy of a gradient", "sum"]
    assert not [call for call in passed.calls if call.node.name == "slice"]
