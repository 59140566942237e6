"""Tensors that are made from sizes alone."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped


def made(call: CallRecord, a: Arguments) -> Mapped:
    """One value everywhere, or positions: what is written, and nothing else."""
    output = call.outputs[0]
    return Mapped("full", (), {"shape": output.shape, "dtype": output.dtype})


def drawn(call: CallRecord, a: Arguments) -> Mapped:
    """Random numbers."""
    output = call.outputs[0]
    return Mapped("random", (), {"shape": output.shape, "dtype": output.dtype})


def evenly(call: CallRecord, a: Arguments) -> Mapped:
    output = call.outputs[0]
    return Mapped("linspace", (), {"n": output.shape[0], "dtype": output.dtype})


def identity(call: CallRecord, a: Arguments) -> Mapped:
    output = call.outputs[0]
    return Mapped("eye", (), {"n": output.shape[0], "m": output.shape[1], "dtype": output.dtype})
