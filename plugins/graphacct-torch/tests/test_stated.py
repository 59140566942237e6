"""Costs that a user states, and the error that says how."""

from __future__ import annotations

import pytest
import torch
from graphacct_torch import stated
from graphacct_torch.errors import UnmappedError
from graphacct_torch.stated import cost
from torch import nn

import graphacct
from graphacct import ConfigError, Work

X = torch.zeros(3, 4)


@torch.library.custom_op("odd::scan", mutates_args=())
def scan(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    raise AssertionError("runs without data")


@scan.register_fake
def _(x, w):
    return torch.empty_like(x)


scan.register_autograd(
    lambda ctx, g: (g, torch.empty_like(ctx.saved_tensors[0])),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(inputs[1]),
)


class Scanning(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return scan(x, self.weight)


@pytest.fixture(autouse=True)
def no_costs(monkeypatch):
    monkeypatch.setattr(stated, "STATED", {})


def nodes(report):
    return {record.node.name: record.cost.vector_flops for record in report.annotated.costs}


def test_an_operator_without_a_cost_is_an_error_that_brings_the_lines():
    """The lines work as they are; the error names the operator, the module and the line of code."""
    inside = nn.Sequential(nn.Linear(4, 4), Scanning())
    with pytest.raises(UnmappedError) as caught:
        graphacct.account((inside, (X,)))
    line = Scanning.forward.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        f"nothing says what odd.scan.default costs, which module '1' calls at test_stated.py:{line}; lines such as "
        "these, in the module's file or a plugin, say it:"
    )
    assert caught.value.__notes__ == ["\n" + caught.value.example]
    assert len(caught.value.example.splitlines()) <= 14
    exec(caught.value.example)
    report = graphacct.account((inside, (X,)))
    assert nodes(report) == {"0": 12, "1": 12}
    assert not report.coverage.uncosted


def test_the_cost_of_an_operator_by_name():
    @cost("odd::scan")
    def scanned(x, w, out):
        """7 per element."""
        return Work(matmul_flops=2 * w.elements, vector_flops=7 * out.elements)

    with pytest.raises(ConfigError, match=r"no cost is stated for the gradients of 'odd.scan'"):
        graphacct.account((Scanning(), (X,)), phase="train")

    @scanned.gradient
    def back(x):
        return Work(vector_flops=9 * x.elements)

    report = graphacct.account((Scanning(), (X,)), phase="train")
    assert (report.total["matmul_flops"], report.total["vector_flops"]) == (8, 7 * 12)
    assert report.total["step_flops"] == 8 + 7 * 12 + 9 * 12
    assert report.total["params"] == 4


def test_a_function_is_one_node():
    @cost(lambda x, out: Work(vector_flops=5 * out.elements), gradient=lambda x: Work(vector_flops=x.elements))
    def swish(x):
        """x times its sigmoid."""
        return x * torch.sigmoid(x)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            return swish(self.a(x)) + 1

    assert torch.equal(swish(X), X)
    assert swish.__doc__ == "x times its sigmoid."
    report = graphacct.account((Model(), (X,)), phase="train")
    assert nodes(report) == {"a": 12, "swish": 60, "shift": 12}
    assert report.total["step_flops"] == 2 * 96 + 3 * 12 + 60 + 12


def test_an_autograd_function_is_one_node():
    @cost(lambda x: Work(vector_flops=2 * x.elements), gradient=lambda x: Work(vector_flops=3 * x.elements))
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x * 2) / 4

        @staticmethod
        def backward(ctx, g):
            return g / 2

    class Model(nn.Module):
        def forward(self, x):
            return Halved.apply(x)

    report = graphacct.account((Model(), (X,)))
    assert nodes(report) == {"Halved": 24}


def test_a_function_that_needs_data_has_a_fake():
    """As one that starts a Triton kernel."""

    @cost(lambda x: Work(vector_flops=x.elements), gradient=lambda x: Work(), fake=torch.empty_like)
    def kernel(x):
        raise AssertionError("runs without data")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            return kernel(self.a(x)).sum()

    report = graphacct.account((Model(), (X,)), phase="train")
    assert nodes(report) == {"a": 12, "kernel": 12, "sum": 12}
    assert report.total["weight_grad_matmul_flops"] == 96


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda y: Work(), "the cost of odd.scan asks for 'y', which is none of its arguments: x, w, out"),
        (lambda x: 3, r"the cost of odd.scan returned 3; a formula returns graphacct.Work\(...\)"),
    ],
)
def test_a_formula_that_fits_not(formula, message):
    cost("odd.scan")(formula)
    with pytest.raises(ConfigError, match=message):
        graphacct.account((Scanning(), (X,)))


def test_a_cost_is_of_a_name_or_has_a_formula():
    with pytest.raises(ConfigError, match=r"cost\(3\): a cost is of an operator's name, or a function that returns"):
        cost(3)


def test_a_graph_with_stated_costs_is_read_without_them(tmp_path):
    cost("odd::scan")(lambda x: Work(vector_flops=7 * x.elements))
    graphacct.save(graphacct.build((Scanning(), (X,))), tmp_path / "scan.json")
    stated.STATED.clear()
    assert graphacct.account(tmp_path / "scan.json").total["vector_flops"] == 84


def test_a_fake_that_makes_no_tensor_is_refused():
    """A kernel that writes in place may return nothing: its cost would be lost without a word."""

    @cost(lambda x: Work(vector_flops=x.elements), fake=lambda x: None)
    def doubled_in_place(x):
        raise NotImplementedError("starts a kernel")

    class Doubles(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            doubled_in_place(y)
            return y

    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account((Doubles(4, 4), (torch.zeros(2, 4),)))
    assert str(error.value) == (
        "the fake of doubled_in_place, which module 'Doubles' calls, makes no tensor, so that its cost has no place: "
        "let it return new tensors (torch.empty_like), also for a kernel that writes in place"
    )


def test_a_kernel_with_a_statistic_and_numbers():
    """An autograd.Function that starts a kernel: two results, an argument that is no tensor, and its gradients."""

    @cost(
        lambda x, weight, eps: Work(vector_flops=4 * x.elements),
        gradient=lambda x, weight, eps: Work(vector_flops=9 * x.elements),
        fake=lambda x, weight, eps: (torch.empty_like(x), x.new_empty(x.shape[:-1])),
    )
    class Norm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, eps):
            raise NotImplementedError("starts a kernel")

    class Normed(nn.Linear):
        def forward(self, x):
            return Norm.apply(super().forward(x), self.bias, 1e-6)[0]

    total = graphacct.account((Normed(4, 4), (torch.zeros(2, 4),)), phase="train", loss="sum").total
    assert total["forward_flops"] == 2 * 2 * 4 * 4 + 2 * 4 + 4 * 2 * 4 + 2 * 4 + 1
    assert total["input_grad_flops"] >= 9 * 2 * 4
