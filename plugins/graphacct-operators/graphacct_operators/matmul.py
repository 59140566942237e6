"""Matrix products: linear layers with their weights, batched products of two activations, einsum.

2 FLOPs per multiply-add, so 2mnk for (m, k) by (k, n): the convention of torch's counter, XLA and the literature
(the exact count of additions is k - 1 per output; nobody uses it).
"""

from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, operator, prod
from graphacct_operators.gradient import is_broadcast

LINEAR_SAVES = (
    Saved("x", "the weight's gradient is gᵀ x", needed_for="weight"),
    Saved("weight", "the input's gradient is g weight", needed_for="x"),
)


KIND = "'b h s d, b h t d -> b h s t'"


def _sum_of_g(batch: Any, n: Any) -> Work:
    return Work(vector_flops=batch * n)


@operator(
    "x: ... k, weight: n k, bias?: n -> ... n",
    contracts=("x", "weight"),
    saves=LINEAR_SAVES,
    gradients={"bias": _sum_of_g},
)
def linear(batch: Any, n: Any, bias: Any) -> Work:
    """y = x weightᵀ + bias, the weight stored (out, in) as torch.nn.Linear does.

    2 FLOPs per multiply-add; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return Work(vector_flops=batch * n if bias else 0)


@operator(
    "x: ... k, weight: k n, bias?: n -> ... n",
    contracts=("x", "weight"),
    saves=LINEAR_SAVES,
    gradients={"bias": _sum_of_g},
)
def linear_in_out(batch: Any, n: Any, bias: Any) -> Work:
    """y = x weight + bias, the weight stored (in, out) as the published GPT-2's Conv1D does.

    2 FLOPs per multiply-add; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return Work(vector_flops=batch * n if bias else 0)


def _of_x(x: TensorSpec, out: TensorSpec, m: Any, k: Any, batch: Any) -> Work:
    return Work(vector_flops=batch * m * k if _summed(x, out) else 0)


def _of_y(y: TensorSpec, out: TensorSpec, k: Any, n: Any, batch: Any) -> Work:
    return Work(vector_flops=batch * k * n if _summed(y, out) else 0)


def _summed(operand: TensorSpec, out: TensorSpec) -> bool:
    """Returns whether its gradients are summed afterwards: a single matrix is contracted over the batch at once."""
    return len(operand.shape) > 2 and is_broadcast(operand, out)


@operator(
    "x: ... m k, y: ... k n -> ... m n",
    contracts=("x", "y"),
    saves=(
        Saved("x", "the gradient of y is xᵀ g", needed_for="y"),
        Saved("y", "the gradient of x is g yᵀ", needed_for="x"),
    ),
    gradients={"x": _of_x, "y": _of_y},
)
def matmul() -> None:
    """The batched matrix product of two activations. 2 FLOPs per multiply-add.

    Backward: as many FLOPs again for each operand. One that was broadcast along the batch has its gradients summed, 1
    per element; a single matrix is contracted over the whole batch at once, as torch folds it, with nothing to sum.
    """


def _labels(equation: str) -> tuple[list[str], list[str], list[str]]:
    """Returns the labels of both operands and of the output: words, or single letters when no term has blanks in it."""
    sides = [part.strip() for part in equation.replace("->", ",").split(",")]
    if len(sides) > 3 and equation.count("->") == 1:
        raise ShapeError(
            f"equation {equation!r} is not of the kind {KIND}: write its {len(sides) - 1} operands as two einsums"
        )
    if equation.count("->") != 1 or len(sides) != 3 or "." in equation:
        raise ShapeError(f"equation {equation!r} is not of the kind {KIND}")
    words = any(" " in side for side in sides)
    first, second, result = ([*side.split()] if words else [*side] for side in sides)
    for side in (first, second, result):
        if len(set(side)) < len(side):
            raise ShapeError(f"equation {equation!r} has a label twice in one term; take the diagonal first")
    for label in result:
        if label not in first and label not in second:
            raise ShapeError(f"equation {equation!r}: no operand has the output's label {label!r}")
    for label in {*first} ^ {*second}:
        if label not in result:
            raise ShapeError(f"equation {equation!r}: only one operand has {label!r}; sum over it first")
    return first, second, result


def _sizes(x: TensorSpec, y: TensorSpec, equation: str) -> dict[str, Any]:
    """Returns the size of each label; ShapeError if the operands do not fit."""
    first, second, _ = _labels(equation)
    sizes: dict[str, Any] = {}
    for name, labels, spec in (("x", first, x), ("y", second, y)):
        if len(labels) != len(spec.shape):
            raise ShapeError(f"{name} has {len(spec.shape)} dimensions, {equation!r} names {len(labels)}")
        for label, size in zip(labels, spec.shape, strict=True):
            known = sizes.setdefault(label, size)
            if type(known) is int and type(size) is int and known != size:
                raise ShapeError(f"dimension {label} is {known} in x but {size} in y: {equation!r}")
    return sizes


def _einsum_shape(x: TensorSpec, y: TensorSpec, *, equation: str) -> tuple[Any, ...]:
    sizes = _sizes(x, y, equation)
    return tuple(sizes[label] for label in _labels(equation)[2])


def _einsum_x(x: TensorSpec, y: TensorSpec, *, equation: str) -> Work:
    return _einsum_gradient(x, y, equation, 0)


def _einsum_y(x: TensorSpec, y: TensorSpec, *, equation: str) -> Work:
    return _einsum_gradient(x, y, equation, 1)


def _einsum_gradient(x: TensorSpec, y: TensorSpec, equation: str, which: int) -> Work:
    sizes, labels = _sizes(x, y, equation), _labels(equation)
    everything = prod(sizes.values())
    if len(sizes) == len(labels[2]):
        return Work(vector_flops=(1 + (len(labels[which]) < len(sizes))) * everything)
    return Work(matmul_flops=2 * everything)


@operator(
    "x: *first, y: *second -> *result",
    infer=_einsum_shape,
    saves=(
        Saved("x", "the gradient of y contracts it with g", needed_for="y"),
        Saved("y", "the gradient of x contracts it with g", needed_for="x"),
    ),
    gradients={"x": _einsum_x, "y": _einsum_y},
    more_operands="write it as two einsums, because the work depends on which two are multiplied first",
)
def einsum(x: TensorSpec, y: TensorSpec, *, equation: str) -> Work:
    """The contraction of two operands that the equation writes: "b h s d, b h t d -> b h s t", or in single letters.

    2 FLOPs per multiply-add, so 2 × the product of all labels, batch and contracted ones once. Where nothing is
    contracted it is an element-wise product, 1 per output element (torch runs it as one).

    Backward: as many FLOPs again for each operand; where nothing is contracted 1 per output element, and 1 more to sum
    the gradient of an operand that lacks a label.
    """
    sizes = _sizes(x, y, equation)
    everything = prod(sizes.values())
    if len(sizes) == len(_labels(equation)[2]):
        return Work(vector_flops=everything)
    return Work(matmul_flops=2 * everything)
