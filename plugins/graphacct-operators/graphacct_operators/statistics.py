"""Statistics over some dimensions: variances, norms, the logarithm of a sum of exponentials."""

from collections.abc import Sequence
from typing import Any

from graphacct import TensorSpec, Work, operator
from graphacct_operators.norms import norm_gradient, norm_work
from graphacct_operators.reduction import kept
from graphacct_operators.strides import axis_of

REDUCED = "x: *shape -> *kept"
DEVIATIONS = "the gradient is 2 g (x - mean) / n"
Dims = int | Sequence[int] | None


def _one(x: TensorSpec, *, dim: Dims = None, keepdim: bool = False, correction: Any = 1) -> TensorSpec:
    return TensorSpec(kept(x, dim=dim, keepdim=keepdim), x.dtype)


def _two(x: TensorSpec, *, dim: Dims = None, keepdim: bool = False, correction: Any = 1) -> list[TensorSpec]:
    return [_one(x, dim=dim, keepdim=keepdim)] * 2


def _of_var(x: TensorSpec, out: TensorSpec) -> Work:
    return Work(vector_flops=3 * x.elements + 2 * out.elements)


def _of_std(x: TensorSpec, out: TensorSpec) -> Work:
    return Work(vector_flops=3 * x.elements + 5 * out.elements)


@operator(REDUCED, infer=_one, saves={"x": DEVIATIONS}, gradients={"x": _of_var})
def var(x: TensorSpec, out: TensorSpec) -> Work:
    """The variance over the given dimensions, or all of them; `correction` is what is taken off their number.

    4 per element of x: its sum, subtract the mean, square, the sum of squares; 2 divisions per output.

    Backward: 3 per element of x: its sum, subtract the mean, times 2 g / n; 2 per output: that factor, and the mean's
    division.
    """
    return Work(vector_flops=4 * x.elements + 2 * out.elements)


@operator(
    REDUCED, infer=_one, saves={"x": DEVIATIONS, "out": "the root's gradient is g / (2 out)"}, gradients={"x": _of_std}
)
def std(x: TensorSpec, out: TensorSpec) -> Work:
    """The square root of the variance.

    4 per element of x: its sum, subtract the mean, square, the sum of squares; 3 per output: two divisions, the root,
    which is transcendental.

    Backward: 3 per element of x and 2 per output, as var; 3 more per output for the root: twice it, g divided by that,
    zero where it is 0.
    """
    return Work(vector_flops=4 * x.elements + 3 * out.elements, transcendentals=out.elements)


def _of_var_mean(x: TensorSpec, out: TensorSpec) -> Work:
    return Work(vector_flops=5 * x.elements + 2 * out.elements)


def _of_std_mean(x: TensorSpec, out: TensorSpec) -> Work:
    return Work(vector_flops=5 * x.elements + 5 * out.elements)


@operator("x: *shape -> out: *kept, mean: *kept", infer=_two, saves={"x": DEVIATIONS}, gradients={"x": _of_var_mean})
def var_mean(x: TensorSpec, out: TensorSpec) -> Work:
    """The variance and the mean, over the given dimensions or all of them.

    4 per element of x: its sum, subtract the mean, square, the sum of squares; 2 divisions per output.

    Backward: 5 per element of x: 3 as var, the mean's gradient divided by their number, the sum of both; 2 per output.
    """
    return Work(vector_flops=4 * x.elements + 2 * out.elements)


@operator(
    "x: *shape -> out: *kept, mean: *kept",
    infer=_two,
    saves={"x": DEVIATIONS, "out": "the root's gradient is g / (2 out)"},
    gradients={"x": _of_std_mean},
)
def std_mean(x: TensorSpec, out: TensorSpec) -> Work:
    """The square root of the variance, and the mean.

    4 per element of x: its sum, subtract the mean, square, the sum of squares; 3 per output: two divisions, the root,
    which is transcendental.

    Backward: 5 per element of x, as var_mean; 5 per output, as std.
    """
    return Work(vector_flops=4 * x.elements + 3 * out.elements, transcendentals=out.elements)


