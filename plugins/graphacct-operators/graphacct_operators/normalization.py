"""Normalizations over the last dimensions, or over groups of channels. A reduction over n elements counts n."""

from collections.abc import Sequence
from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, differ, exact_div, has_value, operator, prod

NORM_INPUT = "the gradient needs the normalised input, recomputed from x and the statistics"
SCALED = "the input's gradient is scaled by it"
STATISTIC = "one per row or group, kept so that backward need not reduce again"


def _inner(weight: TensorSpec | None, normalized_shape: Sequence[Any]) -> tuple[Any, ...]:
    """Returns the sizes of the dimensions that a row spans before the last one."""
    return tuple(weight.shape if weight else normalized_shape)[:-1]


def _normalized(x: TensorSpec, weight: TensorSpec | None, *, normalized_shape: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Returns the shape of x, whose last dimensions the weight has, or `normalized_shape` says."""
    said = tuple(normalized_shape)
    for name, sizes in (("weight", weight.shape if weight else ()), ("normalized_shape", said)):
        last = x.shape[len(x.shape) - len(sizes) :]
        if len(last) != len(sizes) or any(map(differ, last, sizes)):
            raise ShapeError(f"{name} {list(sizes)} is not the last dimensions of x {list(x.shape)}")
    if weight and said and len(said) != len(weight.shape):
        raise ShapeError(f"normalized_shape {list(said)} is not that of weight, {list(weight.shape)}")
    return x.shape


def one_per_row(x: TensorSpec, weight: TensorSpec | None, *, normalized_shape: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Returns the shape of a statistic: 1 for each dimension that a row spans."""
    spanned = len(_inner(weight, normalized_shape)) + 1
    return (*x.shape[: len(x.shape) - spanned], *(1,) * spanned)


def _rows(batch: Any, weight: TensorSpec | None, normalized_shape: Sequence[Any]) -> Any:
    inner = _inner(weight, normalized_shape)
    return exact_div(batch, prod(inner)) if inner else batch


def _layer_norm_x(batch: Any, n: Any, weight: TensorSpec | None, *, normalized_shape: Sequence[Any] = ()) -> Work:
    rows = _rows(batch, weight, normalized_shape)
    return Work(vector_flops=(10 if weight else 9) * batch * n + 2 * rows)


def _scale_gradient(batch: Any, n: Any) -> Work:
    return Work(vector_flops=4 * batch * n)


def _sum_of_g(batch: Any, n: Any) -> Work:
    return Work(vector_flops=batch * n)


@operator(
    "x: ... n, weight?: *inner n, bias?: *inner n -> ... n",
    infer=_normalized,
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("bias", "torch refers to it beside the weight"),
        Saved("mean", STATISTIC, one_per_row, "float32"),
        Saved("rstd", STATISTIC, one_per_row, "float32"),
    ),
    gradients={"x": _layer_norm_x, "weight": _scale_gradient, "bias": _sum_of_g},
    role="norms",
)
def layer_norm(
    batch: Any,
    n: Any,
    weight: TensorSpec | None,
    bias: TensorSpec | None,
    *,
    upcast: str = "",
    normalized_shape: Sequence[Any] = (),
) -> Work:
    """(x - mean) * rsqrt(var + eps) * weight + bias, of rows that span the last dimension, or all those that the weight
    has or `normalized_shape` says.

    If `upcast` is `all`, the model writes it as a chain of operators in float32, as Cohere's does. It matters to
    profiles that run several kernels here. If it is empty, it is torch's own kernel.

    5 per element without the affine part: the mean's sum, subtract, square, the variance's sum, multiply by rstd; one
    more each for weight and bias. 4 per row: two divisions by n, plus eps, rsqrt. With both, 7 per element, as
    LLM-Viewer counts it.

    Backward: 10 per element for x: the normalised input x̂ again (2), g times the weight (1; none without), sums of
    that and of its product with x̂ (3), then subtract the one mean and x̂ times the other, times rstd (4); 2 per row,
    the means' divisions. 4 per element for the weight: x̂ again (2), times g, summed; torch's kernels for x and for
    the weight each make x̂. 1 per element for the bias: the sum of g.
    """
    affine = (1 if weight else 0) + (1 if bias else 0)
    rows = _rows(batch, weight, normalized_shape)
    return Work(vector_flops=(5 + affine) * batch * n + 4 * rows, transcendentals=rows)


