"""Packed sequences: padded ones of given lengths, laid one step after the other without the padding.

How many sequences each step has is on the CPU with its values, as torch has it, so that the loops of a recurrent layer
over a packed sequence run as they do there. The lengths have to be known: an input with data, or constants.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import _VF
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import _disable_current_modes

from graphacct_torch.errors import CaptureError

PACK = torch.ops.aten._pack_padded_sequence.default


def packed(where: str, x: torch.Tensor, lengths: torch.Tensor | None, batch_first: bool) -> Any:
    """Returns the packed steps without data, and how many sequences each has; `lengths` are values, None if unknown."""
    if lengths is None:
        raise CaptureError(
            f"module {where!r} packs sequences whose lengths only data has: give the lengths as an input with values, "
            "torch.tensor([4, 2, 3])"
        )
    with _disable_current_modes(), unset_fake_temporarily():
        _, sizes = PACK(torch.empty(*x.shape[:2], 1), lengths, batch_first)
        rows = int(sizes.sum())
    return x.new_empty((rows, *x.shape[2:])), sizes


@contextlib.contextmanager
def padding() -> Iterator[None]:
    """A context in which packed sequences are padded by the operators that torch calls for it. Its own function writes
    the lengths into memory that a tensor without data lacks."""
    before = _VF._pad_packed_sequence
    _VF._pad_packed_sequence = _padded
    try:
        yield
    finally:
        _VF._pad_packed_sequence = before


def _padded(data: torch.Tensor, sizes: torch.Tensor, batch_first: bool, value: float, total: int) -> Any:
    with _disable_current_modes(), unset_fake_temporarily():
        counts = sizes.tolist()
        lengths = (sizes[None, :] > torch.arange(counts[0])[:, None]).sum(1)
    if 0 < total < len(counts):
        raise RuntimeError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total} and max sequence length being {len(counts)}"
        )
    steps = max(total, len(counts))
    out = torch.full((steps, counts[0], *data.shape[1:]), value, dtype=data.dtype, device=data.device)
    step = start = 0
    for count, alike in itertools.groupby(counts):
        more = len(list(alike))
        part = data[start : start + more * count]
        out[step : step + more, :count].copy_(part.view(more, count, *data.shape[1:]))
        step, start = step + more, start + more * count
    return (out.transpose(0, 1) if batch_first else out), lengths
