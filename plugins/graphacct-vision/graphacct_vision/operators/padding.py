"""Padding by what the image itself has at its edge. (Zeros and other constants: `pad` of graphacct-operators.)"""

from collections.abc import Sequence
from typing import Any

from graphacct import OperatorError, ShapeError, TensorSpec, Work, has_value, operator

SHAPE = "torch keeps the input for its shape"


def _both_sides(space: tuple[Any, ...], padding: Any) -> list[tuple[Any, Any]]:
    """Returns the padding before and after of each spatial dimension; torch lists the last one first."""
    flat = (
        list(padding) if isinstance(padding, Sequence) and not isinstance(padding, str) else [padding] * 2 * len(space)
    )
    if len(flat) != 2 * len(space):
        raise OperatorError(
            f"padding {flat} has {len(flat)} numbers; for {len(space)} spatial dimensions it has two each"
        )
    for number in flat:
        if isinstance(number, (str, float, bool)) or number is None or (type(number) is int and number < 0):
            raise OperatorError(f"padding must be whole numbers of at least 0, not {number!r}")
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    return pairs[::-1]


def _padded(b: Any, c: Any, space: tuple[Any, ...], *, padding: Any) -> tuple[Any, ...]:
    pairs = _both_sides(space, padding)
    return (b, c, *(before + size + after for size, (before, after) in zip(space, pairs, strict=True)))


def _reflected(b: Any, c: Any, space: tuple[Any, ...], *, padding: Any) -> tuple[Any, ...]:
    for axis, (size, pair) in enumerate(zip(space, _both_sides(space, padding), strict=True)):
        for number in pair:
            if has_value(size) and has_value(number) and number >= size:
                raise ShapeError(
                    f"padding {number} reflects spatial dimension {axis} of size {size}: it must be smaller"
                )
    return _padded(b, c, space, padding=padding)


def _added_back(out: TensorSpec) -> Work:
    return Work(vector_flops=out.elements)


@operator("x: b c *space -> b c *padded", infer=_reflected, saves={"x": SHAPE}, gradients={"x": _added_back})
def reflection_pad() -> Work:
    """The image with its mirror image around it, the edge itself not repeated. `padding` is torch's list: before and
    after, the last dimension first. No arithmetic.

    Backward: 1 per output element: g is added where it was read.
    """
    return Work()


@operator("x: b c *space -> b c *padded", infer=_padded, saves={"x": SHAPE}, gradients={"x": _added_back})
def replication_pad() -> Work:
    """The image with its edge repeated around it; `padding` as for reflection_pad. No arithmetic.

    Backward: 1 per output element: g is added where it was read.
    """
    return Work()
