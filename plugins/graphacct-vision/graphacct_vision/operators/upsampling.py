"""Interpolation to another size over 1 to 3 spatial dimensions.

`size` is the output's: one number for all spatial dimensions, or one for each (torch's `output_size`). Which inputs an
output lies between, and how near, depends on its position along each axis alone. That is index arithmetic, a few
operations per position of an axis, and not counted.
"""

from typing import Any

from graphacct_operators.strides import in_layout

from graphacct import OperatorError, TensorSpec, Work, maximum, minimum, operator
from graphacct_vision.operators.pooling import check_rank, per_axis


def _resized(b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> tuple[Any, ...]:
    return (b, c, *per_axis(size, check_rank(space, "interpolates"), "size"))


def _nearest(x: TensorSpec, b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> TensorSpec:
    return in_layout(_resized(b, c, space, size=size), x.dtype, x)


def _resized_area(b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> tuple[Any, ...]:
    return _in_two("bicubic", b, c, space, size)


def _resized_filtered(b: Any, c: Any, space: tuple[Any, ...], *, size: Any) -> tuple[Any, ...]:
    return _in_two("antialiased", b, c, space, size)


def _in_two(kind: str, b: Any, c: Any, space: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    if len(space) != 2:
        raise OperatorError(f"{kind} interpolation is of 2 spatial dimensions; after batch and channels: {len(space)}")
    return _resized(b, c, space, size=size)


@operator(
    "x: b c *space -> b c *size",
    infer=_nearest,
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
)
def upsample_nearest(x: TensorSpec, b: Any, c: Any, space: tuple[Any, ...], out: TensorSpec) -> Work:
    """The nearest input of each output. No arithmetic: reads what is taken, each input once at most.

    Backward: 1 per output element: g is added at the input that it was taken from. Nothing is kept.
    """
    taken = TensorSpec((b, c, *map(minimum, space, out.shape[2:])), x.dtype)
    return Work(read_bytes=taken.bytes)


def _linear_back(space: tuple[Any, ...], out: TensorSpec) -> Work:
    rank = len(space)
    return Work(vector_flops=2**rank * (rank + 1) * out.elements)


@operator("x: b c *space -> b c *size", infer=_resized, gradients={"x": _linear_back})
def upsample_linear(space: tuple[Any, ...], out: TensorSpec) -> Work:
    """Linear interpolation between neighbours: linear, bilinear or trilinear, for 1, 2 or 3 spatial dimensions.

    3 per step between two values (two products and their sum), and 2^d - 1 steps for d dimensions: 3, 9 or 21 per
    output element, as torch's kernels write it (aten/src/ATen/native/cuda/UpSampleBilinear2d.cu); fvcore counts 4 for
    the bilinear one.

    Backward: g goes to 2^d inputs, times d weights and added: 2^d (d + 1) per output element, so 4, 12 or 32. Nothing
    is kept.
    """
    return Work(vector_flops=3 * (2 ** len(space) - 1) * out.elements)


@operator(
    "x: b c *space -> b c *size",
    infer=_resized_area,
    gradients={"x": lambda out: Work(vector_flops=48 * out.elements)},
)
def upsample_bicubic(out: TensorSpec) -> Work:
    """Cubic convolution over the 4 x 4 inputs around each output (Keys, 1981), in two dimensions.

    35 per output element: 5 sums of 4 products, 7 each: one along every row, and one over the rows
    (aten/src/ATen/native/UpSample.h, cubic_interp1d).

    Backward: g goes to 16 inputs, times two weights and added: 48 per output element. Nothing is kept.
    """
    return Work(vector_flops=35 * out.elements)


def _filtered(space: tuple[Any, ...], out: TensorSpec, support: int) -> Work:
    (height, width), (rows, columns) = space, out.shape[2:]
    planes = out.shape[0] * out.shape[1]
    along_rows = height * maximum(width, columns)
    along_columns = columns * maximum(height, rows)
    return Work(vector_flops=2 * support * planes * (along_rows + along_columns))


@operator(
    "x: b c *space -> b c *size",
    infer=_resized_filtered,
    gradients={"x": lambda space, out: _filtered(space, out, 2)},
)
def upsample_linear_antialiased(space: tuple[Any, ...], out: TensorSpec) -> Work:
    """Bilinear interpolation whose filter is as wide as an output where the image shrinks, along the rows first and
    then along the columns (torch's CPU kernel and PIL; aten/src/ATen/native/cpu/UpSampleKernel.cpp).

    2 per weight, a product and a sum: an output has 2 along an axis that grows, and 2 times the scale along one that
    shrinks, so that an axis has 2 max(in, out) in all; edges, where fewer inputs are there, count in full.

    Backward: as much: g times the same weights, added. Nothing is kept.
    """
    return _filtered(space, out, 2)


@operator(
    "x: b c *space -> b c *size",
    infer=_resized_filtered,
    gradients={"x": lambda space, out: _filtered(space, out, 4)},
)
def upsample_bicubic_antialiased(space: tuple[Any, ...], out: TensorSpec) -> Work:
    """Cubic convolution with a filter as upsample_linear_antialiased has it, twice as wide.

    2 per weight, a product and a sum: 4 max(in, out) weights along an axis; edges count in full.

    Backward: as much: g times the same weights, added. Nothing is kept.
    """
    return _filtered(space, out, 4)
