"""Names: those of modules stay, whatever the inputs are called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import graphacct


class Clashing(nn.Module):
    """A module whose parts have the names of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Linear(4, 4)
        self.mask = nn.Linear(4, 4)

    def forward(self, input: torch.Tensor, mask: torch.Tensor, add: torch.Tensor, *others: Any) -> torch.Tensor:
        return self.mask(self.input(input)) + mask + add + sum(others)


def _names(*args: Any, **kwargs: Any) -> tuple[list[str], list[str]]:
    graph = graphacct.build((Clashing(), args, kwargs))
    return [value.name for value in graph.inputs], [node.name for node in graph.nodes]


@pytest.mark.parametrize("given", [0, 1, 3])
def test_a_part_keeps_the_name_that_an_input_has_too(given: int) -> None:
    """`input` and `mask` are linear layers, as in the state_dict; the inputs of these names are numbered."""
    x = torch.zeros(2, 4)
    args = [x, x.clone(), x.clone()]
    named = dict(zip(("input", "mask", "add")[given:], args[given:], strict=True))
    inputs, nodes = _names(*args[:given], **named)
    assert inputs == ["input_2", "mask_2", "add"]
    assert nodes[:2] == ["input", "mask"]
    assert nodes[2:4] == ["add_2", "add_3"]  # the operator of this name comes second


def test_positional_inputs_have_the_names_of_arguments() -> None:
    """What forward takes as `*others` has that name and a number."""
    args = [torch.zeros(2, 4) for _ in range(5)]
    assert _names(*args)[0] == ["input_2", "mask_2", "add", "others_0", "others_1"]
    assert [value.name for value in graphacct.build((nn.Linear(4, 4), (args[0],))).inputs] == ["input"]


class Aliased(nn.Module):
    """One layer three times in a list, one under two names, one activation in every layer, and a table of the whole
    model that a part has as well."""

    def __init__(self) -> None:
        super().__init__()
        same, act, self.table = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.GELU(), nn.Embedding(7, 4)
        self.same = nn.ModuleList([same, same, same])
        self.first = self.second = nn.Linear(4, 4)
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), act) for _ in range(3))
        self.reader = nn.Module()
        self.reader.embed = self.table

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.reader.embed(tokens)
        for layer in (*self.same, self.first, self.second, *self.layers):
            x = layer(x)
        return x


def test_a_module_of_several_names_runs_under_each() -> None:
    """Nothing is stored beside what runs; names are tied as in the state_dict; parameters count once. A module whose
    names are in different places keeps its first."""
    module = Aliased()
    graph = graphacct.build((module, (torch.zeros(2, 3, dtype=torch.long),)))
    flat = graph.unroll()
    assert graph.fold() == graph
    assert [node.name for node in flat.nodes if node.operator != "resident"] == [
        "table",
        *(f"same.{index}.{part}" for index in range(3) for part in range(2)),
        "first",
        "second",
        *(f"layers.{index}.{part}" for index in range(3) for part in range(2)),
    ]
    assert [node.name for node in flat.nodes if node.operator == "resident"] == ["reader.embed.stored"]
    tied = {p.name: p.tied_to for node in flat.nodes for p in node.parameters if p.name.endswith("weight")}
    assert tied.keys() == {name for name in module.state_dict() if name.endswith("weight")}
    assert {name: first for name, first in tied.items() if first} == {
        "same.1.0.weight": "same.0.0.weight",
        "same.2.0.weight": "same.0.0.weight",
        "second.weight": "first.weight",
        "reader.embed.weight": "table.weight",
    }
    assert graphacct.account(graph).total["params"] == sum(p.numel() for p in module.parameters())


def test_a_module_of_two_names_that_runs_more_often_takes_them_in_turn() -> None:
    """Torch does not say under which name code takes a module."""

    class Often(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.second = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(self.second(self.first(x))))

    graph = graphacct.build((Often(), (torch.zeros(2, 4),))).unroll()
    assert [node.name for node in graph.nodes] == ["first.0", "second.0", "first.1", "second.1"]
    assert graphacct.account(graph).total["params"] == 20
