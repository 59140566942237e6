"""Writing by index or mask, and reading by several indices. What is only moved is bytes; what is added counts 1.

The result is a new tensor, a copy of x with the elements written in it.
"""

from collections.abc import Sequence
from typing import Any

from graphacct import OperatorError, Saved, ShapeError, TensorSpec, Work, differ, has_value, operator, prod, same
from graphacct_operators.gradient import nothing
from graphacct_operators.strides import axis_of, check_broadcasts

AT = "the gradients are those of the elements at these indices"
READ_AT = "the gradient of src is read at these indices"
REFERENCE = "its shape: torch refers to it whole"


def _like_x(x: TensorSpec, *, dim: int = 0) -> TensorSpec:
    axis_of(x, dim)
    return TensorSpec(x.shape, x.dtype)


def _scattered(x: TensorSpec, index: TensorSpec, src: TensorSpec | None, *, dim: int) -> TensorSpec:
    if len(index.shape) != len(x.shape):
        raise ShapeError(f"x has {len(x.shape)} dimensions but index has {len(index.shape)}: it needs as many")
    if src is not None:
        for axis, (size, own) in enumerate(zip(src.shape, index.shape, strict=False)):
            if has_value(size) and has_value(own) and own > size:
                raise ShapeError(f"dimension {axis} is {size} in src but {own} in index, which may not be larger")
    return _like_x(x, dim=dim)


SCATTER = "x: *shape, index: *at, src?: *given -> *shape"
ADDED = "x: *shape, index: *at, src: *given -> *shape"


@operator(SCATTER, infer=_scattered, saves={"index": AT}, gradients={"x": nothing, "src": nothing})
def scatter() -> Work:
    """x with elements of src, or without it a number, written at each index along one dimension. No arithmetic.

    Backward: g, zero where it was overwritten, and g read at the indices: no arithmetic.
    """
    return Work()


@operator(
    ADDED,
    infer=_scattered,
    saves=(Saved("index", READ_AT, needed_for="src"),),
    gradients={"x": nothing, "src": nothing},
)
def scatter_add(index: TensorSpec) -> Work:
    """x with elements of src added at each index along one dimension. 1 addition per index.

    Backward: g itself, and g read at the indices: no arithmetic.
    """
    return Work(vector_flops=index.elements)


def _reduced_by(x: TensorSpec, index: TensorSpec, src: TensorSpec, *, dim: int, reduce: str) -> TensorSpec:
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise OperatorError(f"reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', not {reduce!r}")
    return _scattered(x, index, src, dim=dim)


def _of_reduced(x: TensorSpec, index: TensorSpec, *, reduce: str) -> Work:
    each = {"sum": (0, 0), "mean": (1, 1), "prod": (4, 6), "amax": (3, 3), "amin": (3, 3)}[reduce]
    return Work(vector_flops=each[0] * x.elements + each[1] * index.elements)


@operator(
    ADDED,
    infer=_reduced_by,
    saves={"x": REFERENCE, "index": AT, "src": REFERENCE, "out": "the gradient compares with it, or divides it"},
    gradients={"*": _of_reduced},
)
def scatter_reduce(x: TensorSpec, index: TensorSpec, *, reduce: str) -> Work:
    """x combined with elements of src at each index along one dimension: their sum, product, mean, largest or smallest.

    1 per index; for the mean 2, of which one counts, and a division per element of x.

    Backward: nothing for a sum; for the mean 1 per element of x (g divided by the count) and 1 per index (the count);
    for the largest 3 and 3: compare with the result, count those equal, g shared among them; for a product 4 and 6:
    zeros set apart, g times the product of the others.
    """
    if reduce == "mean":
        return Work(vector_flops=2 * index.elements + x.elements)
    return Work(vector_flops=index.elements)


def _row(x: TensorSpec, index: TensorSpec, source: TensorSpec, *, dim: int = 0) -> TensorSpec:
    axis = axis_of(x, dim)
    if len(source.shape) != len(x.shape):
        raise ShapeError(f"x has {len(x.shape)} dimensions but source has {len(source.shape)}: it needs as many")
    for other, (ours, theirs) in enumerate(zip(x.shape, source.shape, strict=True)):
        if other != axis and differ(ours, theirs):
            raise ShapeError(f"dimension {other} is {ours} in x but {theirs} in source")
        if other == axis and differ(index.shape[0], theirs):
            raise ShapeError(f"dimension n is {index.shape[0]} in index but dimension {axis} of source is {theirs}")
    return TensorSpec(x.shape, x.dtype)


ROWS = "x: *shape, index: n, source: *given -> *shape"
OF_SOURCE = (Saved("index", AT, needed_for="source"), Saved("source", REFERENCE, needed_for="source"))


@operator(ROWS, infer=_row, saves=OF_SOURCE, gradients={"x": nothing, "source": nothing})
def index_add(source: TensorSpec) -> Work:
    """x with the slices of source added at the indices along one dimension. 1 addition per element of source.

    Backward: g itself, and the slices of g at the indices: no arithmetic.
    """
    return Work(vector_flops=source.elements)


@operator(
    ROWS,
    infer=_row,
    saves=(Saved("index", AT), Saved("source", REFERENCE, needed_for="source")),
    gradients={"x": nothing, "source": nothing},
)
def index_copy() -> Work:
    """x with the slices of source written at the indices along one dimension. No arithmetic.

    Backward: g, zero where it was overwritten, and the slices of g at the indices: no arithmetic.
    """
    return Work()


@operator("x: *shape, index: n -> *shape", infer=_like_x, saves={"index": AT}, gradients={"x": nothing})
def index_fill() -> Work:
    """x with a number written in the slices at the indices along one dimension. No arithmetic.

    Backward: g, zero where it was overwritten: no arithmetic.
    """
    return Work()


