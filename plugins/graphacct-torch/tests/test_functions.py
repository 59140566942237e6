"""torch.autograd.Functions: what their own code keeps and runs again, measured on a CPU, against the profile of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import measure_case  # noqa: E402
from torch import nn  # noqa: E402

import graphacct  # noqa: E402
from graphacct import Node  # noqa: E402


class KeepsAMask(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        mask = x > 0
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.saved_tensors[0], None


class KeepsItsOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        out = x.exp() * 2
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.saved_tensors[0], None


class KeepsNothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        return x.tanh() * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g, None


class RunsAgain(torch.autograd.Function):
    """As a checkpoint written by hand: gradients are recorded once more."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return torch.tanh(x @ w.t())

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = (tensor.detach().requires_grad_() for tensor in ctx.saved_tensors)
        with torch.enable_grad():
            out = torch.tanh(x @ w.t())
        return torch.autograd.grad(out, (x, w), g)


class ComputesAgain(torch.autograd.Function):
    """By its own formula."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return torch.tanh(x @ w.t())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        out = torch.tanh(x @ w.t())
        inner = g * (1 - out * out)
        return inner @ w, inner.t() @ x


class Dirty(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2, None


class OnCtx(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.s = torch.sigmoid(x)
        return x * ctx.s

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.s, None


class Model(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x: Any) -> Any:
        return self.b(self.function.apply(self.a(x), self.b.weight) * 1)


def measured(function: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def made(_: Path) -> Any:
        torch.manual_seed(0)
        return Model(function), (torch.rand(6, 12),), {}

    monkeypatch.setattr(measure_case, "made", made)
    return {**measure_case.products(Path()), **measure_case.saved(Path()), **measure_case.peaks(Path())}


def captured(function: Any) -> Any:
    return graphacct.build((Model(function), (torch.rand(6, 12),)), phase="train", loss="sum")


FUNCTIONS = [KeepsAMask, KeepsItsOutput, KeepsNothing, RunsAgain, ComputesAgain, Dirty]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_is_kept_and_run_again_is_the_measured(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known, graph = measured(function, monkeypatch), captured(function)
    memory = graphacct.memory(graph, phase="train", profile="torch-eager-cpu")
    total = graphacct.account(graph, phase="train", profile="torch-eager-cpu").total
    assert memory.saved_activations == known["saved_bytes"]["activation"]
    assert memory.forward_peak == known["forward_peak_bytes"]
    assert total["step_matmul_flops"] == known["train_matmul_flops"]
    again = [node.operator for node in graph.walk() if node.rerun is not None]
    assert again == (["linear", "tanh"] if function in (RunsAgain, ComputesAgain) else [])


def test_a_tensor_on_ctx_is_kept_though_no_hook_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = measured(OnCtx, monkeypatch)
    memory = graphacct.memory(captured(OnCtx), phase="train", profile="torch-eager-cpu")
    assert memory.forward_peak == known["forward_peak_bytes"]
    assert memory.saved_activations == known["saved_bytes"]["activation"] + 6 * 12 * 4


def test_what_a_node_keeps_is_saved_with_the_graph(tmp_path: Path) -> None:
    graph = captured(KeepsAMask)
    kept = {node.operator: node.keeps for node in graph.walk() if node.keeps is not None}
    assert kept == {"gt": (), "mul": (1,)}
    graphacct.save(graph, str(tmp_path / "net.json"))
    again = graphacct.load(str(tmp_path / "net.json"))
    assert [node.keeps for node in again.walk()] == [node.keeps for node in graph.walk()]
    assert graphacct.account(again, phase="train").total == graphacct.account(graph, phase="train").total


def test_what_runs_under_no_grad_is_no_function() -> None:
    class Still(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(12, 12)

        def forward(self, x: Any) -> Any:
            with torch.no_grad():
                angle = x.sin()
            return self.a(x * angle)

    graph = graphacct.build((Still(), (torch.rand(6, 12),)))
    assert all(node.keeps is None for node in graph.nodes if isinstance(node, Node))
