"""Element-wise operators whose arguments need a word."""

from __future__ import annotations

from typing import Any

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, given, in_dtype, number_in


def gelu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("gelu" if a["approximate"] == "none" else "gelu_tanh", (a["self"],))


def power(call: CallRecord, a: Arguments) -> Mapped:
    exponent = a["exponent"]
    if exponent == 2 and a["self"].dtype == call.outputs[0].dtype:
        return Mapped("square", (a["self"],))
    return Mapped("pow", (a["self"],), {"exponent": exponent} | in_dtype(a["self"], call))


def power_of_number(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("pow_of_number", (a["exponent"],), in_dtype(a["exponent"], call))


def subtracted_from(call: CallRecord, a: Arguments) -> Mapped:
    """`rsub`: the second minus the first."""
    x, y = a["self"], a["other"]
    if isinstance(y, TensorRecord):
        return Mapped("sub", (y, x))
    return Mapped("rsub", (x,), in_dtype(x, call))


def divided(call: CallRecord, a: Arguments) -> Mapped:
    """A division that may round: to the floor, which is an operator of its own, or towards 0."""
    x, y, mode = a["self"], a["other"], a["rounding_mode"]
    pair: tuple[Any, ...] = tuple(value for value in (x, y) if isinstance(value, TensorRecord))
    if mode == "floor":
        return Mapped("floor_divide", pair)
    if mode == "trunc" and call.outputs[0].dtype.startswith(("int", "uint")):
        return Mapped("floor_divide", pair, of="trunc")  # one division of integers, however it rounds
    if not isinstance(x, TensorRecord):  # torch.div(2.0, y)
        pair = (number_in(call), y)
    quotient = Mapped("div", pair) if len(pair) == 2 else Mapped("scale", pair, in_dtype(x, call))
    return quotient if mode is None else Mapped("trunc", (quotient,))


def clamped(call: CallRecord, a: Arguments) -> Mapped:
    """Between tensors; a bound that is left out has no operand."""
    low, high = a.get("min"), a.get("max")
    if low is None or high is None:
        return Mapped("maximum" if high is None else "minimum", given(a["self"], low, high))
    return Mapped("clamp_tensor", (a["self"], low, high))


def interpolated(call: CallRecord, a: Arguments) -> Mapped:
    weight = a["weight"] if isinstance(a["weight"], TensorRecord) else None
    return Mapped("lerp", given(a["self"], a["end"], weight))


def drawn(call: CallRecord, a: Arguments) -> Mapped:
    """Random numbers in the shape of a tensor."""
    return Mapped("random_like", (a["self"],), in_dtype(a["self"], call))


def hardtanh(call: CallRecord, a: Arguments) -> Mapped:
    six = (a["min_val"], a["max_val"]) == (0, 6)
    return Mapped("relu6" if six else "clamp", (a["self"],))


def leaky_relu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("leaky_relu", (a["self"],), {"slope": a["negative_slope"]})


def elu(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("elu", (a["self"],), {"alpha": a["alpha"]})


def dropout(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("dropout", (a["input"],), {"p": a["p"]})
