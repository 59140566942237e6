"""Sampling at positions that a tensor gives, as spatial transformers and deformable attention do."""

from typing import Any

from graphacct import OperatorError, ShapeError, TensorSpec, Work, has_value, operator, prod
from graphacct_vision.operators.pooling import per_axis

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = {"zeros": 0, "border": 2, "reflection": 10}
"""How positions outside the image are brought back, and the operations of each coordinate: none, two comparisons, or
the distance from the edge modulo the span (8) and two comparisons."""
KEPT = "the gradients of x and of the grid are made of both"


def _sampled(
    x: TensorSpec,
    grid: TensorSpec,
    b: Any,
    c: Any,
    space: tuple[Any, ...],
    *,
    interpolation_mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> tuple[Any, ...]:
    rank = len(space)
    if rank not in (2, 3):
        raise ShapeError(f"samples 2 or 3 spatial dimensions; after batch and channels x has {list(space)}")
    if len(grid.shape) != rank + 2 or (has_value(grid.shape[-1]) and grid.shape[-1] != rank):
        raise ShapeError(
            f"grid is {list(grid.shape)}; for {rank} spatial dimensions it is (batch, {rank} sizes, {rank} coordinates)"
        )
    if interpolation_mode not in MODES:
        raise OperatorError(f"interpolation_mode is one of {', '.join(MODES)}, not {interpolation_mode!r}")
    if padding_mode not in PADDINGS:
        raise OperatorError(f"padding_mode is one of {', '.join(PADDINGS)}, not {padding_mode!r}")
    if interpolation_mode == "bicubic" and rank == 3:
        raise OperatorError("bicubic sampling is of 2 spatial dimensions, not of 3")
    return (b, c, *grid.shape[1:-1])


def _positions(grid: TensorSpec, interpolation_mode: str, padding_mode: str, align_corners: bool) -> Any:
    """Returns the operations on positions, which all channels share: coordinates in pixels, and the weights of what is
    around them."""
    rank = len(grid.shape) - 2
    per_axis = (3 if align_corners else 4) + PADDINGS[padding_mode] + 1
    per_position = rank * per_axis
    if interpolation_mode == "bilinear":
        per_position += 2**rank * (2 * rank - 1)
    if interpolation_mode == "bicubic":
        per_position += rank * 26
    return per_position * prod(grid.shape[:-1])


def _per_element(rank: int, interpolation_mode: str) -> int:
    return {"bilinear": 2 * 2**rank, "nearest": 0, "bicubic": 35}[interpolation_mode]


def _of_x(
    grid: TensorSpec,
    out: TensorSpec,
    *,
    interpolation_mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Work:
    rank = len(out.shape) - 2
    each = {"bilinear": 2 * 2**rank, "nearest": 1, "bicubic": 48}[interpolation_mode]
    positions = _positions(grid, interpolation_mode, padding_mode, align_corners)
    return Work(vector_flops=each * out.elements + positions)


def _of_grid(grid: TensorSpec, out: TensorSpec, *, interpolation_mode: str = "bilinear") -> Work:
    rank = len(out.shape) - 2
    if interpolation_mode == "nearest":
        return Work()
    each = {"bilinear": 2**rank * rank * (rank + 1), "bicubic": 16 * 2 * 4}[interpolation_mode]
    return Work(vector_flops=each * out.elements + rank * prod(grid.shape[:-1]))


@operator(
    "x: b c *space, grid: b *places -> b c *size",
    infer=_sampled,
    saves={"x": KEPT, "grid": KEPT},
    gradients={"x": _of_x, "grid": _of_grid},
)
def grid_sampler(
    grid: TensorSpec,
    out: TensorSpec,
    *,
    interpolation_mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Work:
    """x at the positions of the grid (b, *size, d), whose coordinates go from -1 to 1 (Jaderberg et al., 2015).

    For each position, once for all channels: the d coordinates in pixels, 4 each ((p + 1) size - 1, halved; 3 with
    `align_corners`), and a floor; 2 more each for padding_mode border, 10 for reflection. Bilinear (in 3 dimensions:
    trilinear): the weights of 2^d corners, d differences and d - 1 products each; bicubic: 26 per coordinate for its 4
    weights. For each output element the corners' products and their sum: 8 in 2 dimensions, 16 in 3; none for nearest;
    35 for bicubic (aten/src/ATen/native/cuda/GridSampler.cu).

    Backward: for x the positions and weights again, then g times each weight, added: as many per element; 1 for
    nearest, 48 for bicubic. For the grid, with what x has made: x times g times the other axes' differences, summed,
    2^d d (d + 1) per element, and 1 per coordinate; 128 per element for bicubic; none for nearest.
    """
    rank = len(out.shape) - 2
    positions = _positions(grid, interpolation_mode, padding_mode, align_corners)
    return Work(vector_flops=_per_element(rank, interpolation_mode) * out.elements + positions)


def _grid(b: Any, rows: Any, columns: Any, *, size: Any) -> tuple[Any, ...]:
    rank = rows
    if type(rows) is not int or type(columns) is not int or rows not in (2, 3) or columns != rows + 1:
        raise ShapeError(f"theta is (batch, {rows}, {columns}); a transformation is 2 x 3, or 3 x 4 for volumes")
    spatial = per_axis(size, rank, "size")
    return (b, *spatial, rank)


def _transformed(out: TensorSpec, columns: Any) -> Work:
    return Work(2 * out.elements * columns)


@operator("theta: b rows columns -> b *size rows", infer=_grid, gradients={"theta": _transformed})
def affine_grid(out: TensorSpec, columns: Any) -> Work:
    """The positions that an affine transformation sends an image of `size` (its spatial dimensions) to, for
    grid_sampler (Jaderberg et al., 2015): the coordinates of every position, with a 1, times theta.

    2 FLOPs per multiply-add, 3 or 4 per coordinate. The untransformed positions are written, not counted.

    Backward: as many FLOPs again. Nothing is kept.
    """
    return _transformed(out, columns)
