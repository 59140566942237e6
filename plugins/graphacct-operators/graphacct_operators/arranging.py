"""Elements kept or moved by their place, without a look at them."""

from collections.abc import Sequence

from graphacct import ShapeError, TensorSpec, Work, dense_like, minimum, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.strides import axes_of, axis_of, strided, strides_of

UNARY = "x: ... -> ..."


def _row_major(x: TensorSpec) -> TensorSpec:
    return TensorSpec(x.shape, x.dtype)


@operator("x: ... m n -> ... m n", infer=lambda x, *, diagonal=0: _row_major(x), gradients={"x": nothing})
def tril() -> Work:
    """The lower triangle of each matrix, zero above the `diagonal`. A copy; no arithmetic: which elements stay depends
    on their places alone.

    Backward: the lower triangle of g: no arithmetic.
    """
    return Work()


@operator("x: ... m n -> ... m n", infer=lambda x, *, diagonal=0: _row_major(x), gradients={"x": nothing})
def triu() -> Work:
    """The upper triangle of each matrix, zero below the `diagonal`. A copy; no arithmetic: which elements stay depends
    on their places alone.

    Backward: the upper triangle of g: no arithmetic.
    """
    return Work()


def _flipped(x: TensorSpec, *, dims: Sequence[int]) -> TensorSpec:
    axes_of(x, dims)
    return dense_like(x)


@operator(UNARY, infer=_flipped, gradients={"x": nothing})
def flip() -> Work:
    """The elements in the opposite order along some dimensions. A copy; no arithmetic.

    Backward: g in the opposite order: no arithmetic.
    """
    return Work()


def _diagonal(x: TensorSpec, *, offset: int = 0, dim1: int = 0, dim2: int = 1) -> TensorSpec:
    first, second = axis_of(x, dim1), axis_of(x, dim2)
    if first == second:
        raise ShapeError(f"dim1 and dim2 are both dimension {first}: a diagonal runs over two")
    rows, columns = (
        (x.shape[first], x.shape[second] - offset) if offset >= 0 else (x.shape[first] + offset, x.shape[second])
    )
    strides = strides_of(x)
    rest = [axis for axis in range(len(x.shape)) if axis not in (first, second)]
    return strided(
        (*(x.shape[axis] for axis in rest), minimum(rows, columns)),
        (*(strides[axis] for axis in rest), strides[first] + strides[second]),
        x.dtype,
    )


@operator(UNARY, infer=_diagonal, view=True)
def diagonal() -> Work:
    """The diagonal of two dimensions, as the last dimension: a view. No arithmetic."""
    return Work()


def _on_diagonal(x: TensorSpec, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> TensorSpec:
    rank = len(x.shape) + 1
    size = x.shape[-1] + abs(offset)
    shape = [*x.shape[:-1]]
    for axis in sorted((dim1 % rank, dim2 % rank)):
        shape.insert(axis, size)
    return TensorSpec(tuple(shape), x.dtype)


@operator("x: ... n -> ...", infer=_on_diagonal, gradients={"x": nothing})
def diag_embed() -> Work:
    """Matrices with the last dimension on their diagonal, zero elsewhere. A copy; no arithmetic.

    Backward: the diagonal of g: a view.
    """
    return Work()


def _packed(x: TensorSpec, *, rows: int, steps: int) -> list[TensorSpec]:
    return [TensorSpec((rows, *x.shape[2:]), x.dtype), TensorSpec((steps,), "int64")]


@operator(
    "x: m n ... -> packed: *rows, sizes: *steps",
    infer=_packed,
    saves={"sizes": "the gradient goes back to the steps that there were"},
    gradients={"x": nothing},
)
def pack_padded() -> Work:
    """Padded sequences without their padding: `rows` steps of all sequences, step after step, and how many sequences
    each of the longest one's `steps` has. A copy; no arithmetic.

    Backward: g with zeros for the padding: no arithmetic.
    """
    return Work()
