"""Experts: projections whose weight depends on the row."""

from typing import Any

from graphacct import Dim, Node, Parameter, Saved, TensorSpec, Work, minimum, operator, prod

SAVES = (
    Saved("x", "the weight's gradient is gᵀ x, of each expert's rows", serves="weight"),
    Saved("weight", "the input's gradient is g weight, of each row's expert", serves="x"),
    Saved("ids", "the gradients are of the same experts"),
)


def _products(r: Any, n: Any, k: Any) -> Work:
    return Work(matmul_flops=2 * r * n * k)


def _sum_of_g(r: Any, n: Any) -> Work:
    return Work(vector_flops=r * n)


def _applied(r: Any, e: Any, n: Any, k: Any, x: TensorSpec, weight: TensorSpec, ids: TensorSpec, bias: Any) -> Work:
    experts = minimum(e, r)
    read = x.bytes + ids.bytes + experts * TensorSpec((n, k), weight.dtype).bytes
    if bias is not None:
        read += experts * TensorSpec((n,), bias.dtype).bytes
    return Work(2 * r * n * k, 0 if bias is None else r * n, read_bytes=read)


@operator(
    "x: r k, weight: e n k, ids: r, bias?: e n -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
)
def grouped_linear(
    r: Any,
    e: Any,
    n: Any,
    k: Any,
    x: TensorSpec,
    weight: TensorSpec,
    ids: TensorSpec,
    bias: TensorSpec | None,
    *,
    per_token: Any = 1,
) -> Work:
    """y = x weightᵀ + bias with the weight of the row's own expert, the weights stored (experts, out, in).

    2 FLOPs per multiply-add of each row with its one expert, so 2 r n k however many experts there are, as torch's
    counter has the batched and the grouped product; one addition per output element for the bias. Reads each expert
    that has a row once, taking as many to have one as can: as many as there are rows, or all. `per_token` is how many
    rows a token has, for the parameters that it uses; it changes no cost.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ids, bias)


@operator(
    "x: r k, weight: e k n, ids: r, bias?: e n -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
)
def grouped_linear_in_out(
    r: Any,
    e: Any,
    n: Any,
    k: Any,
    x: TensorSpec,
    weight: TensorSpec,
    ids: TensorSpec,
    bias: TensorSpec | None,
    *,
    per_token: Any = 1,
) -> Work:
    """As grouped_linear, with the weights stored (experts, in, out).

    2 FLOPs per multiply-add of each row with its one expert; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ids, bias)


EXPERTS = (grouped_linear.name, grouped_linear_in_out.name)


def active_params(parameter: Parameter, node: Node) -> Dim:
    """The elements of a node's parameter that one token uses: of experts' weights those of the chosen experts."""
    if node.operator not in EXPERTS:
        return parameter.spec.elements
    return prod(parameter.spec.shape[1:]) * node.attributes.get("per_token", 1)
