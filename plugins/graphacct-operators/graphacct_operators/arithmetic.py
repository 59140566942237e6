"""More element-wise arithmetic: rounding, remainders, powers of tensors, sums of products. Of integers it is bytes.

An operand that is left out (`y?`) stands for a number that the code has; `dtype` is the result's where such a number
promotes x.
"""

from typing import Any

from graphacct import Saved, TensorSpec, Work, operator
from graphacct_operators.gradient import nothing, of_x, of_y, per_element, summed
from graphacct_operators.strides import in_dtype

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."
PAIR = "x: ..., y?: ... -> ..."
THREE = "x: ..., y: ..., z: ... -> ..."


@operator(
    UNARY,
    gradients={"x": nothing},
    preserves_layout=True,
)
def floor(batch: Any) -> Work:
    """The largest whole number that is not above x. 1 per element.

    Backward: none to compute: it is zero everywhere, and torch fills it.
    """
    return Work(vector_flops=batch)


@operator(
    UNARY,
    gradients={"x": nothing},
    preserves_layout=True,
)
def ceil(batch: Any) -> Work:
    """The smallest whole number that is not below x. 1 per element.

    Backward: none to compute: it is zero everywhere, and torch fills it.
    """
    return Work(vector_flops=batch)


@operator(
    UNARY,
    name="round",
    gradients={"x": nothing},
    preserves_layout=True,
)
def round_(batch: Any) -> Work:
    """The whole number nearest to x. 1 per element.

    Backward: none to compute: it is zero everywhere, and torch fills it.
    """
    return Work(vector_flops=batch)


@operator(
    UNARY,
    gradients={"x": nothing},
    preserves_layout=True,
)
def trunc(batch: Any) -> Work:
    """x without its fraction. 1 per element.

    Backward: none to compute: it is zero everywhere, and torch fills it.
    """
    return Work(vector_flops=batch)


@operator(
    UNARY,
    gradients={"x": nothing},
    preserves_layout=True,
)
def sign(batch: Any) -> Work:
    """-1, 0 or 1: the sign of x. 1 per element.

    Backward: none to compute: it is zero everywhere, and torch fills it.
    """
    return Work(vector_flops=batch)


@operator(
    UNARY,
    gradients={"x": nothing},
    preserves_layout=True,
)
def frac(batch: Any) -> Work:
    """The fraction of x: x less x without it. 2 per element: truncate, subtract.

    Backward: g itself.
    """
    return Work(vector_flops=2 * batch)


@operator(
    UNARY,
    infer=in_dtype,
    gradients={"x": per_element(1)},
    preserves_layout=True,
)
def rsub(batch: Any) -> Work:
    """A constant less x. 1 per element.

    Backward: 1 per element: negated.
    """
    return Work(vector_flops=batch)


@operator(
    PAIR,
    dtype="promote",
    gradients={"x": nothing, "y": nothing},
    preserves_layout=True,
)
def floor_divide(batch: Any) -> Work:
    """x / y, or x over a number, rounded to a whole number. 2 per element: divide, round.

    Backward: none to compute: it is zero everywhere.
    """
    return Work(vector_flops=2 * batch)


@operator(
    PAIR,
    dtype="promote",
    saves=(
        Saved("x", "the gradient of y is -g * floor(x / y)", needed_for="y"),
        Saved("y", "its own gradient divides by it", needed_for="y"),
    ),
    gradients={"x": of_x(0), "y": of_y(4)},
    preserves_layout=True,
)
def remainder(batch: Any) -> Work:
    """What is left of x after whole multiples of y, or of a number: x - floor(x / y) * y. 4 per element: divide, round,
    times y, subtract.

    Backward: g itself for x; 4 per element for y: negated, divide, round, times. 1 more to sum the gradient of what was
    broadcast.
    """
    return Work(vector_flops=4 * batch)


@operator(
    PAIR,
    dtype="promote",
    saves=(
        Saved("x", "the gradient of y is -g * trunc(x / y)", needed_for="y"),
        Saved("y", "its own gradient divides by it", needed_for="y"),
    ),
    gradients={"x": of_x(0), "y": of_y(4)},
    preserves_layout=True,
)
def fmod(batch: Any) -> Work:
    """What is left of x after whole multiples of y, or of a number, with the sign of x: x - trunc(x / y) * y. 4 per
    element: divide, round, times y, subtract.

    Backward: g itself for x; 4 per element for y: negated, divide, round, times. 1 more to sum the gradient of what was
    broadcast.
    """
    return Work(vector_flops=4 * batch)


def _of_base(x: TensorSpec, out: TensorSpec) -> Work:
    return summed(x, out, 5, 1)


