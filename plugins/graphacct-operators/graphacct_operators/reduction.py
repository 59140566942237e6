"""Reductions over some dimensions. A reduction over n elements counts n (as 2mnk counts a product)."""

from collections.abc import Sequence
from typing import Any

from graphacct import ShapeError, TensorSpec, Work, operator
from graphacct_operators.gradient import nothing, per_element


def _kept(x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tuple[Any, ...]:
    rank = len(x.shape)
    dims = range(rank) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    for axis in dims:
        if not -rank <= axis < rank:
            raise ShapeError(f"dimension {axis} is out of range for {rank} dimensions")
    gone = {axis % rank for axis in dims}
    return tuple(1 if axis in gone else size for axis, size in enumerate(x.shape) if keepdim or axis not in gone)


def _kept_in(
    x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: str = ""
) -> TensorSpec:
    return TensorSpec(_kept(x, dim=dim, keepdim=keepdim), dtype or x.dtype)


@operator("x: *shape -> *kept", name="sum", infer=_kept_in, gradients={"x": nothing})
def sum_(x: TensorSpec) -> Work:
    """The sum over the given dimensions, or all of them, in another dtype where one is given. 1 per element of x.

    Backward: g itself, expanded.
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> *kept", infer=_kept, gradients={"x": lambda x: Work(vector_flops=x.elements)})
def mean(x: TensorSpec, out: TensorSpec) -> Work:
    """The mean over the given dimensions, or all of them. 1 per element of x for the sum, 1 division per output.

    Backward: 1 per element of x: g, expanded, divided by their number (as torch does).
    """
    return Work(vector_flops=x.elements + out.elements)


@operator(
    "x: *shape -> *kept",
    infer=_kept,
    saves={"x": "the gradient goes where x equals the largest", "out": "the gradient goes where x equals the largest"},
    gradients={"x": lambda x: Work(vector_flops=4 * x.elements)},
)
def amax(x: TensorSpec) -> Work:
    """The largest over the given dimensions, or all of them. 1 comparison per element of x.

    Backward: 4 per element of x: compare with the largest, count those equal, g times the comparison, divided by the
    count (torch shares g among equals).
    """
    return Work(vector_flops=x.elements)


@operator("x: ... -> ...", gradients={"x": per_element(1)})
def cumsum(batch: Any, *, dim: int = -1) -> Work:
    """Running sums along one dimension. 1 addition per element.

    Backward: 1 per element: running sums of g from the end.
    """
    return Work(vector_flops=batch)
