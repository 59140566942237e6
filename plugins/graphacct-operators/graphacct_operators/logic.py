"""Logic. Of bools and integers it is bytes and no FLOPs; a floating-point number is compared with 0 first."""

from typing import Any

from graphacct import FLOATING, OperatorError, TensorSpec, Work, operator
from graphacct_operators.gradient import nothing

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."
PAIR = "x: ..., y?: ... -> ..."
NONE = {"x": nothing, "y": nothing}


def _of_bits(*operands: TensorSpec | None) -> Work:
    """No FLOPs; a floating-point number has no bits to combine (torch refuses it too)."""
    for operand in operands:
        if operand is not None and operand.dtype in FLOATING:
            raise OperatorError(f"takes integers and bools, not {operand.dtype}: compare it with a number first")
    return Work()


@operator(BINARY, dtype="bool", gradients=NONE, preserves_layout=True)
def logical_and(batch: Any) -> Work:
    """Where both are set (not 0). 2 per element: each is compared with 0; none for bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch)


@operator(BINARY, dtype="bool", gradients=NONE, preserves_layout=True)
def logical_or(batch: Any) -> Work:
    """Where one or both are set (not 0). 2 per element: each is compared with 0; none for bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch)


@operator(BINARY, dtype="bool", gradients=NONE, preserves_layout=True)
def logical_xor(batch: Any) -> Work:
    """Where one of two is set (not 0). 2 per element: each is compared with 0; none for bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, dtype="bool", gradients={"x": nothing}, preserves_layout=True)
def logical_not(batch: Any) -> Work:
    """Where x is not set (0). 1 per element: the comparison; none for bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(PAIR, dtype="promote", gradients=NONE, preserves_layout=True)
def bitwise_and(x: TensorSpec, y: TensorSpec | None) -> Work:
    """The bits that both have; without y, with a number. No arithmetic: integer work is bytes, not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x, y)


@operator(PAIR, dtype="promote", gradients=NONE, preserves_layout=True)
def bitwise_or(x: TensorSpec, y: TensorSpec | None) -> Work:
    """The bits that one or both have; without y, with a number. No arithmetic: integer work is bytes, not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x, y)


@operator(PAIR, dtype="promote", gradients=NONE, preserves_layout=True)
def bitwise_xor(x: TensorSpec, y: TensorSpec | None) -> Work:
    """The bits that one of two has; without y, with a number. No arithmetic: integer work is bytes, not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x, y)


@operator(PAIR, dtype="promote", gradients=NONE, preserves_layout=True)
def bitwise_left_shift(x: TensorSpec, y: TensorSpec | None) -> Work:
    """The bits moved to the left: x times a power of 2; without y, by a number. No arithmetic: integer work is bytes,
    not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x, y)


@operator(PAIR, dtype="promote", gradients=NONE, preserves_layout=True)
def bitwise_right_shift(x: TensorSpec, y: TensorSpec | None) -> Work:
    """The bits moved to the right: x divided by a power of 2; without y, by a number. No arithmetic: integer work is
    bytes, not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x, y)


@operator(UNARY, gradients={"x": nothing}, preserves_layout=True)
def bitwise_not(x: TensorSpec) -> Work:
    """Each bit turned; of a bool, its opposite. No arithmetic: integer work is bytes, not FLOPs.

    Backward: none; an integer has no gradient.
    """
    return _of_bits(x)
