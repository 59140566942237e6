"""Pooling over 1 to 3 spatial dimensions: windows of fixed size, of adapted size, or the whole image.

A reduction over a window of n positions counts n, positions in the padding included, as convolutions count them. With
`ceil_mode` a window may be larger than the padded image, and sees as many positions as that has.
`kernel`, `stride`, `padding`, `dilation` and `size` are one number for all spatial dimensions, or one for each.
"""

from collections.abc import Sequence
from math import gcd
from typing import Any

from graphacct_operators.strides import in_layout

from graphacct import (
    OperatorError,
    Saved,
    ShapeError,
    TensorSpec,
    Work,
    ceil_div,
    floor_div,
    has_value,
    minimum,
    operator,
    prod,
)

MOST_SPATIAL = 3
SHAPE = "torch keeps the input for its shape"


def check_rank(space: tuple[Any, ...], does: str = "pools") -> int:
    """Returns the number of spatial dimensions. Raises ShapeError unless it is 1 to 3; `does` is the message's verb."""
    if not 1 <= len(space) <= MOST_SPATIAL:
        raise ShapeError(f"{does} 1 to {MOST_SPATIAL} spatial dimensions; after batch and channels x has {list(space)}")
    return len(space)


def per_axis(value: Any, rank: int, what: str, least: int = 1) -> tuple[Any, ...]:
    """Returns an attribute as one number for each of `rank` spatial dimensions. Raises OperatorError if it does not
    fit."""
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * rank
    if len(given) != rank:
        raise OperatorError(f"{what} {list(given)} has {len(given)} numbers for {rank} spatial dimensions")
    for number in given:
        if isinstance(number, (str, float, bool)) or number is None or (isinstance(number, int) and number < least):
            raise OperatorError(f"{what} must be a whole number of at least {least}, not {number!r}")
    return given


def windows(
    space: tuple[Any, ...], kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Any, ...]:
    """Returns how many windows fit along each spatial dimension (torch's rule).

    Raises ShapeError if no window fits, or if the padding is more than half the kernel, so that a window could see only
    padding.
    """
    rank = check_rank(space)
    sizes = zip(
        space,
        per_axis(kernel, rank, "kernel"),
        per_axis(kernel if stride is None else stride, rank, "stride"),
        per_axis(padding, rank, "padding", 0),
        per_axis(dilation, rank, "dilation"),
        strict=True,
    )
    return tuple(_along(axis, *figures, ceil_mode) for axis, figures in enumerate(sizes))