def _slices_reduced(x: TensorSpec, index: TensorSpec, source: TensorSpec, *, dim: int, reduce: str) -> TensorSpec:
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise OperatorError(f"reduce is 'prod', 'mean', 'amax' or 'amin', not {reduce!r}")
    return _row(x, index, source, dim=dim)


def _of_slices_reduced(x: TensorSpec, source: TensorSpec, *, reduce: str) -> Work:
    each = {"mean": (2, 2), "prod": (5, 9), "amax": (3, 3), "amin": (3, 3)}[reduce]
    return Work(vector_flops=each[0] * x.elements + each[1] * source.elements)


@operator(
    ROWS,
    infer=_slices_reduced,
    saves={"x": REFERENCE, "index": AT, "source": REFERENCE, "out": "the gradient compares with it, or divides it"},
    gradients={"*": _of_slices_reduced},
)
def index_reduce(x: TensorSpec, source: TensorSpec, *, reduce: str) -> Work:
    """x combined with the slices of source at the indices along one dimension: product, mean, largest or smallest.

    1 per element of source; for the mean 2, of which one counts, and a division per element of x.

    Backward, per element of x and of source, as torch composes it: for the mean 2 and 2 (the count, at least 1, and g
    divided by it); for the largest and the smallest 3 and 3: compare with the result, count those equal, g shared among
    them; for a product 5 and 9: zeros set apart, g times the product of the others.
    """
    if reduce == "mean":
        return Work(vector_flops=2 * source.elements + x.elements)
    return Work(vector_flops=source.elements)


def _picked(x: TensorSpec, indices: Sequence[TensorSpec], dims: Sequence[int], count: Any) -> tuple[Any, ...]:
    """Returns the shape of x[indices]: in place of the indexed dimensions what the indices broadcast to, in front if
    others lie between them. A mask stands for as many dimensions as it has, and for `count` indices."""
    if len(dims) != len(indices):
        raise ShapeError(f"{len(indices)} indices need as many dims, not {list(dims)}")
    gone: list[int] = []
    found: tuple[Any, ...] = ()
    for dim, index in zip(dims, indices, strict=True):
        axis = axis_of(x, dim)
        if index.dtype in ("bool", "uint8"):
            if count is None:
                raise OperatorError("a mask needs the attribute 'count': how many of its elements are set")
            for other, (ours, theirs) in enumerate(zip(x.shape[axis:], index.shape, strict=False)):
                if differ(ours, theirs):
                    raise ShapeError(f"dimension {axis + other} is {ours} in x but {theirs} in the mask")
            gone.extend(range(axis, axis + len(index.shape)))
            shape: tuple[Any, ...] = (count,)
        else:
            gone.append(axis)
            shape = index.shape
        found = _broadcast(found, shape)
    if not gone:
        return x.shape
    together = gone == list(range(gone[0], gone[0] + len(gone)))
    rest = [(axis, size) for axis, size in enumerate(x.shape) if axis not in gone]
    front = [size for axis, size in rest if axis < gone[0]] if together else []
    return (*front, *found, *(size for axis, size in rest if not together or axis > gone[0]))


def _broadcast(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(_common(x, y) for x, y in pairs)


def _common(x: Any, y: Any) -> Any:
    if same(x, 1) or same(x, y):
        return y
    if not same(y, 1) and differ(x, y):
        raise ShapeError(f"indices of {x} and {y} elements do not broadcast")
    return x


def _indexed(x: TensorSpec, indices: Sequence[TensorSpec], *, dims: Sequence[int], count: Any = None) -> TensorSpec:
    return TensorSpec(_picked(x, indices, dims, count), x.dtype)


@operator(
    "x: *shape, indices*: ... -> *picked",
    infer=_indexed,
    saves={"indices": "the gradient is added to where it was read"},
    gradients={"x": lambda out: Work(vector_flops=out.elements)},
)
def index(indices: Sequence[TensorSpec], out: TensorSpec) -> Work:
    """x[…] at several indices that broadcast, or at a mask: each of `dims` has an index. No arithmetic; reads the
    indices and the elements that they select, `count` of which a mask sets.

    Backward: 1 per element of g, which is added where it was read.
    """
    return Work(read_bytes=sum(index.bytes for index in indices) + out.bytes)


def _put(
    x: TensorSpec,
    values: TensorSpec,
    indices: Sequence[TensorSpec],
    *,
    dims: Sequence[int],
    count: Any = None,
    accumulate: bool = False,
) -> TensorSpec:
    check_broadcasts(values, _picked(x, indices, dims, count), "values", "x at the indices")
    return TensorSpec(x.shape, x.dtype)


def _of_values(
    x: TensorSpec,
    values: TensorSpec,
    indices: Sequence[TensorSpec],
    *,
    dims: Sequence[int],
    count: Any = None,
    accumulate: bool = False,
) -> Work:
    places = prod(_picked(x, indices, dims, count))
    return Work(vector_flops=0 if same(places, values.elements) else places)


@operator(
    "x: *shape, values: *given, indices*: ... -> *shape",
    infer=_put,
    saves={"indices": AT},
    gradients={"x": nothing, "values": _of_values},
)
def index_put(
    x: TensorSpec,
    indices: Sequence[TensorSpec],
    *,
    dims: Sequence[int],
    count: Any = None,
    accumulate: bool = False,
) -> Work:
    """x with values written at several indices, or at a mask (`dims` and `count` as for `index`). No arithmetic, but 1
    addition per place where it accumulates.

    Backward: g, zero where it was overwritten, and g at the indices: no arithmetic, but 1 per place to sum the gradient
    of values that were broadcast.
    """
    return Work(vector_flops=prod(_picked(x, indices, dims, count)) if accumulate else 0)
