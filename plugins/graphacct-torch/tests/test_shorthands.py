"""Arguments that torch writes shorter than they are."""

from __future__ import annotations

import torch
from torch import nn

import graphacct


class Short(nn.Module):
    """A convolution with one padding for both dimensions, and more repeats than dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, padding="valid")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).repeat(2, 1, 1, 1, 1)


def test_one_for_all_and_dimensions_in_front() -> None:
    """The padding is that of every dimension; the dimension in front is 1 before it is repeated."""
    graph = graphacct.build((Short(), (torch.zeros(1, 3, 9, 9),)))
    assert graph.outputs[0].spec.shape == (2, 1, 4, 7, 7)
    assert graphacct.account(graph).total["matmul_flops"] == 2 * 49 * 4 * 27
