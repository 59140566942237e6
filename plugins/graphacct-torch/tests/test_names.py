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
