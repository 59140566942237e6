"""Views that no node stands for yet: most reshapes of a module only lead into a product and out of it again.

torch runs a product of (b, s, k) as one of (b * s, k): a view before it and one after. graphacct's products take the
leading dimensions as they are, so that such views need no nodes. A view that something else reads becomes a node then.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from graphacct import Parameter, Value, prod
from graphacct_torch.calls import CallRecord


@attrs.frozen
class Reshaped:
    """A value under another shape.

    Attributes:
        base: The value.
        shape: The shape.
        call: The call that made the view.
    """

    base: Value | Parameter
    shape: tuple[Any, ...]
    call: CallRecord


@attrs.frozen
class Turned:
    """A matrix of weights whose two dimensions are swapped, as `torch.nn.Linear` reads its weight, or several.

    Attributes:
        weight: The weight as it is stored.
        call: The call that made the view.
    """

    weight: Parameter | Value
    call: CallRecord


Standing: TypeAlias = Value | Parameter | Reshaped | Turned
"""What a tensor of the capture is in the graph."""


def batched(operand: Standing, kept: int) -> tuple[Value | Parameter, tuple[Any, ...]] | None:
    """Returns the value under a reshape that only merges leading dimensions and keeps the last `kept`, with those
    leading dimensions; None for another operand."""
    if not isinstance(operand, Reshaped):
        return None
    shape = operand.base.spec.shape
    if len(shape) <= len(operand.shape) or shape[-kept:] != operand.shape[-kept:]:
        return None
    lead = shape[:-kept]
    return (operand.base, lead) if prod(lead) == prod(operand.shape[:-kept]) else None
