"""Packed sequences, whose lengths are an input with values: products and saved bytes measured on a CPU."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

import graphacct  # noqa: E402

GATES = 3


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(6, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Any, lengths: Any) -> Any:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = self.rnn(packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        return self.out(y), last[-1]


def made() -> Any:
    return Packed(), (torch.zeros(3, 4, 6), torch.tensor([4, 2, 3]))


@pytest.mark.parametrize("profile", ["torch-eager-cpu", "as-recorded"])
def test_a_packed_gru_multiplies_and_keeps_what_torch_does(profile: str) -> None:
    """measure_case.py, torch 2.13: 3,210 FLOPs forward, 7,560 in a step, 1,780 bytes saved."""
    graph = graphacct.build(made(), phase="train", loss="sum")
    total = graphacct.account(graph, phase="train", profile=profile).total
    assert total["matmul_flops"] == 2 * (4 + 2 + 3) * GATES * 5 * (6 + 5) + 2 * 3 * 4 * 5 * 2 == 3210
    assert total["step_matmul_flops"] == 7560
    assert graphacct.memory(graph, phase="train", profile=profile).saved_activations == 1780


def test_lengths_that_only_data_has_are_refused() -> None:
    class Computed(Packed):
        def forward(self, x: Any, lengths: Any) -> Any:
            return super().forward(x, (self.out(x[..., :5]).sum((1, 2)) > 0).long() + 1)

    with pytest.raises(graphacct.GraphacctError, match="packs sequences whose lengths only data has: give the lengths"):
        graphacct.build((Computed(), made()[1]))
