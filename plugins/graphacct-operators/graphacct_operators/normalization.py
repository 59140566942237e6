"""Normalizations over the last dimension, or over groups of channels. A reduction over n elements counts n."""

from typing import Any

from graphacct import Saved, ShapeError, Work, operator

NORM_INPUT = "the gradient needs the normalised input, recomputed from x and the statistics"
SCALED = "the input's gradient is scaled by it"
STATISTIC = "one per row or group, kept so that backward need not reduce again"


@operator(
    "x: ... n, weight?: n, bias?: n -> ... n",
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("bias", "torch refers to it beside the weight"),
        Saved("mean", STATISTIC, "... 1", "float32"),
        Saved("rstd", STATISTIC, "... 1", "float32"),
    ),
)
def layer_norm(batch: Any, n: Any, weight: Any, bias: Any) -> Work:
    """(x - mean) * rsqrt(var + eps) * weight + bias.

    5 per element without the affine part: the mean's sum, subtract, square, the variance's sum, multiply by rstd; one
    more each for weight and bias. 4 per row: two divisions by n, plus eps, rsqrt. With both, 7 per element, as
    LLM-Viewer counts it.
    """
    affine = (1 if weight else 0) + (1 if bias else 0)
    return Work(vector_flops=(5 + affine) * batch * n + 4 * batch, transcendentals=batch)


@operator(
    "x: ... n, weight?: n -> ... n",
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("rstd", STATISTIC, "... 1", "float32"),
    ),
)
def rms_norm(batch: Any, n: Any, weight: Any) -> Work:
    """x * rsqrt(mean(x²) + eps) * weight (Zhang and Sennrich, 2019).

    3 per element without the weight: square, the mean's sum, multiply; one more for the weight. 3 per row: divide by
    n, plus eps, rsqrt.
    """
    return Work(vector_flops=(4 if weight else 3) * batch * n + 3 * batch, transcendentals=batch)


@operator(
    "x: b c ..., weight?: c, bias?: c -> b c ...",
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("mean", STATISTIC, "b groups"),
        Saved("rstd", STATISTIC, "b groups"),
    ),
)
def group_norm(batch: Any, b: Any, c: Any, weight: Any, bias: Any, *, groups: Any) -> Work:
    """layer_norm over each group of channels and all positions; weight and bias one per channel (Wu and He, 2018).

    5 per element and one more each for weight and bias, 4 per group, as layer_norm.
    """
    if type(c) is int and type(groups) is int and (groups < 1 or c % groups):
        raise ShapeError(f"dimension c is {c}, which does not divide into groups={groups}")
    affine = (1 if weight else 0) + (1 if bias else 0)
    return Work(vector_flops=(5 + affine) * b * c * batch + 4 * b * groups, transcendentals=b * groups)