def _rms_norm_x(batch: Any, n: Any, weight: TensorSpec | None, *, normalized_shape: Sequence[Any] = ()) -> Work:
    rows = _rows(batch, weight, normalized_shape)
    return Work(vector_flops=(7 if weight else 6) * batch * n + rows)


def _rms_scale_gradient(batch: Any, n: Any) -> Work:
    return Work(vector_flops=3 * batch * n)


@operator(
    "x: ... n, weight?: *inner n -> ... n",
    infer=_normalized,
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("rstd", STATISTIC, one_per_row, "float32"),
    ),
    gradients={"x": _rms_norm_x, "weight": _rms_scale_gradient},
    role="norms",
)
def rms_norm(
    batch: Any,
    n: Any,
    weight: TensorSpec | None,
    *,
    upcast: str = "",
    power: bool = False,
    normalized_shape: Sequence[Any] = (),
) -> Work:
    """x * rsqrt(mean(x²) + eps) * weight (Zhang and Sennrich, 2019), of rows as layer_norm's.

    If x has 16 bits, `upcast` says which part is computed in float32: `all`, the `norm` before the weight, or the
    `statistics` alone; if it is empty, the profile decides. With `power` the root is written as a power of -½, as
    Gemma 3n's class does. Both matter to profiles that run several kernels here.

    3 per element without the weight: square, the mean's sum, multiply; one more for the weight. 3 per row: divide by
    n, plus eps, rsqrt.

    Backward: 7 per element for x: the normalised input x̂ again (1), g times the weight (1; none without), the sum of
    its product with x̂ (2), then subtract x̂ times that mean, times rstd (3); 1 per row, the mean's division. 3 per
    element for the weight: x̂ again, times g, summed.
    """
    rows = _rows(batch, weight, normalized_shape)
    return Work(vector_flops=(4 if weight else 3) * batch * n + 3 * rows, transcendentals=rows)


def _group_norm_x(batch: Any, b: Any, c: Any, weight: Any, *, groups: Any) -> Work:
    return Work(vector_flops=(10 if weight else 9) * b * c * batch + 2 * b * groups)


def _channel_scale_gradient(batch: Any, b: Any, c: Any) -> Work:
    return Work(vector_flops=4 * b * c * batch)


def _channel_sum_of_g(batch: Any, b: Any, c: Any) -> Work:
    return Work(vector_flops=b * c * batch)


@operator(
    "x: b c ..., weight?: c, bias?: c -> b c ...",
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("mean", STATISTIC, "b groups", "weight"),
        Saved("rstd", STATISTIC, "b groups", "weight"),
    ),
    gradients={"x": _group_norm_x, "weight": _channel_scale_gradient, "bias": _channel_sum_of_g},
    role="norms",
)
def group_norm(batch: Any, b: Any, c: Any, weight: Any, bias: Any, *, groups: Any) -> Work:
    """layer_norm over each group of channels and all positions; weight and bias one per channel (Wu and He, 2018).

    5 per element and one more each for weight and bias, 4 per group, as layer_norm.

    Backward: 10 per element for x, 1 less without weight, and 2 per group; 4 per element for the weight, 1 for the
    bias: as layer_norm.
    """
    if has_value(c) and has_value(groups) and (groups < 1 or c % groups):
        raise ShapeError(f"dimension c is {c}, which does not divide into groups={groups}")
    affine = (1 if weight else 0) + (1 if bias else 0)
    return Work(vector_flops=(5 + affine) * b * c * batch + 4 * b * groups, transcendentals=b * groups)
