"""Pooling."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped


def max_pool(call: CallRecord, a: Arguments) -> Mapped:
    settings = {
        "kernel": tuple(a["kernel_size"]),
        "stride": tuple(a["stride"] or a["kernel_size"]),
        "padding": tuple(a["padding"]),
        "dilation": tuple(a["dilation"]),
        "ceil_mode": a["ceil_mode"],
    }
    return Mapped("max_pool", (a["self"],), settings)


def avg_pool(call: CallRecord, a: Arguments) -> Mapped:
    settings = {
        "kernel": tuple(a["kernel_size"]),
        "stride": tuple(a["stride"] or a["kernel_size"]),
        "padding": tuple(a["padding"]),
        "ceil_mode": a["ceil_mode"],
    }
    return Mapped("avg_pool", (a["self"],), settings)


def adaptive_avg_pool(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("adaptive_avg_pool", (a["self"],), {"size": tuple(a["output_size"])})
