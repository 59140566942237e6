"""Rows and elements by index."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, axis


def embedding(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("embedding", (a["indices"], a["weight"]))


def gathered(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("gather", (a["self"], a["index"]), {"dim": axis(a["dim"], a["self"])})


def index_selected(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("index_select", (a["self"], a["index"]), {"dim": axis(a["dim"], a["self"])})


def masked(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("masked_fill", (a["self"], a["mask"]))


def chosen(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("where", (a["condition"], a["self"], a["other"]))
