"""Calls of aten operators in forms that are rare, and what is counted for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import graphacct


class Of(nn.Module):
    """A function of its inputs and a weight of 6."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.run, self.weight = function, nn.Parameter(torch.ones(6))

    def forward(self, *inputs: Any) -> Any:
        return self.run(self, *inputs)


X = torch.rand(3, 6)


def total(function: Any, *inputs: torch.Tensor, **options: Any) -> Any:
    return graphacct.account((Of(function), inputs), **options).total


def test_a_pos_weight_alone_is_no_weight() -> None:
    """10 per element, 3 for pos_weight and 1 for each of its elements; 1 per element for the sum, and the division."""

    def loss(m: Any, x: Any, y: Any) -> Any:
        return F.binary_cross_entropy_with_logits(x, y, pos_weight=m.weight.detach())

    assert total(loss, X, X)["vector_flops"] == 13 * 18 + 6 + 18 + 1


def test_statistics_without_a_weight() -> None:
    """In inference 2 per element and 4 per channel; in training 5 per element, 4 per channel and 7 to update."""
    norm = nn.BatchNorm1d(6, affine=False)
    assert graphacct.account((norm, (X,))).total["vector_flops"] == 5 * 18 + (4 + 7) * 6
    assert graphacct.account((norm.eval(), (X,))).total["vector_flops"] == 2 * 18 + 4 * 6


def test_a_bias_without_a_weight_is_refused() -> None:
    with pytest.raises(
        graphacct.GraphacctError, match="is given bias and no weight, which 'layer_norm' cannot say here"
    ):
        total(lambda m, x: F.layer_norm(x, (6,), None, m.weight), X)


def test_trilinear_in_other_forms() -> None:
    """A product of three tensors summed over the last dimension, two at a time: (3, 6) with (6,), which is a product of
    18 elements, and that with (3, 6), 2 · 18."""

    def run(m: Any, x: Any, y: Any) -> Any:
        return torch._trilinear(x, m.weight, y, [], [0], [], [1])

    found = total(run, X, X)
    assert (found["matmul_flops"], found["vector_flops"]) == (2 * 18, 18)


@pytest.mark.parametrize(
    ("shapes", "flops"),
    [
        ([(8, 16), (2, 16, 8)], 2 * 8 * 16 * 8),
        ([(16, 8), (8, 16)], 2 * 16 * 8 * 16),
        ([(2, 16, 16), (16, 8)], 2 * 16 * 16 * 8),
    ],
)
def test_grouped_products(shapes: Any, flops: int) -> None:
    """Rows, the shared dimension or columns in two groups: each element of the product is in one."""
    ends = torch.tensor([4, 8], dtype=torch.int32)
    inputs = [torch.rand(*shape) for shape in shapes]
    step = total(
        lambda m, x, y: torch._grouped_mm(x * m.weight[0], y * m.weight[1], offs=ends),
        *inputs,
        phase="train",
        loss="sum",
    )
    assert (step["forward_matmul_flops"], step["step_matmul_flops"]) == (flops, 3 * flops)


def test_questions_about_tensors_are_no_work() -> None:
    """torch asks whether shapes are alike in forward-mode derivatives."""
    found = total(lambda m, x: torch.func.jvp(torch.sin, (x,), (x,))[1], X)
    assert found["transcendentals"] == 18 * 2


def test_distributions_do_not_check_their_parameters() -> None:
    """As under `python -O`. A sample of a normal distribution: exp, the noise times it, plus the mean."""
    from torch.distributions import Distribution, Normal

    def sampled(m: Any, x: Any) -> Any:
        return Normal(x, x.exp()).rsample()

    before = Distribution._validate_args
    assert total(sampled, X)["flops"] == 3 * 18
    assert Distribution._validate_args == before
