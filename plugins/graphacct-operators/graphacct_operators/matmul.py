"""Matrix products: linear layers with their weights, and batched products of two activations.

2 FLOPs per multiply-add, so 2mnk for (m, k) by (k, n): the convention of torch's counter, XLA and the literature
(the exact count of additions is k - 1 per output; nobody uses it).
"""

from typing import Any

from graphacct import Work, operator

LINEAR_SAVES = {"x": "the weight's gradient is gᵀ x", "weight": "the input's gradient is g weight"}


@operator("x: ... k, weight: n k, bias?: n -> ... n", contracts=("x", "weight"), saves=LINEAR_SAVES)
def linear(batch: Any, n: Any, bias: Any) -> Work:
    """y = x weightᵀ + bias, the weight stored (out, in) as torch.nn.Linear does.

    2 FLOPs per multiply-add; one addition per output element for the bias.
    """
    return Work(vector_flops=batch * n if bias else 0)


@operator("x: ... k, weight: k n, bias?: n -> ... n", contracts=("x", "weight"), saves=LINEAR_SAVES)
def linear_in_out(batch: Any, n: Any, bias: Any) -> Work:
    """y = x weight + bias, the weight stored (in, out) as the published GPT-2's Conv1D does.

    2 FLOPs per multiply-add; one addition per output element for the bias.
    """
    return Work(vector_flops=batch * n if bias else 0)


@operator(
    "x: ... m k, y: ... k n -> ... m n",
    contracts=("x", "y"),
    saves={"x": "the gradient of y is xᵀ g", "y": "the gradient of x is g yᵀ"},
)
def matmul() -> None:
    """The batched matrix product of two activations. 2 FLOPs per multiply-add."""
