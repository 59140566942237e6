"""More activations: gates of one tensor's halves, shrinking, thresholds, learned slopes."""

from typing import Any

from graphacct import ShapeError, TensorSpec, Work, exact_div, has_value, operator
from graphacct_operators.gradient import of_x, per_element, summed
from graphacct_operators.strides import axis_of

UNARY = "x: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}


def _half(x: TensorSpec, *, dim: int = -1) -> TensorSpec:
    axis = axis_of(x, dim)
    size = x.shape[axis]
    if has_value(size) and size % 2:
        raise ShapeError(f"dimension {axis} of x is {size}, which has no two equal halves")
    return TensorSpec((*x.shape[:axis], exact_div(size, 2), *x.shape[axis + 1 :]), x.dtype)


def _both_halves(out: TensorSpec) -> Work:
    return Work(vector_flops=9 * out.elements, transcendentals=out.elements)


@operator("x: *shape -> *half", infer=_half, saves=AT_X, gradients={"x": _both_halves})
def glu(out: TensorSpec) -> Work:
    """The first half of x along one dimension times the sigmoid of the second (Dauphin et al., 2017).

    5 per output element: 4 for the sigmoid, the product; exp is transcendental.

    Backward: 9 per output element: 4 for the sigmoid σ, σ g for the first half, (1 - σ) σ g x for the second; exp is
    transcendental.
    """
    return Work(vector_flops=5 * out.elements, transcendentals=out.elements)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(10, 1)}, preserves_layout=True)
def log_sigmoid(batch: Any) -> Work:
    """log(1 / (1 + exp(-x))), as min(x, 0) - log(1 + exp(-|x|)). 7 per element: the smaller, |x|, negate, exp, plus 1,
    log, subtract; exp and log are transcendental.

    Backward: 10 per element: z = exp(-|x|) in 3, the selection by the sign of x, z / (1 + z) in 2, times the sign,
    subtract, times g, and the sign's selection; exp is transcendental. (A CPU's kernel keeps z.)
    """
    return Work(vector_flops=7 * batch, transcendentals=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def softshrink(batch: Any) -> Work:
    """x moved towards 0 by a constant, 0 near it. 3 per element: two comparisons, the sum.

    Backward: 2 per element: two selections.
    """
    return Work(vector_flops=3 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def hardshrink(batch: Any) -> Work:
    """x, but 0 near 0. 2 per element: two comparisons.

    Backward: 2 per element: two selections.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(1)}, preserves_layout=True)
def threshold(batch: Any) -> Work:
    """x where it is above a constant, else another constant. 1 per element: the comparison.

    Backward: 1 per element: the selection.
    """
    return Work(vector_flops=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(4, 1)}, preserves_layout=True)
def celu(batch: Any, *, alpha: float = 1.0) -> Work:
    """x where positive, else alpha (exp(x / alpha) - 1) (Barron, 2017).

    5 per element: divide, exp, minus 1, times alpha, the selection; exp is transcendental.

    Backward: 4 per element: divide, exp(x / alpha), times g, the selection; exp is transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


def _of_slope(weight: TensorSpec, out: TensorSpec) -> Work:
    return summed(weight, out, 2)


@operator(
    "x: ..., weight: ... -> ...",
    saves={"x": "the gradient of the slope is g * x where negative", "weight": "the gradient of x is g * the slope"},
    gradients={"x": of_x(2), "weight": _of_slope},
    preserves_layout=True,
)
def prelu(batch: Any) -> Work:
    """x where positive, else x times a learned slope (He et al., 2015), in a shape that broadcasts. 2 per element: the
    product, the selection.

    Backward: 2 per element for each: the product, the selection. 1 more to sum the gradient of the slope.
    """
    return Work(vector_flops=2 * batch)