def _of_exponent(y: TensorSpec, out: TensorSpec) -> Work:
    return summed(y, out, 6, 1)


RAISED = "the gradients are g * y * x ** (y - 1) and g * out * log(x)"


@operator(
    BINARY,
    dtype="promote",
    saves={"x": RAISED, "y": RAISED, "out": RAISED},
    gradients={"x": _of_base, "y": _of_exponent},
    preserves_layout=True,
)
def pow_tensor(batch: Any) -> Work:
    """x to the power y, element by element. 1 per element, transcendental (XLA).

    Backward: 5 per element for x: the exponent less 1, the power, times the exponent, times g, the selection where the
    exponent is 0; 6 for y: two comparisons, log x, times out, times g, the selection. Powers and logarithms are
    transcendental. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(
    UNARY,
    infer=in_dtype,
    saves={"x": "torch keeps it beside the result", "out": "the gradient is g * out * log(base)"},
    gradients={"x": per_element(2)},
    preserves_layout=True,
)
def pow_of_number(batch: Any) -> Work:
    """A number to the power x. 1 per element, transcendental (XLA).

    Backward: 2 per element: out times the number's logarithm, times g.
    """
    return Work(vector_flops=batch, transcendentals=batch)


BOUNDED = "the gradient goes to the operand that was taken"


def _low(low: TensorSpec, out: TensorSpec) -> Work:
    return summed(low, out, 2)


def _high(high: TensorSpec | None, out: TensorSpec) -> Work:
    return Work() if high is None else summed(high, out, 2)


@operator(
    "x: ..., low: ..., high?: ... -> ...",
    dtype="promote",
    saves={"x": BOUNDED, "low": BOUNDED, "high": BOUNDED},
    gradients={"x": of_x(2), "low": _low, "high": _high},
    preserves_layout=True,
)
def clamp_tensor(batch: Any) -> Work:
    """x cut to bounds that are tensors; an upper one alone stands where the lower one does. 2 per element: two
    comparisons.

    Backward: 2 per element for each: two selections. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=2 * batch)


def _of_end(y: TensorSpec, out: TensorSpec) -> Work:
    return summed(y, out, 1)


def _of_weight(weight: TensorSpec | None, out: TensorSpec) -> Work:
    return Work() if weight is None else summed(weight, out, 2)


def _of_start(x: TensorSpec, weight: TensorSpec | None, out: TensorSpec) -> Work:
    return summed(x, out, 1 if weight is None else 2)


@operator(
    "x: ..., y: ..., weight?: ... -> ...",
    dtype="promote",
    saves=(
        Saved("x", "the gradient of the weight is g * (y - x)", needed_for="weight"),
        Saved("y", "the gradient of the weight is g * (y - x)", needed_for="weight"),
        Saved("weight", "the gradients are g times it and g times the rest"),
    ),
    gradients={"x": _of_start, "y": _of_end, "weight": _of_weight},
    preserves_layout=True,
)
def lerp(batch: Any) -> Work:
    """x + weight * (y - x), or a number for the weight. 3 per element: subtract, times the weight, add.

    Backward: 2 per element for x: 1 less the weight, times g (1 for a number); 1 for y; 2 for the weight: subtract,
    times. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=3 * batch)


def _of_z(flops: int) -> Any:
    def gradient(z: TensorSpec, out: TensorSpec) -> Work:
        return summed(z, out, flops)

    return gradient


@operator(
    THREE,
    dtype="promote",
    saves=(
        Saved("y", "the gradient of z needs it", needed_for="z"),
        Saved("z", "the gradient of y needs it", needed_for="y"),
    ),
    gradients={"x": of_x(0), "y": of_y(2), "z": _of_z(2)},
    preserves_layout=True,
)
def addcmul(batch: Any) -> Work:
    """x + value * y * z, with a number for the value. 3 per element: two products, the sum.

    Backward: g itself for x; 2 per element for y and for z: the other times the value, times g. 1 more to sum the
    gradient of what was broadcast.
    """
    return Work(vector_flops=3 * batch)


@operator(
    THREE,
    dtype="promote",
    saves=(Saved("y", "the gradient of z needs it", needed_for="z"), Saved("z", "the gradient of y needs it")),
    gradients={"x": of_x(0), "y": of_y(2), "z": _of_z(5)},
    preserves_layout=True,
)
def addcdiv(batch: Any) -> Work:
    """x + value * y / z, with a number for the value. 3 per element: the product, the quotient, the sum.

    Backward: g itself for x; 2 per element for y: the value over z, times g; 5 for z: negated, the value times y, z²,
    the quotient, the product. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=3 * batch)
