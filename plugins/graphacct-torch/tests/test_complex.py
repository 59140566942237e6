"""Complex numbers in a captured module: their products are four real ones each, and autograd keeps what it keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import graphacct

Z = torch.randn(3, 6, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))


class Of(nn.Module):
    """A function of numbers that carry a gradient."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.run, self.scale = function, nn.Parameter(torch.ones(()))

    def forward(self, x: Any) -> Any:
        return self.run(x * self.scale)


def kept(module: nn.Module, x: torch.Tensor) -> int:
    """The bytes that autograd keeps beside the input and the parameters, each storage once."""
    outside = {tensor.untyped_storage().data_ptr() for tensor in (x, *module.parameters())}
    found: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(storage)
        if storage.data_ptr() not in outside:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x)
    return sum(found.values())


@pytest.mark.parametrize(
    ("function", "forward"),
    [
        (lambda z: z.abs(), 4),  # two squares, their sum, the root
        (lambda z: z.angle(), 1),
        (lambda z: (z * z).real, 6),
        (lambda z: (z / z).imag, 11),
        (lambda z: (z + 1j * z).abs(), 6 + 2 + 4),
        (lambda z: (z * 0.5).abs(), 2 + 4),
        (lambda z: z.exp().abs(), 5 + 4),
        (lambda z: z.log().abs(), 6 + 4),
        (lambda z: (z**2).real, 6),
        (lambda z: z.reciprocal().abs(), 6 + 4),
        (lambda z: z.tanh().real, 2),  # by rule: 1 for each part
        (lambda z: z.sgn().real, 7),
        (lambda z: z.sum(1).real, 2),
        (lambda z: z.cumsum(1).abs(), 2 + 4),
        (lambda z: torch.fft.fft(z).abs(), 5 * 3 + 4),
        (lambda z: torch.view_as_real(z), 0),
    ],
)
def test_arithmetic_of_complex_numbers(function: Any, forward: int) -> None:
    """FLOPs per number, after 2 for the product with a real scale; and the bytes that torch keeps for the step."""
    module = Of(function)
    assert graphacct.account((module, (Z,))).total["flops"] == (2 + forward) * 18
    total = graphacct.account((module, (Z,)), phase="train", loss="sum", profile="torch-eager-cpu").total
    assert total["saved_bytes"] == kept(module, Z)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: (z @ z.T).abs(),
        lambda z: torch.bmm(z[None], z.T[None]).abs(),
        lambda z: torch.einsum("bi,oi->bo", z, z).abs(),
        lambda z: nn.functional.linear(z, z, z[:, 0]).abs(),
    ],
)
def test_a_multiply_add_is_four_of_real_numbers(function: Any) -> None:
    """torch's counter sees one. (a + bi)(c + di) is four products and two sums, and adding it two more: 8 FLOPs."""
    module = Of(function)
    with FlopCounterMode(display=False) as counter:
        found = module(Z)
        forward = counter.get_total_flops()
        found.sum().backward()
        step = counter.get_total_flops()
    total = graphacct.account((module, (Z,)), phase="train", loss="sum").total
    assert (total["forward_matmul_flops"], total["step_matmul_flops"]) == (4 * forward, 4 * step)
    assert forward == 2 * 3 * 3 * 6


def test_the_step_that_torch_ran_is_counted_alike() -> None:
    """The backward work of a recording, and the operators' own gradients."""
    module = Of(lambda z: (z @ z.T).abs())
    own = graphacct.account((module, (Z,)), phase="train", loss="sum").total
    run = graphacct.account((module, (Z,)), phase="train", loss="sum", profile="as-recorded").total
    assert run["step_matmul_flops"] == own["step_matmul_flops"]


def test_a_stated_cost_is_taken_as_it_is() -> None:
    """The figures that a user states are of real numbers, whatever the operands."""
    import graphacct_torch

    double = graphacct_torch.cost(lambda z: graphacct.Work(matmul_flops=2 * z.elements))(lambda z: z * 2)
    assert graphacct.account((Of(lambda z: double(z).abs()), (Z,))).total["matmul_flops"] == 2 * 18
