"""Operations in place: the attribute `in_place=True`, which the core understands for every operator whose output is
like its first operand.

The output lies in that operand's storage. The work and the bytes that move stay; no storage is allocated. Where the
gradient needs what was overwritten, the framework copies it before (`execution/schedule.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphacct.errors import OperatorError
from graphacct.tensors import TensorSpec

IN_PLACE = "in_place"


def in_place_asked(attributes: Mapping[str, Any], operands: int) -> bool:
    """Returns whether attributes ask for an operation in place; OperatorError for what is no answer, or if there is no
    operand to overwrite."""
    value = attributes.get(IN_PLACE, False)
    if value is not True and value is not False:
        raise OperatorError(f"attribute {IN_PLACE!r} is True or False, not {value!r}")
    if value and not operands:
        raise OperatorError(f"takes no operand that {IN_PLACE}=True could overwrite")
    return value


def overwritten(x: TensorSpec, outputs: Sequence[TensorSpec], view: bool) -> tuple[TensorSpec]:
    """Returns the spec of an operator's output in the storage of its first operand `x`: shape, dtype and strides of x.

    The result is converted to x's dtype, as torch does. Raises OperatorError for an operator that makes a view or
    several outputs, and for an output of another shape.
    """
    if view or len(outputs) != 1:
        what = "makes a view, which writes nothing" if view else f"has {len(outputs)} outputs"
        raise OperatorError(f"{what}: {IN_PLACE}=True is for operators with one output like their first operand")
    if outputs[0].shape != x.shape:
        raise OperatorError(
            f"{IN_PLACE}=True: the output {outputs[0]} has another shape than the first operand {x}, whose storage it "
            "would take"
        )
    return (x,)


def plain(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the attributes that an operator itself declares: all but `in_place`."""
    if IN_PLACE not in attributes:
        return attributes
    return {name: value for name, value in attributes.items() if name != IN_PLACE}
