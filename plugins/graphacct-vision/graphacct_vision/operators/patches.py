"""Patches of an image as columns, and columns added up to an image."""

from typing import Any

from graphacct import ShapeError, TensorSpec, Work, exact_div, has_value, operator, prod
from graphacct_vision.operators.pooling import check_rank, per_axis


def _columns(space: tuple[Any, ...], kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Returns how many patches an image has, (n + 2 padding - dilation (k - 1) - 1) // stride + 1 along each axis."""
    rank = check_rank(space, "has patches of")
    sizes = zip(
        space,
        per_axis(kernel, rank, "kernel"),
        per_axis(stride, rank, "stride"),
        per_axis(padding, rank, "padding", 0),
        per_axis(dilation, rank, "dilation"),
        strict=True,
    )
    counts = []
    for axis, (size, taps, step, pad, gap) in enumerate(sizes):
        span = gap * (taps - 1) + 1
        room = size + 2 * pad - span
        if has_value(room) and room < 0:
            raise ShapeError(
                f"spatial dimension {axis} of size {size} with padding {pad} is smaller than a patch of span {span}"
            )
        counts.append((room if has_value(step) and step == 1 else room // step) + 1)
    return prod(counts)


def _unfolded(
    b: Any,
    c: Any,
    space: tuple[Any, ...],
    *,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> tuple[Any, ...]:
    taps = prod(per_axis(kernel, len(space), "kernel"))
    return (b, c * taps, _columns(space, kernel, stride, padding, dilation))


@operator(
    "x: b c *space -> b rows columns",
    infer=_unfolded,
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
)
def im2col() -> Work:
    """Each patch of the image as a column: (b, c, h, w) is copied to (b, c * taps, patches). torch.nn.functional calls
    it unfold. No arithmetic.

    Backward: 1 per output element: g is added where it was read, as col2im does. Nothing is kept.
    """
    return Work()


def _folded(
    b: Any,
    rows: Any,
    columns: Any,
    *,
    size: Any,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> tuple[Any, ...]:
    rank = 2 if isinstance(size, int) or not hasattr(size, "__len__") else len(size)
    space = per_axis(size, rank, "size")
    taps = prod(per_axis(kernel, rank, "kernel"))
    if has_value(rows) and has_value(taps) and rows % taps:
        raise ShapeError(f"dimension rows is {rows}, which does not divide into the {taps} positions of a patch")
    count = _columns(space, kernel, stride, padding, dilation)
    if has_value(columns) and has_value(count) and columns != count:
        raise ShapeError(f"x has {columns} columns, but an image of {list(space)} has {count} patches")
    return (b, exact_div(rows, taps), *space)


@operator("x: b rows columns -> b c *size", infer=_folded, gradients={"x": lambda: Work()})
def col2im(x: TensorSpec) -> Work:
    """Columns added up where their patches lie: (b, c * taps, patches) becomes an image of `size`.
    torch.nn.functional calls it fold. 1 addition per element of x.

    Backward: g is copied to the patches, as im2col does: no arithmetic. Nothing is kept.
    """
    return Work(vector_flops=x.elements)
