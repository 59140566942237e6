"""Special functions of each element; integers give float32, as in torch.

1 per element and 1 transcendental each, as XLA counts exp, log and the like; the exceptions spell their operations out.
"""

from typing import Any

from graphacct import Saved, TensorSpec, Work, operator
from graphacct_operators.gradient import per_element, summed

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(5, 1)}, preserves_layout=True)
def erf(batch: Any) -> Work:
    """The error function of x. 1 per element, transcendental.

    Backward: 5 per element: x², negated, exp, times 2/√π, times g; exp is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(5, 1)}, preserves_layout=True)
def erfc(batch: Any) -> Work:
    """1 less the error function of x. 1 per element, transcendental.

    Backward: 5 per element: x², negated, exp, times -2/√π, times g; exp is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(5, 2)}, preserves_layout=True)
def erfinv(batch: Any) -> Work:
    """The number whose error function is x. 1 per element, transcendental.

    Backward: 5 per element: the function again, its square, exp, times √π/2, times g; two of them transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2, 1)}, preserves_layout=True)
def lgamma(batch: Any) -> Work:
    """The logarithm of the gamma function's absolute value. 1 per element, transcendental.

    Backward: 2 per element: digamma, times g; digamma is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


def _summed_x(flops: int, transcendentals: int = 0) -> Any:
    def gradient(x: TensorSpec, out: TensorSpec) -> Work:
        return summed(x, out, flops, transcendentals)

    return gradient


def _summed_y(flops: int, transcendentals: int = 0) -> Any:
    def gradient(y: TensorSpec, out: TensorSpec) -> Work:
        return summed(y, out, flops, transcendentals)

    return gradient


@operator(
    BINARY,
    dtype="floating",
    saves={"x": "the gradients divide by x² + y²", "y": "the gradients divide by x² + y²"},
    gradients={"x": _summed_x(6), "y": _summed_y(7)},
    preserves_layout=True,
)
def atan2(batch: Any) -> Work:
    """The angle of the point (y, x). 1 per element, transcendental (XLA).

    Backward: 6 per element for x: two squares, their sum, its reciprocal, times y, times g; 7 for y, which is negated
    too. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    BINARY,
    dtype="floating",
    saves={"x": "the gradients are g / (1 + exp(±(x - y)))", "y": "the gradients are g / (1 + exp(±(x - y)))"},
    gradients={"x": _summed_x(4, 1), "y": _summed_y(4, 1)},
    preserves_layout=True,
)
def logaddexp(batch: Any) -> Work:
    """log(exp(x) + exp(y)). 8 per element: the larger, subtract, the absolute value, negate, exp, plus 1, log, add; exp
    and log are transcendental.

    Backward: 4 per element for each: subtract, exp, plus 1, g divided by it; exp is transcendental. 1 more to sum the
    gradient of what was broadcast.
    """
    return Work(vector_flops=8 * batch, transcendentals=2 * batch)


@operator(
    BINARY,
    dtype="floating",
    saves=(
        Saved("x", "the gradient of y is g * x / y"),
        Saved("y", "the gradients need its logarithm, or divide by it"),
    ),
    gradients={"x": _summed_x(5, 1), "y": _summed_y(2)},
    preserves_layout=True,
)
def xlogy(batch: Any) -> Work:
    """x log(y), 0 where x is 0. 2 per element: log, the product; log is transcendental.

    Backward: 5 per element for x: log, times g, two comparisons, the selection; 2 for y: times x, divided by y. 1 more
    to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=2 * batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2, 1)}, preserves_layout=True)
def digamma(batch: Any) -> Work:
    """The derivative of the gamma function's logarithm. 1 per element, transcendental.

    Backward: 2 per element: trigamma, times g; trigamma is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    BINARY,
    dtype="floating",
    saves=(
        Saved("x", "its gradient is g x / out", needed_for="x"),
        Saved("y", "its gradient is g y / out", needed_for="y"),
        Saved("out", "both gradients divide by it"),
    ),
    gradients={"x": _summed_x(2), "y": _summed_y(2)},
    preserves_layout=True,
)
def hypot(batch: Any) -> Work:
    """√(x² + y²). 4 per element: two squares, their sum, the root, which is transcendental.

    Backward: 2 per element for each: g times it, divided by the result. 1 more to sum the gradient of what was
    broadcast.
    """
    return Work(vector_flops=4 * batch, transcendentals=batch)
