"""Reductions over some dimensions. A reduction over n elements counts n (as 2mnk counts a product); over integers or
bools none, since integer work is bytes."""

from collections.abc import Sequence
from typing import Any

from graphacct import TensorSpec, Work, minimum, operator
from graphacct_operators.gradient import by_parts, counted, nothing, per_element, per_shape
from graphacct_operators.strides import axes_of, axis_of

REDUCED = "x: *shape -> *kept"
EQUALS = {"x": "the gradient goes where x equals the result", "out": "the gradient goes where x equals the result"}


def kept(x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tuple[Any, ...]:
    """Returns the shape that is left when some dimensions are reduced, or all of them."""
    gone = set(axes_of(x, dim))
    return tuple(1 if axis in gone else size for axis, size in enumerate(x.shape) if keepdim or axis not in gone)


def _kept_in(
    x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False, dtype: str = ""
) -> TensorSpec:
    return TensorSpec(kept(x, dim=dim, keepdim=keepdim), dtype or x.dtype)


def _any_or_all(x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> TensorSpec:
    return TensorSpec(kept(x, dim=dim, keepdim=keepdim), "bool")


def _shared_among_equals(x: TensorSpec) -> Work:
    return Work(vector_flops=4 * x.elements)


@operator(REDUCED, name="sum", infer=_kept_in, gradients={"x": nothing})
def sum_(x: TensorSpec) -> Work:
    """The sum over the given dimensions, or all of them, in another dtype where one is given. 1 per element of x, 2
    of complex numbers.

    Backward: g itself, expanded.
    """
    return counted(x, 1, 2)


@operator(REDUCED, infer=_kept_in, gradients={"x": by_parts(1, 2)})
def mean(x: TensorSpec, out: TensorSpec) -> Work:
    """The mean over the given dimensions, or all of them. 1 per element of x for the sum, 1 division per output;
    2 each of complex numbers.

    Backward: 1 per element of x: g, expanded, divided by their number (as torch does); 2 of complex numbers.
    """
    return counted(x, 1, 2).plus(counted(out, 1, 2))


def _product_gradient(x: TensorSpec, out: TensorSpec) -> Work:
    return counted(x, 1, 11).plus(counted(out, 1, 6))


@operator(
    REDUCED,
    infer=_kept_in,
    saves={"x": "the gradient is g * out / x", "out": "the gradient is g * out / x"},
    gradients={"x": _product_gradient},
)
def prod(x: TensorSpec) -> Work:
    """The product over the given dimensions, or all of them. 1 per element of x, 6 of complex numbers.

    Backward: 1 per element of x, the division by it, and 1 per output, g * out; 11 and 6 of complex numbers. (Where an
    element is 0 torch multiplies the others instead.)
    """
    return counted(x, 1, 6)


@operator(REDUCED, infer=kept, saves=EQUALS, gradients={"x": _shared_among_equals})
def amax(x: TensorSpec) -> Work:
    """The largest over the given dimensions, or all of them. 1 comparison per element of x.

    Backward: 4 per element of x: compare with the largest, count those equal, g times the comparison, divided by the
    count (torch shares g among equals).
    """
    return Work(vector_flops=x.elements)


@operator(REDUCED, infer=kept, saves=EQUALS, gradients={"x": _shared_among_equals})
def amin(x: TensorSpec) -> Work:
    """The smallest over the given dimensions, or all of them. 1 comparison per element of x.

    Backward: 4 per element of x: compare with the smallest, count those equal, g times the comparison, divided by the
    count (torch shares g among equals).
    """
    return Work(vector_flops=x.elements)


@operator(REDUCED, name="any", infer=_any_or_all, gradients={"x": nothing})
def any_(x: TensorSpec) -> Work:
    """Whether any is set (not 0), over the given dimensions or all of them. 1 comparison per element of x; none for
    bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=x.elements)


@operator(REDUCED, name="all", infer=_any_or_all, gradients={"x": nothing})
def all_(x: TensorSpec) -> Work:
    """Whether all are set (not 0), over the given dimensions or all of them. 1 comparison per element of x; none for
    bools and integers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=x.elements)


def _running(x: TensorSpec, *, dim: int = -1, dtype: str = "") -> TensorSpec:
    axis_of(x, dim)
    return TensorSpec(x.shape, dtype or x.dtype)


@operator("x: ... -> ...", infer=_running, gradients={"x": by_parts(1, 2)})
def cumsum(x: TensorSpec) -> Work:
    """Running sums along one dimension. 1 addition per element, 2 of complex numbers.

    Backward: 1 per element: running sums of g from the end; 2 of complex numbers.
    """
    return counted(x, 1, 2)


@operator(
    "x: ... -> ...",
    infer=_running,
    saves={"x": "the gradient divides by it", "out": "the gradient is running sums of g * out, divided by x"},
    gradients={"x": per_element(3)},
)
def cumprod(batch: Any) -> Work:
    """Running products along one dimension. 1 per element.

    Backward: 3 per element: g * out, its running sums from the end, divided by x.
    """
    return Work(vector_flops=batch)


def _best_so_far(x: TensorSpec, *, dim: int = -1) -> list[TensorSpec]:
    axis_of(x, dim)
    return [TensorSpec(x.shape, x.dtype), TensorSpec(x.shape, "int64")]


BEST = {"x": "its shape: torch refers to it whole", "indices": "the gradient is added where the elements were"}


@operator("x: ... -> values: ..., indices: ...", infer=_best_so_far, saves=BEST, gradients={"x": per_element(1)})
def cummax(batch: Any) -> Work:
    """The largest so far along one dimension, and where it is. 1 comparison per element.

    Backward: 1 per element: g is added where the largest was.
    """
    return Work(vector_flops=batch)


@operator("x: ... -> values: ..., indices: ...", infer=_best_so_far, saves=BEST, gradients={"x": per_element(1)})
def cummin(batch: Any) -> Work:
    """The smallest so far along one dimension, and where it is. 1 comparison per element.

    Backward: 1 per element: g is added where the smallest was.
    """
    return Work(vector_flops=batch)


@operator(REDUCED, infer=_kept_in, saves={"x": "g goes where x is a number"}, gradients={"x": per_shape(2)})
def nansum(x: TensorSpec) -> Work:
    """The sum without what is not a number, over the given dimensions or all of them. 2 per element of x: the
    selection, the sum.

    Backward: 2 per element of x: whether it is a number, times g, expanded.
    """
    return Work(vector_flops=2 * x.elements)


def _both(x: TensorSpec, *, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> list[TensorSpec]:
    return [TensorSpec(kept(x, dim=dim, keepdim=keepdim), x.dtype)] * 2


def _of_both(x: TensorSpec, low: TensorSpec) -> Work:
    return Work(vector_flops=7 * x.elements + 2 * low.elements)


@operator(
    "x: *shape -> low: *kept, high: *kept",
    infer=_both,
    saves=dict.fromkeys(("x", "low", "high"), "each gradient goes where x equals its result"),
    gradients={"x": _of_both},
)
def aminmax(x: TensorSpec) -> Work:
    """The smallest and the largest over one dimension or all of them. 2 per element of x: two
    comparisons.

    Backward: 7 per element of x: for each of the two compare with it, count those equal, g times the comparison; their
    sum; and 2 divisions per output pair (torch shares g among equals).
    """
    return Work(vector_flops=2 * x.elements)


def _counts(x: TensorSpec, *, dim: int | Sequence[int] | None = None) -> TensorSpec:
    return TensorSpec(kept(x, dim=dim), "int64")


@operator(REDUCED, infer=_counts, gradients={"x": nothing})
def count_nonzero(x: TensorSpec) -> Work:
    """How many elements are not 0, over the given dimensions or all of them. 1 comparison per element of x; none for
    bools and integers.

    Backward: none; a count has no gradient.
    """
    return Work(vector_flops=x.elements)


@operator("x: m n ->", gradients={"x": nothing})
def trace(m: Any, n: Any) -> Work:
    """The sum of a matrix's diagonal. 1 per element of the diagonal.

    Backward: g is put on the diagonal: no arithmetic.
    """
    return Work(vector_flops=minimum(m, n))
