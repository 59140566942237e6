"""Complex numbers: made of two real ones, read as two real ones, by angle.

A complex number is 2 real ones for the bytes, and its arithmetic that of its parts: `add` and `sub` count 2, `mul` 6
(four products, two sums), `div` 11, `abs` 4, `exp` 5. A multiply-add of complex numbers is four of real ones.
"""

from graphacct import Saved, ShapeError, TensorSpec, Work, dense_like, has_value, operator
from graphacct_operators.gradient import by_parts, counted, nothing
from graphacct_operators.strides import strided, strides_of

OF_REAL = {"float32": "complex64", "float64": "complex128"}
OF_COMPLEX = {theirs: ours for ours, theirs in OF_REAL.items()}
PARTS = "torch refers to it whole"


def _dtype(x: TensorSpec, known: dict[str, str], what: str) -> str:
    if x.dtype not in known:
        raise ShapeError(f"x is {x.dtype}, not {what} ({' or '.join(known)})")
    return known[x.dtype]


def _as_real(x: TensorSpec) -> TensorSpec:
    dtype = _dtype(x, OF_COMPLEX, "complex")
    return strided((*x.shape, 2), (*(2 * stride for stride in strides_of(x)), 1), dtype)


@operator("x: ... -> ... two", infer=_as_real, view=True)
def view_as_real() -> Work:
    """The two parts of each complex number as a last dimension of 2: a view. No arithmetic."""
    return Work()


def _as_complex(x: TensorSpec) -> TensorSpec:
    dtype = _dtype(x, OF_REAL, "real")
    if not x.shape or (has_value(x.shape[-1]) and x.shape[-1] != 2):
        raise ShapeError(f"x is {list(x.shape)}: the last dimension is 2, the parts of a complex number")
    halves = [stride // 2 if has_value(stride) else stride / 2 for stride in strides_of(x)[:-1]]
    return strided(x.shape[:-1], halves, dtype)


@operator("x: ... two -> ...", infer=_as_complex, view=True)
def view_as_complex() -> Work:
    """Pairs of real numbers, in a last dimension of 2, as complex ones: a view. No arithmetic."""
    return Work()


@operator("x: ... -> ...", infer=lambda x: x, view=True)
def conj() -> Work:
    """The conjugates: a view, which the kernel that reads it resolves. No arithmetic."""
    return Work()


@operator(
    "x: *shape, y: *shape -> *shape",
    name="complex",
    infer=lambda x, y: TensorSpec(x.shape, _dtype(x, OF_REAL, "real")),
    saves=(Saved("x", PARTS, needed_for="x"), Saved("y", PARTS, needed_for="y")),
    gradients={"x": nothing, "y": nothing},
)
def complex_() -> Work:
    """x + i y. No arithmetic: the parts are written side by side.

    Backward: the parts of g: no arithmetic.
    """
    return Work()


def _of_length(out: TensorSpec) -> Work:
    return Work(vector_flops=9 * out.elements, transcendentals=out.elements)


def _of_angle(out: TensorSpec) -> Work:
    return Work(vector_flops=3 * out.elements)


@operator(
    "x: *shape, y: *shape -> *shape",
    infer=lambda x, y: TensorSpec(x.shape, _dtype(x, OF_REAL, "real")),
    saves={"out": "the gradients are parts of its products with g"},
    gradients={"x": _of_length, "y": _of_angle},
)
def polar(out: TensorSpec) -> Work:
    """The complex numbers of length x and angle y (Euler): x cos y + i x sin y. 4 per element: cos, sin, two products;
    two of them transcendental.

    Backward: 9 per element for the length: |out| in 4 (two squares, their sum, the root), both parts divided by it, the
    real part of the product with g in 3; the root is transcendental. 3 for the angle: the real part of the product of g
    and i out.
    """
    return Work(vector_flops=4 * out.elements, transcendentals=2 * out.elements)


def _real(x: TensorSpec) -> TensorSpec:
    return dense_like(x, OF_COMPLEX.get(x.dtype, x.dtype))


@operator(
    "x: ... -> ...",
    infer=_real,
    saves={"x": "the gradient is along the circle of x"},
    gradients={"x": by_parts(0, 12, 0, 1)},
)
def angle(x: TensorSpec) -> Work:
    """The angle of each complex number. 1 per element, transcendental (atan2); of real numbers 1 comparison.

    Backward: nothing for real numbers; of complex ones 12 per element, as torch composes it: |x| (4, one
    transcendental), its square, g times x, both parts divided by it, times i (2), zero where |x| is 0.
    """
    return counted(x, 1, 1, 0, 1)


@operator(
    "x: ... -> ...",
    saves={"x": "the gradient is divided by its length", "out": "the gradient is what stands across it"},
    gradients={"x": by_parts(0, 14, 0, 1)},
    preserves_layout=True,
)
def sgn(x: TensorSpec) -> Work:
    """x / |x|, 0 where x is 0: the sign of a real number. 1 per element; of complex numbers 7: |x| (4, its root is
    transcendental), both parts divided by it, the selection.

    Backward: nothing for real numbers; of complex ones 14 per element: |x| again, the part of g along the result (3),
    times the result (2), taken from g (2), divided by |x| (2), the selection.
    """
    return counted(x, 1, 7, 0, 1)
