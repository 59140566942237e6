"""What a module computes from constants alone: its branches on them resolve, and numbers stay numbers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import graphacct  # noqa: E402


class Masked(nn.Module):
    """Branches on the mask of a batch of images, as detectors do."""

    def forward(self, x):
        mask = torch.ones(x.shape[0], *x.shape[2:], dtype=torch.bool)
        return x @ x if mask.all() else x


class Points(nn.Module):
    """Puts points between two numbers that are tensors."""

    def forward(self, x):
        low, high = torch.tensor(0.5), torch.tensor(2.0)
        return x * torch.linspace(low, high, x.shape[-1])


def test_a_branch_on_a_large_mask() -> None:
    """Of four images of 224 by 224: the branch is the one that all ones take."""
    report = graphacct.account((Masked(), (torch.empty(4, 3, 224, 224, device="meta"),)))
    assert report.total["matmul_flops"] == 2 * 4 * 3 * 224**3


def test_numbers_as_tensors() -> None:
    """The points are written."""
    report = graphacct.account((Points(), (torch.zeros(2, 12),)))
    assert report.total["matmul_flops"] == 0
    assert {row.operator for row in report.by_scope if row.operator} >= {"mul", "linspace"}


def test_a_counter_around_the_run_counts_it_once() -> None:
    """What is computed on constants beside the run is no work of the module."""

    class Rotated(nn.Module):
        def forward(self, x):
            return x + torch.ones(4, 4) @ torch.ones(4, 4)

    with FlopCounterMode(display=False) as counter:
        graphacct.build((Rotated(), (torch.zeros(4, 4),)))
    assert counter.get_total_flops() == 2 * 4**3


def test_a_list_of_numbers_that_are_tensors() -> None:
    """Lengths that the code works out and collects in a list."""

    class Parts(nn.Module):
        def forward(self, x):
            lengths = torch.ones(x.shape[0], dtype=torch.long) * 3
            ends = torch.tensor([0, *lengths.cumsum(0)])
            return [x[:, a:b] @ x[:, a:b].mT for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]

    assert graphacct.account((Parts(), (torch.zeros(2, 6, 4),))).total["matmul_flops"] == 2 * 2 * (2 * 3 * 3 * 4)


def test_a_list_of_numbers_that_only_data_has() -> None:
    """The error says which line asks."""

    class Sums(nn.Module):
        def forward(self, x):
            return torch.tensor([x.sum(), 1.0])

    with pytest.raises(graphacct.GraphacctError, match=r"'Sums' asks for a value that only data has \(test_constants"):
        graphacct.account((Sums(), (torch.empty(2, device="meta"),)))
