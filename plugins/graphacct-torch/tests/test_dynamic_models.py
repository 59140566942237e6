"""Models with symbols for sizes, compared with captures by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
from torch import nn
from torch.nn import functional

import graphacct
from graphacct import GraphacctError

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 99,
    "max_position_embeddings": 64,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64}
CONFIGS: dict[str, dict[str, Any]] = {
    "BertForMaskedLM": {"model_type": "bert", **SMALL},
    "GPT2LMHeadModel": {"model_type": "gpt2", "use_cache": False, **GPT2},
    "BloomForCausalLM": {"model_type": "bloom", "hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99},
    "DebertaV2ForMaskedLM": {"model_type": "deberta-v2", **SMALL},
    "AlbertForMaskedLM": {"model_type": "albert", **SMALL, "embedding_size": 16},
    "Qwen3ForCausalLM": {"model_type": "qwen3", **SMALL, "num_key_value_heads": 2, "head_dim": 8},
}
"""One that reads data of its masks (gpt2), of its ids (deberta), adds products (bloom), shares layers (albert)."""


@pytest.mark.parametrize("phase", ["forward", "train"])
@pytest.mark.parametrize("name", CONFIGS)
def test_models_of_the_transformers_library(name: str, phase: str) -> None:
    """All figures in batch and length are those of numbers."""
    transformers = pytest.importorskip("transformers")
    settings = dict(CONFIGS[name])
    module = getattr(transformers, name)(transformers.AutoConfig.for_model(settings.pop("model_type"), **settings))
    options: dict[str, Any] = {"phase": phase} | ({"loss": "sum"} if phase == "train" else {})

    def given(batch: int, length: int) -> Any:
        return (), {"input_ids": torch.zeros(batch, length, dtype=torch.long)}

    report = graphacct.account(module, inputs=given(4, 10), dynamic={"batch": 0, "length": 1}, **options)
    for batch, length in ((2, 7), (3, 24)):
        numbers = graphacct.account(module, inputs=given(batch, length), **options)
        assert report.at(batch=batch, length=length).total == numbers.total


class UNet(nn.Module):
    """One resolution less, and back: by a factor and to a size."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.out = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.down(x).relu()
        coarse = self.middle(functional.max_pool2d(fine, 2)).relu()
        up = self.up(torch.cat([functional.interpolate(coarse, scale_factor=2.0), fine], 1))
        return functional.interpolate(self.out(up), size=x.shape[-2:], mode="bilinear")


@pytest.mark.parametrize("options", [{}, {"phase": "train", "loss": "sum"}])
def test_convolutions_and_upsampling(options: dict[str, Any]) -> None:
    """They hold for any batch: which kernel of a CPU convolves, 16 images or fewer, is no condition."""
    report = graphacct.account((UNet(), (torch.zeros(4, 3, 16, 16),)), dynamic={"batch": 0}, **options)
    for batch in (2, 40):
        numbers = graphacct.account((UNet(), (torch.zeros(batch, 3, 16, 16),)), **options)
        assert report.at(batch=batch).total == numbers.total


class Masked(nn.Module):
    """Asks its mask, and how long its positions are."""

    def __init__(self, limit: bool) -> None:
        super().__init__()
        self.limit, self.layer = limit, nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.limit and torch.arange(x.shape[0]).max().item() > 100:
            raise ValueError("too long")
        return self.layer(x) if mask.all() else x


def test_branches_on_known_data() -> None:
    """Data that is known decides as it does for numbers, and the report names the line."""
    given = (torch.zeros(4, 8), torch.ones(4, dtype=torch.bool))
    report = graphacct.account((Masked(False), given), dynamic={"batch": 0})
    assert report.total["matmul_flops"] == 128 * sympy.Symbol("batch", integer=True, positive=True)
    assert report.workload["decided_by_data"].startswith("test_dynamic_models.py:")
    with pytest.raises(GraphacctError, match=r"depends on the dynamic sizes \(test_dynamic_models.py:\d+\): leave dyn"):
        graphacct.account((Masked(True), given), dynamic={"batch": 0})


class Branching(nn.Module):
    """Takes a second layer where a function says so."""

    def __init__(self, asked: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.asked, self.layer = asked, nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.layer(x)) if self.asked(x) else self.layer(x)


@pytest.mark.parametrize(
    ("asked", "conditions"),
    [
        (lambda x: x.shape[0] == 1, {"batch > 1"}),
        (lambda x: x.shape[0] >= 2, {"batch > 1"}),
        (lambda x: x.squeeze(0).dim() == 1, {"batch > 1"}),
        (lambda x: x.numel() > 4000, {"batch <= 500"}),
        (lambda x: (torch.arange(x.shape[0]) > 4000).any(), {"batch > 1", "batch <= 1024"}),
        (lambda x: torch.ones(x.shape[0], x.shape[0]).tril().all(), {"batch > 1", "batch <= 1024"}),
    ],
)
def test_figures_are_refused_where_a_branch_could_go_another_way(asked: Any, conditions: set[str]) -> None:
    """torch takes a symbol for more than 1 and says nothing; data was tried up to some size. Both are conditions."""
    report = graphacct.account((Branching(asked), (torch.ones(4, 8),)), dynamic={"batch": 0})
    assert {str(condition) for condition in report.conditions} == conditions
    for batch in (1, 2, 40, 600, 5000):
        try:
            found = report.at(batch=batch)
        except GraphacctError:
            assert batch in (1, 600, 5000)
        else:
            assert found.total == graphacct.account((Branching(asked), (torch.ones(batch, 8),))).total


def test_an_answer_that_is_another_at_a_larger_size() -> None:
    """A branch that long inputs take, and those given do not, is refused with its line."""
    module = Branching(lambda x: (torch.arange(x.shape[0]) > 512).any())
    with pytest.raises(GraphacctError, match=r"depends on the dynamic sizes \(test_dynamic_models.py:\d+\): leave dyn"):
        graphacct.account((module, (torch.ones(4, 8),)), dynamic={"batch": 0})


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.LSTM(8, 8), "lstm"), (nn.GRU(8, 8), "gru"), (nn.RNN(8, 8), "rnn_tanh")]
)
def test_recurrent_layers(layer: nn.Module, name: str) -> None:
    """torch's recurrent layers have no symbols for sizes."""
    with pytest.raises(GraphacctError, match=f"torch's {name} takes sizes for numbers.*: leave dynamic out, and ask"):
        graphacct.account((layer, (torch.zeros(5, 4, 8),)), dynamic={"batch": "input:1"})