@operator(
    REDUCED,
    infer=kept,
    saves={"x": "the gradient is g exp(x - out)", "out": "the gradient is g exp(x - out)"},
    gradients={"x": lambda x: Work(vector_flops=3 * x.elements, transcendentals=x.elements)},
)
def logsumexp(x: TensorSpec, out: TensorSpec) -> Work:
    """log(sum(exp(x - max))) + max. 4 per element of x: max, subtract, exp, sum; 2 per output: log, plus the largest.
    One exp per element and one log per output are transcendental.

    Backward: 3 per element of x: subtract out, exp, times g; exp is transcendental.
    """
    return Work(vector_flops=4 * x.elements + 2 * out.elements, transcendentals=x.elements + out.elements)


def _norm(x: TensorSpec, *, ord: float = 2, dim: Dims = None, keepdim: bool = False, dtype: str = "") -> TensorSpec:
    return TensorSpec(kept(x, dim=dim, keepdim=keepdim), dtype or x.dtype)


@operator(
    REDUCED,
    infer=_norm,
    saves={"x": "the gradient is g x / out", "out": "the gradient is g x / out"},
    gradients={"x": lambda x, out, *, ord=2: norm_gradient(x.elements, out.elements, ord)},
)
def vector_norm(x: TensorSpec, out: TensorSpec, *, ord: float = 2) -> Work:
    """The norm of order `ord` over the given dimensions, or all of them.

    2 per element of x: for order 2 square and sum, with a root per output; for 1 the absolute value and the sum; for
    infinity the absolute value and a comparison; for 0 a comparison with 0 and the sum. 3 for any other: the absolute
    value, its power, the sum, with a root per output. Powers and roots are transcendental.

    Backward: 3 per element of x for order 2: x / out, zero where that is 0, times g. 2 for 1: the sign, times g; 6 for
    infinity: the absolute value, compare it with the largest, count those equal, the sign, two products, and a division
    per output; none for 0. 4 for any other: the absolute value, its power, times x, times g out^(1 - ord), which takes
    a power and a product per output.
    """
    return norm_work(x.elements, out.elements, ord)


def _checked(x: TensorSpec, *, ord: float = 2, dim: int = 0) -> TensorSpec:
    axis_of(x, dim)
    return TensorSpec(x.shape, x.dtype)


def _renorm_gradient(x: TensorSpec, *, ord: float = 2, dim: int = 0) -> Work:
    slices = x.shape[axis_of(x, dim)]
    again = norm_work(x.elements, slices, ord).plus(norm_gradient(x.elements, slices, ord))
    return again.plus(Work(vector_flops=6 * x.elements + 3 * slices))


@operator(
    "x: *shape -> *shape",
    infer=_checked,
    saves={"x": "the gradient computes its norms again"},
    gradients={"x": _renorm_gradient},
)
def renorm(x: TensorSpec, *, ord: float = 2, dim: int = 0) -> Work:
    """Each slice of x along one dimension, scaled down if its norm of order `ord` is above a limit.

    The norms, as vector_norm; 3 per slice for the scale (select, plus eps, divide), 1 per element times it.

    Backward: the norms again, and their gradient as vector_norm's of the sum of x g (2 per element); 4 per element:
    that times 1 / norm, taken from g, times the scale, selected; 3 per slice: plus eps, the reciprocal, times the
    limit.
    """
    slices = x.shape[axis_of(x, dim)]
    return norm_work(x.elements, slices, ord).plus(Work(vector_flops=x.elements + 3 * slices))


def _running(x: TensorSpec, *, dim: int = -1) -> TensorSpec:
    axis_of(x, dim)
    return TensorSpec(x.shape, x.dtype)


@operator(
    "x: *shape -> *shape",
    infer=_running,
    saves={"x": "the gradient is scaled by exp x", "out": "the gradient divides by exp out"},
    gradients={"x": lambda x: Work(vector_flops=23 * x.elements, transcendentals=7 * x.elements)},
)
def logcumsumexp(x: TensorSpec) -> Work:
    """Running log(sum(exp(x))) along one dimension. 6 per element, as torch's kernel: the smaller and the larger of x
    and the result so far, their difference, exp, log(1 + that), plus the larger; exp and log are transcendental.

    Backward: 23 per element, as torch composes it: the logarithm of |g| (2); for g above and for g below 0 each the
    selection, less out, the running logcumsumexp from the end (6), plus x, exp; the difference of both. 7 are
    transcendental.
    """
    return Work(vector_flops=6 * x.elements, transcendentals=2 * x.elements)
