"""Experts: projections in which each row has its own expert's weight."""

from typing import Any

from graphacct import Saved, TensorSpec, Work, minimum, operator

SAVES = (
    Saved("x", "the weight's gradient is gᵀ x, of each expert's rows", needed_for="weight"),
    Saved("weight", "the input's gradient is g weight, of each row's expert", needed_for="x"),
    Saved("ends", "the gradients are of the same experts"),
    Saved("owners", "the bias's gradient is added to each row's expert", needed_for="bias"),
)


def _places(r: Any, *, experts: Any, per_token: Any = 1) -> list[TensorSpec]:
    return [TensorSpec((r,), "int64")] * 3 + [TensorSpec((experts,), "int32"), TensorSpec((r,), "int64")]


@operator("ids: r -> tokens: r, order: r, places: r, ends: e, owners: r", infer=_places, role="experts")
def by_expert(*, experts: Any, per_token: Any = 1) -> Work:
    """The order in which rows lie side by side by their experts: for each row in it the token (of `per_token` rows) and
    the row that it is, for each row the place that it has there, where each expert's rows end, and for each row in the
    order the expert that owns it. No arithmetic: that on indices is not counted.
    """
    return Work()


def _products(r: Any, n: Any, k: Any) -> Work:
    return Work(matmul_flops=2 * r * n * k)


def _sum_of_g(r: Any, n: Any) -> Work:
    return Work(vector_flops=r * n)


def _applied(r: Any, e: Any, n: Any, k: Any, x: TensorSpec, weight: TensorSpec, ends: TensorSpec, bias: Any) -> Work:
    experts = minimum(e, r)
    read = x.bytes + ends.bytes + experts * TensorSpec((n, k), weight.dtype).bytes
    if bias is not None:
        read += experts * TensorSpec((n,), bias.dtype).bytes
    return Work(2 * r * n * k, 0 if bias is None else r * n, read_bytes=read)


@operator(
    "x: r k, weight: e n k, ends: e, bias?: e n, owners?: r -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
    role="experts",
)
def grouped_linear(
    r: Any,
    e: Any,
    n: Any,
    k: Any,
    x: TensorSpec,
    weight: TensorSpec,
    ends: TensorSpec,
    bias: TensorSpec | None,
    *,
    per_token: Any = 1,
) -> Work:
    """y = x weightᵀ + bias with the weight of the row's own expert, the weights stored (experts, out, in). The rows
    lie in the order of the experts; `ends` says where each expert's end, and `owners`, which a bias needs, which
    expert's bias each row gets.

    2 FLOPs per multiply-add of each row with its one expert, so 2 r n k however many experts there are, as torch's
    counter has the batched and the grouped product; one addition per output element for the bias. Reads each expert
    that has a row once, taking as many to have one as can: as many as there are rows, or all. `per_token` is how many
    rows a token has, for the parameters that it uses; it changes no cost.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ends, bias)


@operator(
    "x: r k, weight: e k n, ends: e, bias?: e n, owners?: r -> r n",
    saves=SAVES,
    gradients={"x": _products, "weight": _products, "bias": _sum_of_g},
    role="experts",
)
def grouped_linear_in_out(
    r: Any,
    e: Any,
    n: Any,
    k: Any,
    x: TensorSpec,
    weight: TensorSpec,
    ends: TensorSpec,
    bias: TensorSpec | None,
    *,
    per_token: Any = 1,
) -> Work:
    """As grouped_linear, with the weights stored (experts, in, out).

    2 FLOPs per multiply-add of each row with its one expert; one addition per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    return _applied(r, e, n, k, x, weight, ends, bias)


def _of_groups(m: Any, n: Any, k: Any) -> Work:
    return Work(matmul_flops=2 * m * n * k)


OF_GROUPS = (
    Saved("x", "the gradient of y is of the same groups", needed_for="y"),
    Saved("y", "the gradient of x is of the same groups", needed_for="x"),
    Saved("ends", "the gradients are of the same groups"),
)


@operator(
    "x: e m k, y: k n, ends: e -> m n",
    saves=OF_GROUPS,
    gradients={"x": _of_groups, "y": _of_groups},
)
def grouped_columns(m: Any, n: Any, k: Any) -> Work:
    """Each column of y times the matrix of its own group: torch's grouped product of three dimensions and two. `ends`
    says where each group of columns ends.

    2 FLOPs per multiply-add of each column with its one matrix, so 2 m n k however many groups there are.

    Backward: as many FLOPs again for x, and for y.
    """
    return _of_groups(m, n, k)


@operator(
    "x: m k, y: k n, ends: e -> e m n",
    saves=OF_GROUPS,
    gradients={"x": _of_groups, "y": _of_groups},
)
def grouped_products(m: Any, n: Any, k: Any) -> Work:
    """One product for each group of the shared dimension: torch's grouped product of two dimensions and two, as the
    gradient of experts' weights is. `ends` says where each group ends.

    2 FLOPs per multiply-add of each pair of a row and a column in its one group, so 2 m n k however many groups.

    Backward: as many FLOPs again for x, and for y.
    """
    return _of_groups(m, n, k)
