"""Elements chosen by a mask, and parts of a tensor written anew."""

from collections.abc import Sequence
from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, dense_like, differ, operator
from graphacct_operators.gradient import nothing, of_x
from graphacct_operators.strides import axis_of

HERE = {"mask": "the gradients are those of the elements where it is set"}


@operator(
    "x: ..., mask: ..., source: *given -> ...",
    saves=HERE,
    gradients={"x": of_x(1), "source": nothing},
)
def masked_scatter(batch: Any) -> Work:
    """x with the elements of source, one after the other, where the bool mask is set. No arithmetic.

    Backward: 1 per element for x, the selection; for source g where the mask is set, which is moved. 1 more to sum the
    gradient where x was broadcast.
    """
    return Work()


@operator(
    "x: ..., mask: ... -> count",
    infer=lambda x, mask, *, count: TensorSpec((count,), x.dtype),
    saves={"x": "its shape: torch refers to it whole", "mask": "the gradient is put where it is set"},
    gradients={"x": nothing},
)
def masked_select(mask: TensorSpec, out: TensorSpec) -> Work:
    """The elements of x where the bool mask is set, `count` of them. No arithmetic; reads the mask and those elements.

    Backward: g is put where they were: no arithmetic.
    """
    return Work(read_bytes=mask.bytes + out.bytes)


@operator(
    "x: *shape -> count rank",
    infer=lambda x, *, count: TensorSpec((count, len(x.shape)), "int64"),
    gradients={"x": nothing},
)
def nonzero(x: TensorSpec) -> Work:
    """The indices of the elements that are not 0, `count` of them. 1 per element: the comparison; none for bools and
    integers.

    Backward: none; an index has no gradient.
    """
    return Work(vector_flops=x.elements)


@operator("ids: ... -> ... classes", infer=lambda ids, *, classes: TensorSpec((*ids.shape, classes), "int64"))
def one_hot() -> Work:
    """For each id a row of zeros with a 1 at the id. No arithmetic: integer work is bytes, not FLOPs."""
    return Work()


@operator(
    "x: *shape, index: *at -> *at",
    infer=lambda x, index: TensorSpec(index.shape, x.dtype),
    saves={"x": "its shape: torch refers to it whole", "index": "the gradient is added to where it was read"},
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
)
def take(index: TensorSpec, out: TensorSpec) -> Work:
    """The elements at indices into x as one row. No arithmetic; reads the indices and those elements.

    Backward: 1 per element of g, which is added where it was read.
    """
    return Work(read_bytes=index.bytes + out.bytes)


def _put_at(x: TensorSpec, index: TensorSpec, source: TensorSpec, *, accumulate: bool = False) -> TensorSpec:
    if differ(index.elements, source.elements):
        raise ShapeError(
            f"index has {index.elements} elements but source has {source.elements}: put takes one for each"
        )
    return TensorSpec(x.shape, x.dtype)


def _sliced(x: TensorSpec, src: TensorSpec, *, dim: int = 0, start: Any = 0, step: int = 1) -> TensorSpec:
    axis = axis_of(x, dim)
    if len(src.shape) != len(x.shape):
        raise ShapeError(f"x has {len(x.shape)} dimensions but src has {len(src.shape)}: it needs as many")
    for other, (ours, theirs) in enumerate(zip(x.shape, src.shape, strict=True)):
        if other != axis and differ(ours, theirs):
            raise ShapeError(f"dimension {other} is {ours} in x but {theirs} in src")
    return dense_like(x)


def _selected(x: TensorSpec, src: TensorSpec, *, dim: int = 0, index: Any = 0) -> TensorSpec:
    axis = axis_of(x, dim)
    left: Sequence[Any] = (*x.shape[:axis], *x.shape[axis + 1 :])
    if len(left) != len(src.shape) or any(map(differ, left, src.shape)):
        raise ShapeError(f"one index of dimension {axis} of x is {list(left)}, but src is {list(src.shape)}")
    return dense_like(x)


@operator("x: *shape, src: *part -> *shape", infer=_sliced, gradients={"x": nothing, "src": nothing})
def slice_scatter() -> Work:
    """x with src in place of a slice, from `start` along one dimension. A copy; no arithmetic.

    Backward: g, zero in the slice, and the slice of g: no arithmetic.
    """
    return Work()


@operator("x: *shape, src: *part -> *shape", infer=_selected, gradients={"x": nothing, "src": nothing})
def select_scatter() -> Work:
    """x with src in place of one index along one dimension. A copy; no arithmetic.

    Backward: g, zero at the index, and g there: no arithmetic.
    """
    return Work()


@operator(
    "x: *shape, index: *at, source: *given -> *shape",
    infer=_put_at,
    saves=(
        Saved("index", "the gradients are those of the elements at these indices"),
        Saved("source", "torch refers to it for its shape", needed_for="source"),
    ),
    gradients={"x": nothing, "source": nothing},
)
def put(index: TensorSpec, *, accumulate: bool = False) -> Work:
    """x, as one row, with elements of source written at indices into it. No arithmetic, but 1 addition per index where
    it accumulates.

    Backward: g, zero where it was overwritten, and g read at the indices: no arithmetic.
    """
    return Work(vector_flops=index.elements if accumulate else 0)
