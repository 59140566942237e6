"""Element-wise operators whose arguments need a word."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped


def gelu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("gelu" if a["approximate"] == "none" else "gelu_tanh", (a["self"],))


def power(call: CallRecord, a: Arguments) -> Mapped:
    exponent = a["exponent"]
    if exponent == 2:
        return Mapped("square", (a["self"],))
    return Mapped("pow", (a["self"],), {"exponent": exponent})


def hardtanh(call: CallRecord, a: Arguments) -> Mapped:
    six = (a["min_val"], a["max_val"]) == (0, 6)
    return Mapped("relu6" if six else "clamp", (a["self"],))


def leaky_relu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("leaky_relu", (a["self"],), {"slope": a["negative_slope"]})


def elu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("elu", (a["self"],), {"alpha": a["alpha"]})


def dropout(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("dropout", (a["input"],), {"p": a["p"]})
