"""What a rule returns, and the rules of the simplest operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.errors import CaptureError

NOTHING: Mapping[str, Any] = {}
Arguments: TypeAlias = dict[str, Any]
"""All arguments of a call by the names of the operator's schema, with a TensorRecord for each tensor."""


@attrs.frozen
class Mapped:
    """What a call is in graphacct's words.

    Attributes:
        operator: The operator's name.
        operands: Its operands, in its order; one may be an operator itself, where a call is a chain here.
        attributes: Its arguments that are no tensors.
        outputs: Which of the call's results are the operator's outputs, in its order; the others are never read.
        makes: The tensors that are its outputs, where it stands for several calls: not those of the last alone.
        aside: The attribute with which it puts out other results too, for a call of which they are read.
        beside: Which of the call's results are its outputs then.
        viewed: Whether the call's results may be the operator's in another shape.
        of: What the operator's name does not say, for a node's name: `erfinv` of a pointwise operator.
    """

    operator: str
    operands: tuple[TensorRecord | Mapped, ...]
    attributes: Mapping[str, Any] = NOTHING
    outputs: tuple[int, ...] = (0,)
    makes: tuple[TensorRecord, ...] = ()
    aside: str = ""
    beside: tuple[int, ...] = (0, 1)
    viewed: bool = False
    of: str = ""


Rule: TypeAlias = Callable[[CallRecord, Arguments], Mapped | tuple[Mapped, ...]]
"""A rule: from a call and its arguments to what it is here; several operators where each makes some of the results."""


def unary(operator: str, **attributes: Any) -> Rule:
    """Returns the rule of an operator of one tensor, `self`."""
    return lambda call, a: Mapped(operator, (a["self"],), attributes)


def takes(operator: str, *operands: str, outputs: tuple[int, ...] = (0,), **attributes: Any) -> Rule:
    """Returns the rule of an operator whose operands and attributes are arguments of the call.

    `operands` are arguments' names, one of which may be left out by the call; `attributes` is each attribute's name and
    the argument that it is.
    """

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        settings = {name: plain(a[argument]) for name, argument in attributes.items()}
        settings = {name: value for name, value in settings.items() if value is not None}
        return Mapped(operator, given(*(a[name] for name in operands)), settings, outputs)

    return rule


def paired(operator: str) -> Rule:
    """Returns the rule of an operator of two tensors, or of one and a number, which is then left out."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        return Mapped(operator, tuple(value for value in (a["self"], a["other"]) if isinstance(value, TensorRecord)))

    return rule


def plain(value: Any) -> Any:
    """Returns an argument as an attribute has it: a tuple in place of a list."""
    return tuple(map(plain, value)) if isinstance(value, (list, tuple)) else value


def binary(operator: str, constant: str) -> Rule:
    """Returns the rule of an operator of two tensors; `constant` is the operator for a tensor and a number.

    An `alpha` scales the second tensor first. A number that is no integer makes a tensor of integers one of floats.
    """

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        x, y = a["self"], a["other"]
        if not isinstance(y, TensorRecord):
            both = constant == "scale" and isinstance(y, complex) and x.dtype.startswith("complex")
            return Mapped(constant, (x,), in_dtype(x, call) | ({"by_complex": True} if both else {}))
        alpha = a.get("alpha")
        second = y if alpha in (None, 1) else Mapped("scale", (y,))
        if isinstance(x, TensorRecord):
            return Mapped(operator, (x, second))
        if operator == "div":  # torch.div(2.0, y)
            return Mapped("div", (number_in(call), y))
        return Mapped("rsub" if operator == "sub" else constant, (second,), in_dtype(y, call))

    return rule


def number_in(call: CallRecord) -> Mapped:
    """Returns the tensor that torch makes of a number which stands before a tensor: it saves none of it."""
    return Mapped("constant", (), {"shape": (), "dtype": call.outputs[0].dtype})


def in_dtype(x: TensorRecord, call: CallRecord) -> dict[str, Any]:
    """Returns the attribute `dtype` where a call's result has another than x; nothing otherwise."""
    made = call.outputs[0].dtype
    return {} if x.dtype == made else {"dtype": made}


def axis(dim: int, tensor: TensorRecord) -> int:
    """Returns a dimension counted from the front."""
    return dim % max(len(tensor.shape), 1)


def given(*operands: TensorRecord | None) -> tuple[TensorRecord, ...]:
    """Returns the operands that a call was given."""
    return tuple(operand for operand in operands if operand is not None)


def in_order(call: CallRecord, names: str, **tensors: TensorRecord | None) -> tuple[TensorRecord, ...]:
    """Returns the operands that a call was given, none of which may follow one that is left out, since an operator here
    knows them by their places. Raises CaptureError, which names both."""
    left_out = ""
    for name, tensor in tensors.items():
        if tensor is None:
            left_out = left_out or name
        elif left_out:
            raise CaptureError(
                f"{call.name} in module {call.scope!r} is given {name} and no {left_out}, which {names!r} cannot say "
                f"here: give it a {left_out} too, or state the cost with graphacct_torch.cost"
            )
    return given(*tensors.values())
