"""Normalizations over the last dimension. A reduction over n elements counts n."""

from typing import Any

from graphacct import Saved, Work, operator

NORM_INPUT = "the gradient needs the normalised input, recomputed from x and the statistics"
STATISTIC = "one per row, kept so that backward need not reduce again"


@operator(
    "x: ... n, weight?: n, bias?: n -> ... n",
    saves=(
        Saved("x", NORM_INPUT),
        Saved("weight", "the input's gradient is scaled by it"),
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
        Saved("weight", "the input's gradient is scaled by it"),
        Saved("rstd", STATISTIC, "... 1", "float32"),
    ),
)
def rms_norm(batch: Any, n: Any, weight: Any) -> Work:
    """x * rsqrt(mean(x²) + eps) * weight (Zhang and Sennrich, 2019).

    3 per element without the weight: square, the mean's sum, multiply; one more for the weight. 3 per row: divide by
    n, plus eps, rsqrt.
    """
    return Work(vector_flops=(4 if weight else 3) * batch * n + 3 * batch, transcendentals=batch)
