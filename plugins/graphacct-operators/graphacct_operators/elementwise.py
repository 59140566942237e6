"""Arithmetic on every element, operands broadcast as in numpy."""

from typing import Any

from graphacct import Saved, Work, operator

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."


@operator(BINARY)
def add(batch: Any) -> Work:
    """x + y. 1 per output element; a residual connection, a bias, an additive mask."""
    return Work(vector_flops=batch)


@operator(BINARY, saves={"x": "the gradient of y is g * x", "y": "the gradient of x is g * y"})
def mul(batch: Any) -> Work:
    """x * y. 1 per output element."""
    return Work(vector_flops=batch)


@operator(UNARY)
def scale(batch: Any) -> Work:
    """x times (or divided by) a constant. 1 per element."""
    return Work(vector_flops=batch)


@operator("x: ..., mask: ... -> ...", saves={"mask": "the gradient is zero where the mask is set"})
def masked_fill(batch: Any) -> Work:
    """A constant where the bool mask is set, else x. 1 per element: the selection (XLA counts a select as 1)."""
    return Work(vector_flops=batch)


@operator(UNARY, saves={"x": "the derivative is evaluated at x"})
def gelu(batch: Any) -> Work:
    """0.5 x (1 + erf(x / √2)), exact (Hendrycks and Gimpel, 2016).

    5 per element: divide, erf, plus 1, times x, times 0.5; erf is transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(UNARY, saves={"x": "the derivative is evaluated at x"})
def gelu_tanh(batch: Any) -> Work:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), the tanh form (Hendrycks and Gimpel, 2016).

    9 per element: two products for x³, times 0.044715, plus x, times √(2/π), tanh, plus 1, times x, times 0.5; tanh
    is transcendental.
    """
    return Work(vector_flops=9 * batch, transcendentals=batch)


@operator(UNARY, saves={"x": "the derivative is evaluated at x"})
def silu(batch: Any) -> Work:
    """x / (1 + exp(-x)) (Elfwing et al., 2017). 4 per element: negate, exp, plus 1, divide; exp is transcendental."""
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is g where the output is positive"})
def relu(batch: Any) -> Work:
    """max(x, 0). 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY, saves={"out": "the gradient is g * out * (1 - out)"})
def sigmoid(batch: Any) -> Work:
    """1 / (1 + exp(-x)). 4 per element: negate, exp, plus 1, divide; exp is transcendental."""
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is g * (1 - out²)"})
def tanh(batch: Any) -> Work:
    """tanh x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    "gate: ..., up: ... -> ...",
    saves=(
        Saved("gate", "silu's derivative is evaluated at the gate"),
        Saved("up", "the gradient of silu(gate) is g * up"),
        Saved("activated", "the gradient of up is g * silu(gate)", "..."),
    ),
)
def swiglu(batch: Any) -> Work:
    """silu(gate) * up (Shazeer, 2020). 5 per element: 4 for silu, 1 product; exp is transcendental."""
    return Work(vector_flops=5 * batch, transcendentals=batch)


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


@operator(UNARY, saves=(Saved("mask", "the gradient is zero where the element was dropped", "...", "bool"),))
def dropout(batch: Any, *, p: float) -> Work:
    """x * mask / (1 - p) in training. 2 per element: times the mask, times the scale; random numbers are not FLOPs."""
    return Work(vector_flops=2 * batch if p else 0)
