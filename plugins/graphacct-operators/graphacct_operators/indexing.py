"""Reading by index or by rank. A gather is bytes, not FLOPs: it reads the indices and the elements that they select."""

from typing import Any

from graphacct import ShapeError, TensorSpec, Work, has_value, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.reduction import kept
from graphacct_operators.strides import axis_of


def _gathered(x: TensorSpec, index: TensorSpec, *, dim: int) -> TensorSpec:
    axis = axis_of(x, dim)
    if len(index.shape) != len(x.shape):
        raise ShapeError(f"x has {len(x.shape)} dimensions but index has {len(index.shape)}: gather needs as many")
    for other, (size, own) in enumerate(zip(x.shape, index.shape, strict=True)):
        if other != axis and has_value(size) and has_value(own) and own > size:
            raise ShapeError(f"dimension {other} is {size} in x but {own} in index, which may not be larger")
    return TensorSpec(index.shape, x.dtype)


def _scattered(out: TensorSpec) -> Work:
    return Work(vector_flops=out.elements)


@operator(
    "x: *shape, index: *picked -> *picked",
    infer=_gathered,
    saves={"x": "its shape: torch refers to it whole", "index": "the gradient is scattered to where it was read"},
    gradients={"x": _scattered},
)
def gather(index: TensorSpec, out: TensorSpec) -> Work:
    """The element of x at each index along one dimension. No arithmetic; reads the indices and one element for each.

    Backward: 1 per element of g, which is added where it was read.
    """
    return Work(read_bytes=index.bytes + out.bytes)


def _taken(x: TensorSpec, index: TensorSpec, *, dim: int = 0) -> TensorSpec:
    axis = axis_of(x, dim)
    return TensorSpec((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype)


@operator(
    "x: *shape, index: n -> *taken",
    infer=_taken,
    saves={"index": "the gradient is scattered to the slices that were read"},
    gradients={"x": _scattered},
)
def index_select(index: TensorSpec, out: TensorSpec) -> Work:
    """The slices of x at the indices along one dimension. No arithmetic; reads the indices and those slices.

    Backward: 1 per element of g, which is added where it was read.
    """
    return Work(read_bytes=index.bytes + out.bytes)


@operator(
    "x: m n ..., rows: k, columns: k -> k ...",
    saves={
        "rows": "the gradient is scattered to where it was read",
        "columns": "the gradient is scattered to where it was read",
    },
    gradients={"x": _scattered},
)
def index_pairs(rows: TensorSpec, columns: TensorSpec, out: TensorSpec) -> Work:
    """x[rows, columns]: the vector of x at each pair of indices. No arithmetic; reads the indices and those vectors.

    Backward: 1 per element of g, which is added where it was read.
    """
    return Work(read_bytes=rows.bytes + columns.bytes + out.bytes)


def _where(x: TensorSpec, *, dim: int | None = -1, keepdim: bool = False) -> TensorSpec:
    return TensorSpec(kept(x, dim=dim, keepdim=keepdim), "int64")


@operator("x: *shape -> *kept", infer=_where, gradients={"x": nothing})
def argmax(x: TensorSpec) -> Work:
    """Where the largest along one dimension is, the last unless said, or with dim=None of all. 1 per element: a
    comparison, as amax; none for ids, whose arithmetic is bytes and no FLOPs.

    Backward: none; an index has no gradient.
    """
    return Work(vector_flops=x.elements)


@operator("x: *shape -> *kept", infer=_where, gradients={"x": nothing})
def argmin(x: TensorSpec) -> Work:
    """Where the smallest along one dimension is, the last unless said, or with dim=None of all. 1 per element: a
    comparison, as amin; none for ids.

    Backward: none; an index has no gradient.
    """
    return Work(vector_flops=x.elements)


def _largest(x: TensorSpec, *, k: Any, dim: int = -1, largest: bool = True) -> list[TensorSpec]:
    axis = axis_of(x, dim)
    n = x.shape[axis]
    if type(k) is int and type(n) is int and not 0 < k <= n:
        which = "n" if axis == len(x.shape) - 1 else axis
        raise ShapeError(f"k is {k}, but dimension {which} of x has {n}")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return [TensorSpec(shape, x.dtype), TensorSpec(shape, "int64")]


@operator(
    "x: *shape -> values: *largest, indices: *largest",
    infer=_largest,
    saves={"indices": "the gradient is scattered to where the largest were"},
    gradients={"x": nothing},
)
def topk(x: TensorSpec) -> Work:
    """The k largest (or smallest) along one dimension, the last unless said, and where they are.

    1 per element: one comparison with the smallest of those found, the least that any selection needs (XLA counts 1
    per comparison; kernels that sort or pass several times do more).

    Backward: g is copied to where the largest were: no arithmetic.
    """
    return Work(vector_flops=x.elements)
