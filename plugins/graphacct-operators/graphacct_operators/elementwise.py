"""Element-wise arithmetic; operands broadcast as in numpy."""

from typing import Any

from graphacct import Saved, TensorSpec, Work, dense_like, operator
from graphacct_operators.gradient import by_parts, counted, is_complex, nothing, of_x, of_y, per_element, summed
from graphacct_operators.strides import in_dtype

UNARY = "x: ... -> ..."
BINARY = "x: ..., y: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}
ROTATED_BACK = "the gradient is g rotated back"
WHICH = {"x": "the gradient goes to the operand that was taken", "y": "the gradient goes to the operand that was taken"}


@operator(BINARY, dtype="promote", gradients={"x": of_x(0), "y": of_y(0)}, preserves_layout=True)
def add(batch: Any, out: TensorSpec) -> Work:
    """x + y. 1 per output element, 2 of complex numbers; a residual connection, a bias, an additive mask.

    Backward: g itself, for both; where an operand was broadcast, 1 per output element to sum its gradient.
    """
    return Work(vector_flops=2 * batch if is_complex(out) else batch)


@operator(BINARY, dtype="promote", gradients={"x": of_x(0), "y": of_y(1, 2)}, preserves_layout=True)
def sub(batch: Any, out: TensorSpec) -> Work:
    """x - y. 1 per output element, 2 of complex numbers.

    Backward: g itself for x, 1 per element for y: negated. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=2 * batch if is_complex(out) else batch)


def _product(x: TensorSpec, y: TensorSpec) -> int:
    return {0: 1, 1: 2, 2: 6}[is_complex(x) + is_complex(y)]


def _factor(of: TensorSpec, other: TensorSpec, out: TensorSpec) -> Work:
    each = _product(of, other) if is_complex(of) or not is_complex(out) else 3
    return summed(of, out, each)


def _product_x(x: TensorSpec, y: TensorSpec, out: TensorSpec) -> Work:
    return _factor(x, y, out)


def _product_y(x: TensorSpec, y: TensorSpec, out: TensorSpec) -> Work:
    return _factor(y, x, out)


@operator(
    BINARY,
    dtype="promote",
    saves=(
        Saved("x", "the gradient of y is g * x", needed_for="y"),
        Saved("y", "the gradient of x is g * y", needed_for="x"),
    ),
    gradients={"x": _product_x, "y": _product_y},
    preserves_layout=True,
)
def mul(batch: Any, x: TensorSpec, y: TensorSpec, out: TensorSpec) -> Work:
    """x * y. 1 per output element; of complex numbers 6: four products, two sums; 2 where one of them is real.

    Backward: 1 per element for each, 6 of complex numbers: times the other; with a real factor 2 for the complex one,
    and 3 for the real one, the real part of a product. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=_product(x, y) * batch)


@operator(
    BINARY,
    dtype="floating",
    saves=(Saved("x", "the gradient of y is -g * x / y²", needed_for="y"), Saved("y", "both gradients divide by it")),
    gradients={"x": of_x(1, 11), "y": of_y(4, 30)},
    preserves_layout=True,
)
def div(batch: Any, y: TensorSpec, out: TensorSpec) -> Work:
    """x / y. 1 per output element; of complex numbers 11: a product with the conjugate (6), the square of the length
    (3), two divisions; these alone by a real number.

    Backward: 1 per element for x, g / y; 4 for y, -g * ((x / y) / y), as torch has it; of complex numbers 11 and 30. 1
    more to sum the gradient of what was broadcast.
    """
    if not is_complex(out):
        return Work(vector_flops=batch)
    return Work(vector_flops=(11 if is_complex(y) else 2) * batch)


@operator(BINARY, dtype="promote", saves=WHICH, gradients={"x": of_x(3), "y": of_y(3)}, preserves_layout=True)
def maximum(batch: Any) -> Work:
    """The larger of x and y. 1 comparison per output element.

    Backward: 3 per element for each: halved where they are equal, none where it was not taken (two selections). 1 more
    to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=batch)


@operator(BINARY, dtype="promote", saves=WHICH, gradients={"x": of_x(3), "y": of_y(3)}, preserves_layout=True)
def minimum(batch: Any) -> Work:
    """The smaller of x and y. 1 comparison per output element.

    Backward: 3 per element for each: halved where they are equal, none where it was not taken (two selections). 1 more
    to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=batch)


def _scaled(x: TensorSpec, *, dtype: str = "", by_complex: bool = False) -> TensorSpec:
    return in_dtype(x, dtype=dtype)


def _times_constant(out: TensorSpec, *, by_complex: bool = False) -> Work:
    return counted(out, 1, 6 if by_complex else 2)


@operator(UNARY, infer=_scaled, gradients={"x": _times_constant})
def scale(out: TensorSpec, *, by_complex: bool = False) -> Work:
    """x times (or divided by) a constant, which may give another dtype: integers times 0.5. 1 per element; 2 of complex
    numbers, or 6 where the constant is complex too (`by_complex`).

    Backward: 1 per element: times the constant; 2 or 6 of complex numbers.
    """
    return _times_constant(out, by_complex=by_complex)


@operator(UNARY, infer=in_dtype, gradients={"x": nothing})
def shift(out: TensorSpec) -> Work:
    """x plus (or minus) a constant, which may give another dtype. 1 per element, 2 of complex numbers.

    Backward: g itself.
    """
    return counted(out, 1, 2)


@operator(UNARY, gradients={"x": by_parts(1, 2)}, preserves_layout=True)
def neg(x: TensorSpec) -> Work:
    """-x. 1 per element, 2 of complex numbers.

    Backward: 1 per element: negated; 2 of complex numbers.
    """
    return counted(x, 1, 2)


