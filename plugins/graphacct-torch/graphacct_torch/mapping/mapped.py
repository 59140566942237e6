"""What a rule returns, and the rules of the simplest operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from graphacct_torch.calls import CallRecord, TensorRecord

NOTHING: Mapping[str, Any] = {}
Arguments: TypeAlias = dict[str, Any]
"""All arguments of a call by the names of the operator's schema, with a TensorRecord for each tensor."""


@attrs.frozen
class Mapped:
    """What a call is in graphacct's words.

    Attributes:
        operator: The operator's name.
        operands: Its operands, in its order.
        attributes: Its arguments that are no tensors.
        outputs: Which of the call's results are the operator's outputs, in its order; the others are never read.
    """

    operator: str
    operands: tuple[TensorRecord, ...]
    attributes: Mapping[str, Any] = NOTHING
    outputs: tuple[int, ...] = (0,)


Rule: TypeAlias = Callable[[CallRecord, Arguments], Mapped]
"""A rule: from a call and its arguments to what it is here."""


def unary(operator: str, **attributes: Any) -> Rule:
    """Returns the rule of an operator of one tensor, `self`."""
    return lambda call, a: Mapped(operator, (a["self"],), attributes)


def binary(operator: str, constant: str) -> Rule:
    """Returns the rule of an operator of two tensors; `constant` is the operator for a tensor and a number."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        if isinstance(a["other"], TensorRecord):
            return Mapped(operator, (a["self"], a["other"]))
        return Mapped(constant, (a["self"],))

    return rule


def axis(dim: int, tensor: TensorRecord) -> int:
    """Returns a dimension counted from the front."""
    return dim % max(len(tensor.shape), 1)


def given(*operands: TensorRecord | None) -> tuple[TensorRecord, ...]:
    """Returns the operands that a call was given."""
    return tuple(operand for operand in operands if operand is not None)
