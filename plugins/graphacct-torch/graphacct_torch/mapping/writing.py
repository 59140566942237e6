"""Writing into a tensor that is there."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped


def copied(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("copy_into", (a["self"], a["src"]))


def filled(call: CallRecord, a: Arguments) -> Mapped:
    """A number, or random ones; a tensor that a gradient reaches is a copy."""
    value = a.get("value")
    if isinstance(value, TensorRecord) and value.index in call.graded:
        return Mapped("copy_into", (a["self"], value))
    return Mapped("fill", (a["self"],))
