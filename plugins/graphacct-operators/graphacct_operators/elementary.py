"""Elementary functions of each element: powers of e, logarithms, roots, angles. Integers give float32, as in torch.

1 per element and 1 transcendental each, as XLA counts them.
"""

from typing import Any

from graphacct import TensorSpec, Work, operator
from graphacct_operators.gradient import by_parts, counted, per_element

UNARY = "x: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * out"},
    gradients={"x": by_parts(1, 6)},
    preserves_layout=True,
)
def exp(x: TensorSpec) -> Work:
    """exp x. 1 per element, transcendental; of complex numbers 5 (Euler): exp, cos, sin, two products, three of them
    transcendental.

    Backward: 1 per element: g * out; 6 of complex numbers.
    """
    return counted(x, 1, 5, 1, 3)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * out * log 2"},
    gradients={"x": per_element(2)},
    preserves_layout=True,
)
def exp2(batch: Any) -> Work:
    """2 to the power x. 1 per element, transcendental.

    Backward: 2 per element: times out, times log 2.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * (out + 1)"},
    gradients={"x": per_element(2)},
    preserves_layout=True,
)
def expm1(batch: Any) -> Work:
    """exp(x) - 1. 1 per element, transcendental.

    Backward: 2 per element: out + 1, times g.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": by_parts(1, 11)}, preserves_layout=True)
def log(x: TensorSpec) -> Work:
    """The natural logarithm of x. 1 per element, transcendental; of complex numbers 6: two squares, their sum, its
    logarithm, half of that, and the angle; two of them transcendental.

    Backward: 1 per element: g / x; 11 of complex numbers.
    """
    return counted(x, 1, 6, 1, 2)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def log1p(batch: Any) -> Work:
    """log(1 + x). 1 per element, transcendental.

    Backward: 2 per element: x + 1, g divided by it.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def log2(batch: Any) -> Work:
    """The logarithm of x to base 2. 1 per element, transcendental.

    Backward: 2 per element: x times log 2, g divided by it.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def log10(batch: Any) -> Work:
    """The logarithm of x to base 10. 1 per element, transcendental.

    Backward: 2 per element: x times log 10, g divided by it.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g / (2 * out)"},
    gradients={"x": by_parts(2, 13)},
    preserves_layout=True,
)
def sqrt(x: TensorSpec) -> Work:
    """√x. 1 per element, transcendental (XLA counts it so); of complex numbers 9: the length (4), half its sum with the
    real part, the root of that, and the imaginary part divided by twice it; two roots are transcendental.

    Backward: 2 per element: g / (2 * out); 13 of complex numbers.
    """
    return counted(x, 1, 9, 1, 2)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is -g * out³ / 2"},
    gradients={"x": per_element(4)},
    preserves_layout=True,
)
def rsqrt(batch: Any) -> Work:
    """1 / √x. 1 per element, transcendental (XLA counts it so).

    Backward: 4 per element: out³ in two products, times g, times -0.5.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": by_parts(2, 13, 1, 4)}, preserves_layout=True)
def sin(x: TensorSpec) -> Work:
    """sin x. 1 per element, transcendental; of complex numbers 6: sin and cos of one part, cosh and sinh of the other,
    two products; four of them transcendental.

    Backward: 2 per element: cos x, times g; cos is transcendental. Of complex numbers 7 and 6, four transcendental.
    """
    return counted(x, 1, 6, 1, 4)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": by_parts(3, 14, 1, 4)}, preserves_layout=True)
def cos(x: TensorSpec) -> Work:
    """cos x. 1 per element, transcendental; of complex numbers 7, as sin with a part negated; four transcendental.

    Backward: 3 per element: sin x, times g, negated; sin is transcendental. Of complex numbers 6, 6 and 2, four
    transcendental.
    """
    return counted(x, 1, 7, 1, 4)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * (1 + out²)"},
    gradients={"x": per_element(3)},
    preserves_layout=True,
)
def tan(batch: Any) -> Work:
    """tan x. 1 per element, transcendental.

    Backward: 3 per element: out², plus 1, times g.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(5, 1)}, preserves_layout=True)
def asin(batch: Any) -> Work:
    """The angle whose sine is x. 1 per element, transcendental.

    Backward: 5 per element: negated, times x, plus 1, rsqrt, times g; rsqrt is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(6, 1)}, preserves_layout=True)
def acos(batch: Any) -> Work:
    """The angle whose cosine is x. 1 per element, transcendental.

    Backward: 6 per element: negated, times x, plus 1, rsqrt, negated, times g; rsqrt is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(3)}, preserves_layout=True)
def atan(batch: Any) -> Work:
    """The angle whose tangent is x. 1 per element, transcendental.

    Backward: 3 per element: x², plus 1, g divided by it.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2, 1)}, preserves_layout=True)
def sinh(batch: Any) -> Work:
    """sinh x. 1 per element, transcendental.

    Backward: 2 per element: cosh x, times g; cosh is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(2, 1)}, preserves_layout=True)
def cosh(batch: Any) -> Work:
    """cosh x. 1 per element, transcendental.

    Backward: 2 per element: sinh x, times g; sinh is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(4, 1)}, preserves_layout=True)
def asinh(batch: Any) -> Work:
    """The number whose sinh is x. 1 per element, transcendental.

    Backward: 4 per element: x², plus 1, rsqrt, times g; rsqrt is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(4, 1)}, preserves_layout=True)
def acosh(batch: Any) -> Work:
    """The number whose cosh is x. 1 per element, transcendental.

    Backward: 4 per element: x², less 1, rsqrt, times g; rsqrt is transcendental.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, dtype="floating", saves=AT_X, gradients={"x": per_element(3)}, preserves_layout=True)
def atanh(batch: Any) -> Work:
    """The number whose tanh is x. 1 per element, transcendental.

    Backward: 3 per element: x², 1 less it, g divided by it.
    """
    return Work(vector_flops=batch, transcendentals=batch)
