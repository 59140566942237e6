"""Packed sequences, whose lengths are an input with values: products and saved bytes measured on a CPU."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

import graphacct  # noqa: E402


class Packed(nn.Module):
    def __init__(self, kind: type[nn.RNNBase] = nn.GRU) -> None:
        super().__init__()
        self.rnn, self.out = kind(6, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Any, lengths: Any) -> Any:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = self.rnn(packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        return self.out(y), (last[0] if isinstance(last, tuple) else last)[-1]


def made(kind: type[nn.RNNBase] = nn.GRU) -> Any:
    return Packed(kind), (torch.zeros(3, 4, 6), torch.tensor([4, 2, 3]))


@pytest.mark.parametrize("profile", ["torch-eager-cpu", "as-recorded"])
@pytest.mark.parametrize(
    ("kind", "gates", "forward", "step", "saved"), [(nn.GRU, 3, 3210, 7560, 1780), (nn.LSTM, 4, 4200, 9840, 1820)]
)
def test_packed_layers_multiply_and_keep_what_torch_does(
    profile: str, kind: type[nn.RNNBase], gates: int, forward: int, step: int, saved: int
) -> None:
    """FLOPs of the forward pass and of a step, and bytes saved, as measure_case.py has them with torch 2.13."""
    graph = graphacct.build(made(kind), phase="train", loss="sum")
    total = graphacct.account(graph, phase="train", profile=profile).total
    assert total["matmul_flops"] == 2 * (4 + 2 + 3) * gates * 5 * (6 + 5) + 2 * 3 * 4 * 5 * 2 == forward
    assert total["step_matmul_flops"] == step
    assert graphacct.memory(graph, phase="train", profile=profile).saved_activations == saved


@pytest.mark.parametrize(
    ("kind", "profile", "forward", "step"),
    [
        (nn.GRU, "torch-eager-cpu", 2396, 3012),
        (nn.GRU, "as-recorded", 2428, 3332),
        (nn.LSTM, "torch-eager-cpu", 2696, 3592),
        (nn.LSTM, "as-recorded", 2728, 4052),
    ],
)
def test_peaks_that_the_page_states(kind: type[nn.RNNBase], profile: str, forward: int, step: int) -> None:
    """torch's own are 2,396 and 3,332 bytes for the GRU, 2,696 and 4,052 for the LSTM: docs/pytorch.md says so."""
    memory = graphacct.memory(made(kind), phase="train", loss="sum", profile=profile)
    assert (memory.forward_peak, memory.fresh_peak) == (forward, step)


def test_lengths_that_only_data_has_are_refused() -> None:
    class Computed(Packed):
        def forward(self, x: Any, lengths: Any) -> Any:
            return super().forward(x, (self.out(x[..., :5]).sum((1, 2)) > 0).long() + 1)

    with pytest.raises(graphacct.GraphacctError, match="packs sequences whose lengths only data has: give the lengths"):
        graphacct.build((Computed(), made()[1]))
