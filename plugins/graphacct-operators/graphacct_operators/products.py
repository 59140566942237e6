"""Products beside linear layers and matmul: with something added, of vectors, and of two inputs at once."""

from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, differ, operator
from graphacct_operators.gradient import per_shape, summed
from graphacct_operators.strides import axis_of

SAVES = (
    Saved("x", "the gradient of y is xᵀ g", needed_for="y"),
    Saved("y", "the gradient of x is g yᵀ", needed_for="x"),
)


def _is_one(factor: Any) -> bool:
    return type(factor) in (int, float) and factor == 1


def _added(c: TensorSpec, out: TensorSpec, *, beta: Any = 1) -> Work:
    return summed(c, out, 0 if _is_one(beta) else 1)


def _scaled_x(x: TensorSpec, *, alpha: Any = 1) -> Work:
    return Work(vector_flops=0 if _is_one(alpha) else x.elements)


def _scaled_y(y: TensorSpec, *, alpha: Any = 1) -> Work:
    return Work(vector_flops=0 if _is_one(alpha) else y.elements)


def _sum_shape(c: TensorSpec, x: TensorSpec, m: Any, n: Any) -> tuple[Any, ...]:
    shape = (*x.shape[:-2], m, n)
    last = shape[len(shape) - len(c.shape) :]
    if len(last) != len(c.shape) or any(
        differ(ours, theirs) and ours != 1 for ours, theirs in zip(c.shape, last, strict=True)
    ):
        raise ShapeError(f"c {list(c.shape)} does not broadcast to the product, {list(shape)}")
    return shape


@operator(
    "c: *added, x: *batches m k, y: *batches k n -> *batches m n",
    infer=_sum_shape,
    saves=SAVES,
    gradients={
        "c": _added,
        "x": lambda x, out, k, *, alpha=1: Work(2 * out.elements * k).plus(_scaled_x(x, alpha=alpha)),
        "y": lambda y, out, k, *, alpha=1: Work(2 * out.elements * k).plus(_scaled_y(y, alpha=alpha)),
    },
)
def matmul_add(out: TensorSpec, k: Any, *, beta: Any = 1, alpha: Any = 1) -> Work:
    """beta · c + alpha · x y, c of the product's shape or broadcast to it: torch's addmm and baddbmm.

    2 FLOPs per multiply-add; 1 per output element for the sum, and 1 more each for beta and alpha unless they are 1.

    Backward: as many FLOPs in products again for x, and for y, and 1 per element of theirs for alpha; for c g itself,
    times beta (1 per output element unless it is 1), and 1 per output element to sum it if c was broadcast.
    """
    factors = 1 + (0 if _is_one(beta) else 1) + (0 if _is_one(alpha) else 1)
    return Work(2 * out.elements * k, factors * out.elements)


@operator(
    "x: m k, y: k -> m",
    saves=SAVES,
    gradients={"x": lambda m, k: Work(vector_flops=m * k), "y": lambda m, k: Work(2 * m * k)},
)
def mv(m: Any, k: Any) -> Work:
    """A matrix times a vector. 2 FLOPs per multiply-add.

    Backward: for the matrix the outer product of g and y, 1 per element; for the vector as many FLOPs again.
    """
    return Work(2 * m * k)


@operator(
    "x: k, y: k ->",
    saves=SAVES,
    gradients={"x": lambda k: Work(vector_flops=k), "y": lambda k: Work(vector_flops=k)},
)
def dot(k: Any) -> Work:
    """The scalar product of two vectors. 2 FLOPs per multiply-add.

    Backward: 1 per element for each: g times the other.
    """
    return Work(2 * k)


@operator(
    "x: m, y: n -> m n",
    saves=SAVES,
    gradients={"x": lambda m, n: Work(vector_flops=2 * m * n), "y": lambda m, n: Work(vector_flops=2 * m * n)},
)
def outer(m: Any, n: Any) -> Work:
    """Every element of one vector times every element of another. 1 per output element, as torch runs it: a product
    with broadcasting.

    Backward: 2 per output element for each: g times the other, summed.
    """
    return Work(vector_flops=m * n)


def _of_weight(batch: Any, o: Any, i: Any, j: Any) -> Work:
    return Work(2 * batch * o * i * j, batch * o * i)


@operator(
    "x: ... i, y: ... j, weight: o i j, bias?: o -> ... o",
    saves=(
        Saved("x", "the gradients of y and the weight multiply by it", needed_for="y weight"),
        Saved("y", "the gradients of x and the weight multiply by it", needed_for="x weight"),
        Saved("weight", "the gradients of x and y multiply by it", needed_for="x y"),
    ),
    gradients={
        "x": lambda batch, o, i, j: Work(2 * batch * o * i * j + 2 * batch * o * i),
        "y": lambda batch, o, i, j: Work(2 * batch * o * i * j + 2 * batch * o * j),
        "weight": _of_weight,
        "bias": lambda batch, o: Work(vector_flops=batch * o),
    },
)
def bilinear(batch: Any, o: Any, i: Any, j: Any, bias: Any) -> Work:
    """xᵀ weight y + bias for each of o outputs, as torch.nn.Bilinear.

    Two contractions in turn, 2 FLOPs per multiply-add: weight with x, 2 · b · o · i · j, and that with y, 2 · b · o ·
    j; 1 per output element for the bias. torch's counter does not see the kernel (aten._trilinear).

    Backward: for x the weight with y, 2 · b · o · i · j, and that with g, 2 · b · o · i; for y the same the other way;
    for the weight g times x, 1 per product, contracted with y over the batch, 2 · b · o · i · j; 1 per output element
    for the bias.
    """
    return Work(2 * batch * o * i * j + 2 * batch * o * j, batch * o if bias else 0)


def _cross_shape(x: TensorSpec, *, dim: int = -1) -> TensorSpec:
    axis = axis_of(x, dim)
    if differ(x.shape[axis], 3):
        raise ShapeError(f"dimension {axis} of x is {x.shape[axis]}; a cross product is of vectors of 3")
    return TensorSpec(x.shape, x.dtype)


@operator(
    "x: *shape, y: *shape -> *shape",
    infer=_cross_shape,
    saves=(
        Saved("x", "the gradient of y is g × x", needed_for="y"),
        Saved("y", "the gradient of x is y × g", needed_for="x"),
    ),
    gradients={"x": per_shape(3), "y": lambda y: Work(vector_flops=3 * y.elements)},
)
def cross(x: TensorSpec) -> Work:
    """The cross product of vectors of 3 along one dimension. 3 per output element: two products, their difference.

    Backward: 3 per element for each: a cross product with g.
    """
    return Work(vector_flops=3 * x.elements)
