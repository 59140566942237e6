"""Elements by their rank among others.

Each counts 1 comparison per element, the least that tells that an order is right, as `topk` does. Kernels do more: a
sort by comparisons about log2 n per element, a radix sort none at all.
"""

from typing import Any

from graphacct import ShapeError, TensorSpec, Work, has_value, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.strides import axis_of

WHERE = {"indices": "the gradient is put where the elements were"}


def _sorted(x: TensorSpec, *, dim: int = -1, descending: bool = False) -> list[TensorSpec]:
    axis_of(x, dim)
    return [TensorSpec(x.shape, x.dtype), TensorSpec(x.shape, "int64")]


@operator("x: *shape -> values: *shape, indices: *shape", infer=_sorted, saves=WHERE, gradients={"x": nothing})
def sort(x: TensorSpec) -> Work:
    """The elements in order along one dimension, and where they were. 1 comparison per element, the least that a sort
    needs (XLA counts n log2 n); none for integers.

    Backward: g is put where the elements were: no arithmetic.
    """
    return Work(vector_flops=x.elements)


def _places(x: TensorSpec, *, dim: int = -1, descending: bool = False) -> TensorSpec:
    axis_of(x, dim)
    return TensorSpec(x.shape, "int64")


@operator("x: *shape -> *shape", infer=_places, gradients={"x": nothing})
def argsort(x: TensorSpec) -> Work:
    """Where the elements in order along one dimension are. 1 comparison per element, as sort; none for integers.

    Backward: none; an index has no gradient.
    """
    return Work(vector_flops=x.elements)


def _picked(x: TensorSpec, *, dim: int = -1, keepdim: bool = False) -> list[TensorSpec]:
    axis = axis_of(x, dim)
    shape = (*x.shape[:axis], *((1,) if keepdim and x.shape else ()), *x.shape[axis + 1 :])
    return [TensorSpec(shape, x.dtype), TensorSpec(shape, "int64")]


def _kth(x: TensorSpec, *, k: Any, dim: int = -1, keepdim: bool = False) -> list[TensorSpec]:
    size = x.shape[axis_of(x, dim)] if x.shape else 1
    if has_value(k) and has_value(size) and not 0 < k <= size:
        raise ShapeError(f"k is {k}, but dimension {axis_of(x, dim)} of x has {size}")
    return _picked(x, dim=dim, keepdim=keepdim)


@operator("x: *shape -> values: *kept, indices: *kept", infer=_picked, saves=WHERE, gradients={"x": nothing})
def max_with_indices(x: TensorSpec) -> Work:
    """The largest along one dimension, and where it is. 1 comparison per element; none for integers.

    Backward: g is put where the largest was: no arithmetic. (`amax` shares it among equals.)
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> values: *kept, indices: *kept", infer=_picked, saves=WHERE, gradients={"x": nothing})
def min_with_indices(x: TensorSpec) -> Work:
    """The smallest along one dimension, and where it is. 1 comparison per element; none for integers.

    Backward: g is put where the smallest was: no arithmetic. (`amin` shares it among equals.)
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> values: *kept, indices: *kept", infer=_picked, saves=WHERE, gradients={"x": nothing})
def median_with_indices(x: TensorSpec) -> Work:
    """The median along one dimension, and where it is. 1 comparison per element, the least that a selection needs.

    Backward: g is put where the median was: no arithmetic.
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> values: *kept, indices: *kept", infer=_kth, saves=WHERE, gradients={"x": nothing})
def kthvalue(x: TensorSpec) -> Work:
    """The k-th smallest along one dimension, and where it is. 1 comparison per element, the least that a selection
    needs.

    Backward: g is put where it was: no arithmetic.
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> bins", infer=lambda x, *, bins=100: TensorSpec((bins,), x.dtype), stops_gradient=True)
def histc(x: TensorSpec) -> Work:
    """How many elements fall in each of `bins` intervals of equal width, in the dtype of x.

    5 per element: two comparisons with the range, subtract its start, times the inverse width, plus 1 in the bin
    (torch's kernel). torch has no gradient of it.
    """
    return Work(vector_flops=5 * x.elements)


@operator("ids: n -> bins", infer=lambda ids, *, bins: TensorSpec((bins,), "int64"))
def bincount() -> Work:
    """How often each of the ids 0 to `bins` - 1 occurs. No arithmetic: integer work is bytes, not FLOPs."""
    return Work()


def _found(sequence: TensorSpec, values: TensorSpec, *, right: bool = False) -> TensorSpec:
    return TensorSpec(values.shape, "int64")


@operator("sequence: *line, values: *shape -> *shape", infer=_found, gradients={"sequence": nothing, "values": nothing})
def searchsorted(values: TensorSpec) -> Work:
    """Where each value would stand in a sorted sequence. 1 per value: a comparison, the least that a search needs.

    Backward: none; an index has no gradient.
    """
    return Work(vector_flops=values.elements)


@operator("x: *shape -> values: *kept, indices: *kept", infer=_picked, saves=WHERE, gradients={"x": nothing})
def mode_with_indices(x: TensorSpec) -> Work:
    """The most frequent value along one dimension, and where it is last. 1 comparison per element, the least that tells
    which are equal in an order.

    Backward: g is put where it was: no arithmetic.
    """
    return Work(vector_flops=x.elements)


@operator(
    "x: *shape ->",
    infer=lambda x: TensorSpec((), x.dtype),
    saves={"x": "the gradient goes where x equals the result", "out": "the gradient goes where x equals the result"},
    gradients={"x": lambda x: Work(vector_flops=4 * x.elements + 2)},
)
def median(x: TensorSpec) -> Work:
    """The median of all elements. 1 comparison per element, the least that a selection needs.

    Backward: 4 per element: whether it is a number, compare it with the result, count those equal, times g; 2 more:
    whether the result is a number, g divided by the count (torch shares g among equals).
    """
    return Work(vector_flops=x.elements)


def _distinct(
    x: TensorSpec, *, count: Any, dim: int | None = None, inverse: bool = False, counts: bool = False
) -> list[TensorSpec]:
    axis = None if dim is None else axis_of(x, dim)
    values = (count,) if axis is None else (*x.shape[:axis], count, *x.shape[axis + 1 :])
    places = x.shape if axis is None else (x.shape[axis],)
    return [
        TensorSpec(values, x.dtype),
        TensorSpec(places if inverse else (0,), "int64"),
        TensorSpec((count,) if counts else (0,), "int64"),
    ]


@operator("x: *shape -> values: *found, places: *at, counts: *each", infer=_distinct, gradients={"x": nothing})
def unique(
    x: TensorSpec,
    *,
    count: Any,
    dim: int | None = None,
    inverse: bool = False,
    counts: bool = False,
    consecutive: bool = False,
) -> Work:
    """The `count` values of x that differ, or slices along `dim`; with `inverse` which of them each element is, with
    `counts` how often each occurs; if `consecutive`, of those that stand side by side.

    2 per element: a comparison as sort, and one with the element before; 1 if `consecutive`. None for integers.

    Backward: none; torch has no gradient of it.
    """
    return Work(vector_flops=(1 if consecutive else 2) * x.elements)
