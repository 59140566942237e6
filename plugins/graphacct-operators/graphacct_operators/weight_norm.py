"""A weight given by its direction and its length."""

from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, differ, operator


def _normed(v: TensorSpec, g: TensorSpec) -> tuple[Any, ...]:
    lengths = g.shape if g.shape else (1,) * len(v.shape)
    if len(lengths) != len(v.shape) or any(
        differ(size, length) and length != 1 for size, length in zip(v.shape, lengths, strict=True)
    ):
        raise ShapeError(
            f"g {list(g.shape)} has no length for each row of v {list(v.shape)}: it is 1 or the row's size"
        )
    return v.shape


def _of_v(v: TensorSpec, g: TensorSpec) -> Work:
    return Work(vector_flops=6 * v.elements + 4 * g.elements)


def _of_g(wanted: tuple[bool, ...], v: TensorSpec, g: TensorSpec) -> Work:
    return Work(vector_flops=g.elements if wanted[0] else 2 * v.elements + 2 * g.elements)


@operator(
    "v: *shape, g: *lengths -> *shape",
    infer=_normed,
    saves=(
        Saved("v", "the gradients need the direction"),
        Saved("g", "the gradient of v is scaled by it"),
        Saved("norm", "one per row, kept so that backward need not reduce again", "*lengths", "float32"),
    ),
    gradients={"v": _of_v, "g": _of_g},
)
def weight_norm(v: TensorSpec, g: TensorSpec) -> Work:
    """g v / |v|, one length for each row of v (Salimans and Kingma, 2016): torch's weight_norm, whose g has the sizes
    of v in the dimensions that are kept and 1 elsewhere.

    3 per element: square, the sum, times the row's factor; 2 per row: the root, g divided by it.

    Backward, in one kernel: 6 per element for v: g's product with v and its sum (2), then both parts of the gradient,
    scaled (4); 4 per row: 1 / norm, its cube, times the sum. For g 1 per row beside v; alone 2 per element and 2 per
    row.
    """
    return Work(vector_flops=3 * v.elements + 2 * g.elements, transcendentals=g.elements)
