"""Experts: projections whose weight depends on the row."""

from typing import Any

from graphacct import Saved, TensorSpec, Work, minimum, operator

SAVES = (
    Saved("x", "the weight's gradient is gᵀ x, of each expert's rows", serves="weight"),
    Saved("weight", "the input's gradient is g weight, of each row's expert", serves="x"),
    Saved("ids", "the gradients are of the same experts"),
)


def _products(r: Any, n: Any, k: Any) -> Work:
    return Work(matmul_flops=2 * r * n * k)


def _sum_of_g(r: Any, n: Any) -> Work:
    return Work(vector_flops=r * n)


def _applied(
    r: Any, e: Any, n: Any, k: Any, x: TensorSpec, weight: TensorSpec, ids: TensorSpec, bias: TensorSpec | None
) -> Work:
    rows = minimum(e, r)
    weights = rows * n * k * weight.bytes // (e * n * k)
    biases = 0 if bias is None else rows * n * bias.bytes // (e * n)
    return Work(2 * r * n * k, 0 if bias is None else r * n, read_bytes=x.bytes + ids.bytes + weights + biases)


@operator(
    "x: r k, weight: e n k, ids: r, bias?: e n -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
)
def grouped_linear(
    r: Any, e: Any, n: Any, k: Any, x: TensorSpec, weight: TensorSpec, ids: TensorSpec, bias: TensorSpec | None
) -> Work:
    """y = x weightᵀ + bias with the weight of the row's own expert, the weights stored (experts, out, in).

    2 FLOPs per multiply-add of each row with its one expert, so 2 r n k however many experts there are, as torch's
    counter has the batched product; one addition per output element for the bias. Reads each expert that has a row at
    most once: as many as there are rows, or all.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ids, bias)


@operator(
    "x: r k, weight: e k n, ids: r, bias?: e n -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
)
def grouped_linear_in_out(
    r: Any, e: Any, n: Any, k: Any, x: TensorSpec, weight: TensorSpec, ids: TensorSpec, bias: TensorSpec | None
) -> Work:
    """As grouped_linear, with the weights stored (experts, in, out).

    2 FLOPs per multiply-add of each row with its one expert; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ids, bias)
