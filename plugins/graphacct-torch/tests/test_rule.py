"""What is costed by rule, and what the coverage says of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import graphacct

X = torch.zeros(3, 4)


class Runs(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.run = function

    def forward(self, x):
        return self.run(x)


def account(function, x=X, **options):
    return graphacct.account((Runs(function), (x,)), **options)


def test_element_wise_operators_without_a_line_are_counted_by_rule_and_named():
    report = account(lambda x: torch.special.i0e(torch.i0(torch.i0(x))))
    assert report.total["vector_flops"] == 3 * 12
    assert report.coverage.by_rule == (("aten.i0", 2), ("aten.special_i0e", 1))
    assert "costed by rule: 2 of aten.i0, 1 of aten.special_i0e" in str(report)
    by_rule = [{"of": "aten.i0", "times": 2}, {"of": "aten.special_i0e", "times": 1}]
    assert report.to_dict()["coverage"]["by_rule"] == by_rule


def test_composed_operators_have_a_factor_of_their_own():
    assert account(lambda x: torch.sinc(x)).total["vector_flops"] == 3 * 12


def test_gradients_by_rule():
    total = account(lambda x: torch.i0(x), x=torch.zeros(3, 4), phase="train").total
    assert total["input_grad_flops"] == 0  # nothing is trained
    module = nn.Sequential(nn.Linear(4, 4), Runs(torch.i0))
    assert graphacct.account((module, (X,)), phase="train").total["input_grad_flops"] == 2 * 12


@pytest.mark.parametrize(
    ("function", "bytes_read"),
    [(lambda x: torch.rot90(x), 48), (lambda x: x.view(torch.int32), 0), (lambda x: x.diagonal_scatter(x[:, 0]), 60)],
)
def test_what_moves_elements_has_bytes_and_no_flops(function, bytes_read):
    total = account(function).total
    assert (total["flops"], total["read_bytes"]) == (0, bytes_read)


def test_integer_work_is_no_flops():
    ids = torch.zeros(3, 4, dtype=torch.int64)
    report = account(lambda x: (torch.gcd(x, x + 3) * 2 // 3).cumsum(0), x=ids)
    assert report.total["flops"] == 0
    assert account(lambda x: x * 0.5, x=ids).total["vector_flops"] == 12


def test_a_graph_costed_by_rule_is_read_without_torch(tmp_path):
    graphacct.save(graphacct.build((Runs(torch.i0), (X,))), tmp_path / "rule.json")
    assert graphacct.account(tmp_path / "rule.json").coverage.by_rule == (("aten.i0", 1),)
