"""Sizes of inputs that are symbols: closed formulas, with the conditions that the module's code makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sympy
import torch
from torch import nn

import graphacct
from graphacct import Block, GraphacctError

B, S = (sympy.Symbol(name, integer=True, positive=True) for name in ("batch", "length"))


class Attention(nn.Module):
    """Written out, behind embeddings of positions that end at 32."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(99, 8), nn.Embedding(32, 8)
        self.inner, self.outer = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if ids.shape[1] > 32:
            raise ValueError("too long")
        x = self.embedding(ids) + self.positions(torch.arange(ids.shape[1]))
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.inner(x).chunk(3, -1))
        return self.outer(((q @ k.transpose(-1, -2) / 2).softmax(-1) @ v).transpose(1, 2).flatten(2))


def ids(batch: int, length: int) -> torch.Tensor:
    return torch.zeros(batch, length, dtype=torch.long)


def test_formulas_and_conditions() -> None:
    """The FLOPs are a formula in both, equal to those of numbers; what the code asks for is a condition."""
    module = Attention()
    report = graphacct.account((module, (ids(4, 10),)), dynamic={"batch": 0, "length": 1})
    tokens = B * S
    assert sympy.expand(report.total["matmul_flops"]) == sympy.expand(2 * tokens * (8 * 24 + 64) + 4 * tokens * S * 8)
    assert {str(condition) for condition in report.conditions} >= {"length <= 32"}
    for batch, length in ((4, 10), (2, 7), (3, 32)):
        numbers = graphacct.account((module, (ids(batch, length),)))
        for quantity in ("flops", "params", "activation_bytes"):
            given = report.total[quantity]
            found = given.subs({B: batch, S: length}) if isinstance(given, sympy.Basic) else given
            assert found == numbers.total[quantity], quantity


def test_the_conditions_of_a_second_report() -> None:
    """Operators remember what they worked out for the first one, which was under the same conditions."""
    module = Attention()
    for options in ({}, {"phase": "train", "loss": "sum"}):
        reports = [
            graphacct.account((module, (ids(4, 10),)), dynamic={"batch": 0, "length": 1}, **options) for _ in range(3)
        ]
        assert len({report.conditions for report in reports}) == 1
        assert (S > 1) in reports[2].conditions
        with pytest.raises(GraphacctError, match="the figures hold for length > 1, which length=1 is not"):
            reports[2].at(length=1)


def test_one_input_alone() -> None:
    """A symbol may be of one input, by its name."""

    class Both(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x @ y

    given = (Both(), (torch.zeros(3, 4), torch.zeros(4, 5)))
    assert graphacct.account(given, dynamic={"n": "y:1"}).total["flops"] == 2 * 3 * 4 * sympy.Symbol(
        "n", integer=True, positive=True
    )


class Encoder(nn.Module):
    """Three layers with dropout, behind buffers that are sliced and gathered from; every layer's states are outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positions", torch.arange(32).expand(1, -1))
        self.register_buffer("types", torch.zeros(1, 32, dtype=torch.long))
        self.embedding = nn.Embedding(32, 16)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(3))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        positions = self.positions[:, : x.shape[1]]
        x = x + self.embedding(torch.gather(self.types, 1, positions)) + self.embedding(positions)
        states = [x]
        for layer in self.layers:
            states.append(x := layer(x))
        return states


def test_training_steps() -> None:
    """Every figure of a step with its memory, with a loss behind the module and without."""
    module = Encoder()
    for loss in ("sum", None):
        options: dict[str, Any] = {"phase": "train", **({"loss": loss} if loss else {})}
        report = graphacct.account((module, (torch.zeros(4, 10, 16),)), dynamic={"batch": 0, "length": 1}, **options)
        for batch, length in ((4, 10), (2, 7), (3, 24)):
            numbers = graphacct.account((module, (torch.zeros(batch, length, 16),)), **options)
            assert report.at(batch=batch, length=length).total == numbers.total
    made = [
        [(node.name, node.repeat) for node in each.annotated.graph.nodes if isinstance(node, Block)]
        for each in (report, numbers)
    ]
    assert made == [[("embedding.*", 2), ("layers.*", 3)]] * 2, "an embedding called and added twice is a block too"


CONFIG = {
    "model_type": "roberta-prelayernorm",
    "architectures": ["RobertaPreLayerNormForMaskedLM"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 99,
}


def test_a_configuration_of_the_transformers_library() -> None:
    """The inputs that are made have symbols; the header names them, and no size that was made up."""
    pytest.importorskip("transformers")
    report = graphacct.account(CONFIG, dynamic={"batch": 0, "length": 1})
    assert report.workload["dynamic"] == "batch, length"
    assert "batch" not in report.workload
    for batch, length in ((1, 8), (3, 20)):
        numbers = graphacct.account(CONFIG, batch=batch, seq_len=length)
        if batch > 1:
            assert report.at(batch=batch, length=length).total == numbers.total
        else:
            with pytest.raises(GraphacctError, match="the figures hold for batch > 1, which batch=1, length=8 is not"):
                report.at(batch=batch, length=length)


def test_a_recording_is_of_numbers() -> None:
    """as-recorded has what one run did."""
    given = (Attention(), (ids(4, 10),))
    with pytest.raises(GraphacctError, match="sizes of module 'Attention' are symbols, and a recording is that of one"):
        graphacct.account(given, dynamic={"batch": 0}, phase="train", profile="as-recorded")


class Fixed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.zeros(4, 8)


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [
        (
            {"batch": 0},
            r"dynamic batch is no size .* the module's code takes it for 4 \(test_dynamic.py:\d+\)",
        ),
        ({"batch": 7}, r"dynamic batch=7 is no dimension of the inputs \(x 4x8\): give its number, as 0, or INPUT"),
        ({"batch": "y:0"}, r"dynamic batch=y:0 is no dimension of the inputs \(x 4x8\)"),
        ({"my batch": 0}, "dynamic 'my batch' is no name for a symbol"),
    ],
)
def test_refusals(dynamic: Mapping[str, Any], message: str) -> None:
    """What is wrong and the way out."""
    with pytest.raises(GraphacctError, match=message):
        graphacct.account((Fixed(), (torch.zeros(4, 8),)), dynamic=dynamic)