def _along(axis: int, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    if has_value(kernel) and has_value(padding) and 2 * padding > kernel:
        raise ShapeError(f"padding {padding} is more than half of kernel {kernel} in spatial dimension {axis}")
    span = dilation * (kernel - 1) + 1
    room = size + 2 * padding - span
    ceiled = minimum(ceil_div(room, stride) + 1, ceil_div(size + padding, stride)) if ceil_mode else None
    if has_value(room) and room < 0 and not (has_value(ceiled) and ceiled > 0):
        raise ShapeError(
            f"spatial dimension {axis} of size {size} with padding {padding} is smaller than the window, which spans "
            f"{span}: use a larger image or a smaller kernel"
        )
    # With ceil_mode a window that overhangs the end counts unless it starts in the padding there.
    return floor_div(room, stride) + 1 if ceiled is None else ceiled


def positions(space: tuple[Any, ...], kernel: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Returns how many positions a window sees: all of its own, of the padded image's with `ceil_mode` at most."""
    rank = len(space)
    kernels = per_axis(kernel, rank, "kernel")
    if not ceil_mode:
        return prod(kernels)
    sizes = zip(
        space, kernels, per_axis(padding, rank, "padding", 0), per_axis(dilation, rank, "dilation"), strict=True
    )
    return prod(minimum(own, ceil_div(size + 2 * pad, gap)) for size, own, pad, gap in sizes)


def _with_indices(shape: tuple[Any, ...], x: TensorSpec, return_indices: bool) -> list[TensorSpec]:
    out = TensorSpec(shape, x.dtype)
    return [out, TensorSpec(shape, "int64")] if return_indices else [out]


def _max_pooled(
    x: TensorSpec,
    b: Any,
    c: Any,
    space: tuple[Any, ...],
    *,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> list[TensorSpec]:
    return _with_indices((b, c, *windows(space, kernel, stride, padding, dilation, ceil_mode)), x, return_indices)


def _own_indices(out: TensorSpec, *, return_indices: bool = False) -> list[tuple[Any, ...]]:
    return [] if return_indices else [out.shape]


INDICES = (
    Saved("indices", "the gradient goes to the largest position of each window", _own_indices, "int64"),
    Saved("positions", "the gradient goes to the largest position of each window", if_attribute="return_indices"),
)
"""Where the largest are: a tensor of its own, or the second output."""


@operator(
    "x: b c *space -> out: b c *windows, positions: b c *windows",
    infer=_max_pooled,
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
    saves=(Saved("x", SHAPE), *INDICES),
)
def max_pool(
    space: tuple[Any, ...],
    out: TensorSpec,
    *,
    kernel: Any,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Work:
    """The largest of each window; with `return_indices` its position too, in int64. One comparison per window position
    and output, the first included: a reduction over n counts n.

    Backward: 1 per output element: g is added at the position that was largest (windows may overlap).
    """
    return Work(vector_flops=out.elements * positions(space, kernel, padding, dilation, ceil_mode))


def _avg_pooled(
    x: TensorSpec,
    b: Any,
    c: Any,
    space: tuple[Any, ...],
    *,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
) -> TensorSpec:
    return in_layout((b, c, *windows(space, kernel, stride, padding, 1, ceil_mode)), x.dtype, x)


def _averages_back(
    space: tuple[Any, ...], out: TensorSpec, *, kernel: Any, padding: Any = 0, ceil_mode: bool = False
) -> Work:
    return Work(vector_flops=out.elements * (positions(space, kernel, padding, 1, ceil_mode) + 1))


@operator("x: b c *space -> b c *windows", infer=_avg_pooled, saves={"x": SHAPE}, gradients={"x": _averages_back})
def avg_pool(
    space: tuple[Any, ...], out: TensorSpec, *, kernel: Any, padding: Any = 0, ceil_mode: bool = False
) -> Work:
    """The mean of each window. Per output one addition per window position, and one division by their number.

    Backward, per output: g is divided once, and added at each window position.
    """
    return Work(vector_flops=out.elements * (positions(space, kernel, padding, 1, ceil_mode) + 1))


def _adapted(b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> tuple[Any, ...]:
    sizes = per_axis(size, check_rank(space), "size")
    if any(type(number) is not int for number in sizes):
        raise OperatorError(f"size must be whole numbers, not {size!r}: only the input's dimensions can be symbols")
    if prod(sizes) == 1:
        dims = tuple(range(2, 2 + len(space)))
        raise OperatorError(f"size 1 is a plain mean, whose backward keeps nothing: use mean, dim={dims}, keepdim=True")
    return (b, c, *sizes)


def covered(size: Any, windows: Any) -> Any:
    """Returns the positions that all adapted windows along one axis see together; window i is [⌊i size / windows⌋,
    ⌈(i + 1) size / windows⌉), so that each boundary that falls inside a position is seen twice."""
    if has_value(size):
        return size + windows - gcd(size, windows)
    return sum(ceil_div((i + 1) * size, windows) - floor_div(i * size, windows) for i in range(windows))


def _adapted_back(b: Any, c: Any, space: tuple[Any, ...], out: TensorSpec) -> Work:
    return Work(vector_flops=b * c * prod(map(covered, space, out.shape[2:])) + out.elements)


@operator("x: b c *space -> b c *size", infer=_adapted, saves={"x": SHAPE}, gradients={"x": _adapted_back})
def adaptive_avg_pool(b: Any, c: Any, space: tuple[Any, ...], out: TensorSpec) -> Work:
    """The mean of each of `size` windows that cover the image. One addition per position of each window (neighbours
    overlap by one where `size` does not divide), and one division per output. torch computes size 1 as a mean.

    Backward: one division per output, one addition per position of each window.
    """
    positions = prod(map(covered, space, out.shape[2:]))
    return Work(vector_flops=b * c * positions + out.elements)


def _adapted_maxima(
    x: TensorSpec, b: Any, c: Any, space: tuple[Any, ...], *, size: Any, return_indices: bool = False
) -> list[TensorSpec]:
    sizes = per_axis(size, check_rank(space), "size")
    if any(type(number) is not int for number in sizes):
        raise OperatorError(f"size must be whole numbers, not {size!r}: only the input's dimensions can be symbols")
    return _with_indices((b, c, *sizes), x, return_indices)


@operator(
    "x: b c *space -> out: b c *size, positions: b c *size",
    infer=_adapted_maxima,
    saves=(Saved("x", SHAPE), *INDICES),
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
)
def adaptive_max_pool(b: Any, c: Any, space: tuple[Any, ...], out: TensorSpec) -> Work:
    """The largest of each of `size` windows that cover the image; with `return_indices` its position too, in int64. One
    comparison per position of each window.

    Backward: 1 per output element: g is added at the position that was largest.
    """
    return Work(vector_flops=b * c * prod(map(covered, space, out.shape[2:])))


def _unpooled(b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> tuple[Any, ...]:
    return (b, c, *per_axis(size, check_rank(space), "size"))


@operator(
    "x: b c *space, indices: b c *space -> b c *size",
    infer=_unpooled,
    saves={"indices": "the gradient is read where x was put"},
    gradients={"x": lambda: Work()},
)
def max_unpool() -> Work:
    """x put where its windows' largest positions were, in an image of `size` that is zero elsewhere. No arithmetic.

    Backward: g is read at the indices: no arithmetic.
    """
    return Work()


def _random_windows(
    x: TensorSpec, b: Any, c: Any, space: tuple[Any, ...], *, kernel: Any, size: Any, return_indices: bool = False
) -> list[TensorSpec]:
    per_axis(kernel, check_rank(space), "kernel")
    return _with_indices((b, c, *per_axis(size, len(space), "size")), x, return_indices)


@operator(
    "x: b c *space, samples: b c rank -> out: b c *size, positions: b c *size",
    infer=_random_windows,
    saves=(Saved("x", SHAPE), *INDICES),
    gradients={"x": lambda out: Work(vector_flops=out.elements), "samples": lambda: Work()},
)
def fractional_max_pool(space: tuple[Any, ...], out: TensorSpec, *, kernel: Any) -> Work:
    """The largest of each of `size` windows, which `samples` place at random (Graham, 2014); with `return_indices` its
    position too. One comparison per window position and output.

    Backward: 1 per output element: g is added at the position that was largest. The samples are constants.
    """
    return Work(vector_flops=out.elements * prod(per_axis(kernel, len(space), "kernel")))
