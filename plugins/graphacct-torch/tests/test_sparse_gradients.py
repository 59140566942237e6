"""Tables whose gradients are sparse: a training step is refused, a forward pass is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import graphacct
from graphacct import GraphacctError


class Table(nn.Module):
    def __init__(self, table: nn.Module) -> None:
        super().__init__()
        self.table, self.head = table, nn.Linear(8, 4)

    def forward(self, ids: Any) -> Any:
        return self.head(self.table(ids))


TABLES = [lambda: nn.Embedding(50, 8, sparse=True), lambda: nn.EmbeddingBag(50, 8, sparse=True)]


def model(table: Any) -> Any:
    return Table(table), (torch.zeros(3, 5, dtype=torch.long),)


@pytest.mark.parametrize("profile", ["torch-eager-cpu", "torch-eager-cuda", "as-recorded"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", [graphacct.account, graphacct.memory])
def test_a_step_is_refused(verb: Any, table: Any, profile: str) -> None:
    with pytest.raises(GraphacctError, match=r"node 'table.*: the gradient of its weight is sparse, .*sparse=False"):
        verb(model(table()), phase="train", loss="sum", profile=profile)


@pytest.mark.parametrize("table", TABLES)
def test_a_forward_pass_and_a_frozen_table_are_counted(table: Any) -> None:
    dense = table()
    dense.sparse = False
    assert graphacct.account(model(table())).total == graphacct.account(model(dense)).total
    steps = [
        graphacct.account(model(made.requires_grad_(False)), phase="train", loss="sum").total
        for made in (table(), dense)
    ]
    assert steps[0] == steps[1]
