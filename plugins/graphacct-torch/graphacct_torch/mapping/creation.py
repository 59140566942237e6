"""Tensors that are made from sizes alone."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped


def made(call: CallRecord, a: Arguments) -> Mapped:
    """One value everywhere, or positions: what is written, and nothing else."""
    output = call.outputs[0]
    return Mapped("full", (), {"shape": output.shape, "dtype": output.dtype})
