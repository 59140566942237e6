"""Arithmetic on every element, operands broadcast as in numpy."""

from typing import Any

from graphacct import Saved, Work, operator

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}
WHICH = {"x": "the gradient goes to the operand that was taken", "y": "the gradient goes to the operand that was taken"}


@operator(BINARY)
def add(batch: Any) -> Work:
    """x + y. 1 per output element; a residual connection, a bias, an additive mask."""
    return Work(vector_flops=batch)


@operator(BINARY)
def sub(batch: Any) -> Work:
    """x - y. 1 per output element."""
    return Work(vector_flops=batch)


@operator(BINARY, saves={"x": "the gradient of y is g * x", "y": "the gradient of x is g * y"})
def mul(batch: Any) -> Work:
    """x * y. 1 per output element."""
    return Work(vector_flops=batch)


@operator(BINARY, saves={"x": "the gradient of y is -g * x / y²", "y": "the gradient of x is g / y"})
def div(batch: Any) -> Work:
    """x / y. 1 per output element."""
    return Work(vector_flops=batch)


@operator(BINARY, saves=WHICH)
def maximum(batch: Any) -> Work:
    """The larger of x and y. 1 comparison per output element."""
    return Work(vector_flops=batch)


@operator(BINARY, saves=WHICH)
def minimum(batch: Any) -> Work:
    """The smaller of x and y. 1 comparison per output element."""
    return Work(vector_flops=batch)


@operator(UNARY)
def scale(batch: Any) -> Work:
    """x times (or divided by) a constant. 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY)
def shift(batch: Any) -> Work:
    """x plus (or minus) a constant. 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY)
def neg(batch: Any) -> Work:
    """-x. 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY, name="abs", saves={"x": "the gradient has the sign of x"})
def absolute(batch: Any) -> Work:
    """|x|. 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY, saves={"x": "the gradient is zero where x was cut"})
def clamp(batch: Any) -> Work:
    """x cut to a lower and an upper bound. 2 per element: two comparisons."""
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X)
def square(batch: Any) -> Work:
    """x². 1 per element: one product."""
    return Work(vector_flops=batch)


@operator(UNARY, name="pow", saves=AT_X)
def power(batch: Any, *, exponent: float) -> Work:
    """x to a constant power. Per element 1 product for a square, 2 for a cube, and otherwise 1 transcendental (XLA)."""
    if exponent in (2, 3):
        return Work(vector_flops=(int(exponent) - 1) * batch)
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is -g * out²"})
def reciprocal(batch: Any) -> Work:
    """1 / x. 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY, saves={"out": "the gradient is g * out"})
def exp(batch: Any) -> Work:
    """exp x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def log(batch: Any) -> Work:
    """The natural logarithm of x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is g / (2 * out)"})
def sqrt(batch: Any) -> Work:
    """√x. 1 per element, transcendental (XLA counts it so)."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is -g * out³ / 2"})
def rsqrt(batch: Any) -> Work:
    """1 / √x. 1 per element, transcendental (XLA counts it so)."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def sin(batch: Any) -> Work:
    """sin x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def cos(batch: Any) -> Work:
    """cos x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator("x: ..., mask: ... -> ...", saves={"mask": "the gradient is zero where the mask is set"})
def masked_fill(batch: Any) -> Work:
    """A constant where the bool mask is set, else x. 1 per element: the selection (XLA counts a select as 1)."""
    return Work(vector_flops=batch)


@operator(
    "condition: ..., x: ..., y: ... -> ...",
    saves={"condition": "the gradient goes to the operand that was taken"},
)
def where(batch: Any) -> Work:
    """x where the bool condition is set, else y. 1 per element: the selection (XLA counts a select as 1)."""
    return Work(vector_flops=batch)


@operator(
    "x: ... s d, cos: s r, sin: s r -> ... s d",
    saves={"cos": "the gradient is g turned back", "sin": "the gradient is g turned back"},
)
def rotary_embedding(batch: Any, s: Any, d: Any) -> Work:
    """Each pair of x turned by its position's angle: x * cos + rotated(x) * sin (Su et al., 2021).

    3 per element: two products and a sum, as the worksheet counts one application. Tables of half the width serve
    both halves.
    """
    return Work(vector_flops=3 * batch * s * d)


@operator(UNARY, saves=(Saved("mask", "the gradient is zero where the element was dropped", "...", "bool", "p"),))
def dropout(batch: Any, *, p: float) -> Work:
    """x * mask / (1 - p) in training. 2 per element: times the mask, times the scale; random numbers are not FLOPs.

    With p = 0 there is nothing to do, and nothing is kept.
    """
    return Work(vector_flops=2 * batch if p else 0)
