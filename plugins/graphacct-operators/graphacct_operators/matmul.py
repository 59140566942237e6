"""Matrix products: linear layers with their weights, batched products of two activations.

2 FLOPs per multiply-add, so 2mnk for (m, k) by (k, n): the convention of torch's counter, XLA and the literature
(the exact count of additions is k - 1 per output; nobody uses it). A multiply-add of complex numbers is four of real
ones, which the core sees to: 8mnk.
"""

from typing import Any

from graphacct import Saved, TensorSpec, Work, operator
from graphacct_operators.gradient import counted, is_broadcast

LINEAR_SAVES = (
    Saved("x", "the weight's gradient is gᵀ x", needed_for="weight"),
    Saved("weight", "the input's gradient is g weight", needed_for="x"),
)


def _sum_of_g(out: TensorSpec) -> Work:
    return counted(out, 1, 2)


@operator(
    "x: ... k, weight: n k, bias?: n -> ... n",
    contracts=("x", "weight"),
    saves=LINEAR_SAVES,
    gradients={"bias": _sum_of_g},
)
def linear(out: TensorSpec, bias: Any) -> Work:
    """y = x weightᵀ + bias, the weight stored (out, in) as torch.nn.Linear does.

    2 FLOPs per multiply-add; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return counted(out, 1, 2) if bias else Work()


@operator(
    "x: ... k, weight: k n, bias?: n -> ... n",
    contracts=("x", "weight"),
    saves=LINEAR_SAVES,
    gradients={"bias": _sum_of_g},
)
def linear_in_out(out: TensorSpec, bias: Any) -> Work:
    """y = x weight + bias, the weight stored (in, out) as the published GPT-2's Conv1D does.

    2 FLOPs per multiply-add; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return counted(out, 1, 2) if bias else Work()


def _of_x(x: TensorSpec, out: TensorSpec, m: Any, k: Any, batch: Any) -> Work:
    return Work(vector_flops=batch * m * k if _summed(x, out) else 0)


def _of_y(y: TensorSpec, out: TensorSpec, k: Any, n: Any, batch: Any) -> Work:
    return Work(vector_flops=batch * k * n if _summed(y, out) else 0)


def _summed(operand: TensorSpec, out: TensorSpec) -> bool:
    """Returns whether its gradients are summed afterwards: a single matrix is contracted over the batch at once."""
    several, all_of_them = TensorSpec(operand.shape[:-2]), TensorSpec(out.shape[:-2])
    return len(operand.shape) > 2 and is_broadcast(several, all_of_them)


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