def _length(x: TensorSpec) -> TensorSpec:
    return dense_like(x, {"complex64": "float32", "complex128": "float64"}.get(x.dtype, x.dtype))


@operator(
    UNARY,
    name="abs",
    infer=_length,
    saves={"x": "the gradient has the sign of x"},
    gradients={"x": by_parts(2, 8, 0, 1)},
)
def absolute(x: TensorSpec) -> Work:
    """|x|. 1 per element; of complex numbers 4: two squares, their sum, the root, which is transcendental.

    Backward: 2 per element: the sign of x, times g; of complex numbers 8: |x| (4, one transcendental), both parts
    divided by it, times g.
    """
    return counted(x, 1, 4, 0, 1)


@operator(
    UNARY, saves={"x": "the gradient is zero where x was cut"}, gradients={"x": per_element(2)}, preserves_layout=True
)
def clamp(batch: Any) -> Work:
    """x cut to a lower and an upper bound. 2 per element: two comparisons.

    Backward: 2 per element: two selections.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": by_parts(2, 8)}, preserves_layout=True)
def square(x: TensorSpec) -> Work:
    """x². 1 per element: one product, which is 6 of complex numbers.

    Backward: 2 per element: x twice, times g; 8 of complex numbers.
    """
    return counted(x, 1, 6)


def _power_gradient(x: TensorSpec, *, exponent: float) -> Work:
    if exponent in (2, 3, 4):
        power = int(exponent)
        return counted(x, power, 6 * (power - 1) + 2)
    return counted(x, 3, 21, 1, 5)


@operator(UNARY, name="pow", infer=in_dtype, saves=AT_X, gradients={"x": _power_gradient})
def power(x: TensorSpec, *, exponent: float) -> Work:
    """x to a constant power. Per element 1 product for a square, 2 for a cube, and otherwise 1 transcendental (XLA). Of
    complex numbers a product is 6, and another power the exponential of a scaled logarithm, 13 with 5 transcendental.

    Backward: per element x to the exponent less 1 (nothing for a square, 1 product for a cube, 2 for a fourth power,
    otherwise 1 transcendental), times the exponent, times g; of complex numbers a product is 6, times the
    exponent 2, and another power 13 with 5 transcendental.
    """
    if exponent in (2, 3):
        products = int(exponent) - 1
        return counted(x, products, 6 * products)
    return counted(x, 1, 13, 1, 5)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is -g * out²"},
    gradients={"x": by_parts(3, 14)},
    preserves_layout=True,
)
def reciprocal(x: TensorSpec) -> Work:
    """1 / x. 1 per element; of complex numbers 6: the square of the length (3), a part negated, two divisions.

    Backward: 3 per element: -g * out * out; 14 of complex numbers.
    """
    return counted(x, 1, 6)


def _of_value(value: TensorSpec | None, out: TensorSpec) -> Work:
    return Work() if value is None else summed(value, out, 1)


@operator(
    "x: ..., mask: ..., value?: ... -> ...",
    saves={"mask": "the gradient is zero where the mask is set"},
    gradients={"x": of_x(1), "value": _of_value},
    preserves_layout=True,
)
def masked_fill(batch: Any) -> Work:
    """A constant, or a value, where the bool mask is set, else x. 1 per element: the selection (XLA counts a select as
    1).

    Backward: 1 per element: the selection; for a value the same of its own. 1 more to sum the gradient of what was
    broadcast.
    """
    return Work(vector_flops=batch)


@operator(
    "condition: ..., x: ..., y: ... -> ...",
    dtype="promote",
    saves={"condition": "the gradient goes to the operand that was taken"},
    gradients={"x": of_x(1), "y": of_y(1)},
    preserves_layout=True,
)
def where(batch: Any) -> Work:
    """x where the bool condition is set, else y. 1 per element: the selection (XLA counts a select as 1).

    Backward: 1 per element for each: the selection. 1 more to sum the gradient of what was broadcast.
    """
    return Work(vector_flops=batch)


def _turned_back(batch: Any, s: Any, d: Any) -> Work:
    return Work(vector_flops=3 * batch * s * d)


@operator(
    "x: ... s d, cos: s r, sin: s r -> ... s d",
    dtype="promote",
    saves=(Saved("cos", ROTATED_BACK, needed_for="x"), Saved("sin", ROTATED_BACK, needed_for="x")),
    gradients={"x": _turned_back},
    preserves_layout="composed",
)
def rotary_embedding(batch: Any, s: Any, d: Any, *, composed: bool = False) -> Work:
    """Each pair of x rotated by its position's angle: x * cos + rotate_half(x) * sin (Su et al., 2021).

    3 per element: two products and a sum, as the worksheet counts one application. Tables of half the width serve
    both halves. Where it is `composed` of these products, as the transformers library writes it, the result lies in
    memory in the order of x; otherwise its halves are written into a new row-major tensor.

    Backward: 3 per element for x, which is rotated back. The tables are constants: no gradient of theirs is stated.
    """
    return Work(vector_flops=3 * batch * s * d)


def _undropped(batch: Any, *, p: float) -> Work:
    return Work(vector_flops=2 * batch if p else 0)


@operator(
    UNARY,
    saves=(Saved("mask", "the gradient is zero where the element was dropped", "...", "bool", "p"),),
    gradients={"x": _undropped},
    preserves_layout=True,
)
def dropout(batch: Any, *, p: float) -> Work:
    """x * mask / (1 - p) in training. 2 per element: times the mask, times the scale; random numbers are not FLOPs.

    With p = 0 there is nothing to do, and nothing is kept.

    Backward: 2 per element: times the mask, times the scale.
    """
    return Work(vector_flops=2 * batch if p else 0)
