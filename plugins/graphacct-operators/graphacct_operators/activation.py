"""Activations and gated activations."""

from typing import Any

from graphacct import Saved, TensorSpec, Work, operator
from graphacct_operators.gradient import Gradient, per_element, summed

UNARY = "x: ... -> ..."
GATED = "gate: ..., up: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}


@operator(
    UNARY,
    saves={"out": "the gradient is g where the output is positive"},
    gradients={"x": per_element(1)},
    preserves_layout=True,
)
def relu(batch: Any) -> Work:
    """max(x, 0). 1 per element.

    Backward: 1 per element: the selection.
    """
    return Work(vector_flops=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True, gradient_from_output=True)
def leaky_relu(batch: Any, *, slope: float = 0.01) -> Work:
    """x where positive, else x times the slope. 2 per element: the product, the selection.

    Backward: 2 per element: g times the slope, the selection.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(2)}, preserves_layout=True)
def relu6(batch: Any) -> Work:
    """min(max(x, 0), 6) (Krizhevsky, 2010). 2 per element: two comparisons.

    Backward: 2 per element: two selections.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(4, 1)}, preserves_layout=True, gradient_from_output=True)
def elu(batch: Any, *, alpha: float = 1.0) -> Work:
    """x where positive, else alpha (exp(x) - 1) (Clevert et al., 2015).

    4 per element: exp, minus 1, times alpha, the selection; exp is transcendental.

    Backward: 4 per element: exp(x), times alpha, times g, the selection; exp is transcendental.
    """
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * out * (1 - out)"},
    gradients={"x": per_element(3)},
    preserves_layout=True,
)
def sigmoid(batch: Any) -> Work:
    """1 / (1 + exp(-x)). 4 per element: negate, exp, plus 1, divide; exp is transcendental.

    Backward: 3 per element: 1 - out, times out, times g.
    """
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(3)}, preserves_layout=True)
def hardsigmoid(batch: Any) -> Work:
    """relu6(x + 3) / 6 (Howard et al., 2019). 4 per element: plus 3, two comparisons, divide.

    Backward: 3 per element: g / 6, two selections.
    """
    return Work(vector_flops=4 * batch)


@operator(
    UNARY,
    dtype="floating",
    saves={"out": "the gradient is g * (1 - out²)"},
    gradients={"x": per_element(3)},
    preserves_layout=True,
)
def tanh(batch: Any) -> Work:
    """tanh x. 1 per element, transcendental.

    Backward: 3 per element: out², 1 - out², times g.
    """
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(11, 2)}, preserves_layout=True)
def gelu(batch: Any) -> Work:
    """0.5 x (1 + erf(x / √2)), exact (Hendrycks and Gimpel, 2016).

    5 per element: divide, erf, plus 1, times x, times 0.5; erf is transcendental.

    Backward: 11 per element: 4 for Φ(x) (divide, erf, plus 1, times 0.5), 4 for φ(x) (x², times -0.5, exp, times
    1/√(2π)), Φ + x φ in 2, times g; erf and exp are transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(18, 1)}, preserves_layout=True)
def gelu_tanh(batch: Any) -> Work:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), the tanh form (Hendrycks and Gimpel, 2016).

    9 per element: two products for x³, times 0.044715, plus x, times √(2/π), tanh, plus 1, times x, times 0.5; tanh
    is transcendental.

    Backward: 18 per element, with t the tanh and k = 0.044715: 6 for t (two products for x³, times k, plus x, times
    √(2/π), tanh), 2 for 0.5 (1 + t), 2 for 1 - t², 3 for √(2/π) (1 + 3 k x²), 0.5 x, two products of these three, the
    sum, times g; tanh is transcendental (torch's kernel).
    """
    return Work(vector_flops=9 * batch, transcendentals=batch)


@operator(
    UNARY,
    saves=(
        Saved("x", "the gradient of its cube needs it"),
        Saved("half", "0.5 x, one side of the last product", "..."),
        Saved("tanh", "the gradient of tanh needs its output", "..."),
        Saved("gate", "1 + tanh(…), the other side of the last product", "..."),
    ),
    gradients={"x": per_element(13)},
    preserves_layout=True,
)
def gelu_new(batch: Any) -> Work:
    """gelu_tanh written out as a chain of operators, as the transformers library runs the published GPT-2.

    9 per element, as gelu_tanh; it keeps three tensors more.

    Backward: 13 per element, along the chain: 2 for the last product, times 0.5, 3 for tanh, times √(2/π), times
    0.044715, 3 for the cube, and 2 sums of what reaches x.
    """
    return Work(vector_flops=9 * batch, transcendentals=batch)


@operator(
    UNARY,
    saves=(
        Saved("x", "the gradients of its products need it"),
        Saved("half", "0.5 x, one side of the last product", "..."),
        Saved("scaled", "√(2/π) x, one side of a product", "..."),
        Saved("small", "0.044715 x, one side of a product", "..."),
        Saved("inner", "1 + 0.044715 x², the other side of the first", "..."),
        Saved("tanh", "the gradient of tanh needs its output", "..."),
        Saved("gate", "1 + tanh(…), the other side of the last product", "..."),
    ),
    gradients={"x": per_element(15)},
    preserves_layout=True,
)
def gelu_fast(batch: Any) -> Work:
    """gelu_tanh written out as 0.5 x (1 + tanh(√(2/π) x (1 + 0.044715 x x))), the transformers library's gelu_fast.

    9 per element: times 0.5, √(2/π) and 0.044715, times x, plus 1, the product, tanh, plus 1, the last product; tanh
    is transcendental. It keeps six tensors more than gelu_tanh.

    Backward: 15 per element, along the chain: 2 for each of 3 products, 3 for its scales, 3 for tanh, and 3 sums of
    what reaches x.
    """
    return Work(vector_flops=9 * batch, transcendentals=batch)


@operator(
    UNARY,
    saves=(
        Saved("scaled", "x / √2, at which erf's derivative is evaluated", "..."),
        Saved("half", "0.5 x, one side of the product", "..."),
        Saved("gate", "1 + erf(…), the other side of the product", "..."),
    ),
    gradients={"x": per_element(10, 1)},
    preserves_layout=True,
)
def gelu_python(batch: Any) -> Work:
    """gelu written out as 0.5 x (1 + erf(x / √2)), the transformers library's gelu_python.

    5 per element, as gelu; erf is transcendental. It keeps three tensors instead of x.

    Backward: 10 per element, along the chain: 2 for the product, 2 for its scales, 5 for erf's (square, negate, exp,
    times 2/√π, times g), and the sum of what reaches x; exp is transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(
    UNARY,
    saves=(
        Saved("x", "the gradient of the gate is g * x"),
        Saved("gate", "sigmoid(1.702 x): its own gradient and that of x need it", "..."),
    ),
    gradients={"x": per_element(7)},
    preserves_layout=True,
)
def quick_gelu(batch: Any) -> Work:
    """x sigmoid(1.702 x) (Hendrycks and Gimpel, 2016), written out as CLIP does.

    6 per element: times 1.702, 4 for the sigmoid, times x; exp is transcendental.

    Backward: 7 per element: 2 for the product, 3 for the sigmoid, times 1.702, the sum of what reaches x.
    """
    return Work(vector_flops=6 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(9, 1)}, preserves_layout=True)
def silu(batch: Any) -> Work:
    """x / (1 + exp(-x)) (Elfwing et al., 2017). 4 per element: negate, exp, plus 1, divide; exp is transcendental.

    Backward: 9 per element: 4 for the sigmoid σ, then g σ (1 + x (1 - σ)) in 5; exp is transcendental.
    """
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(5)}, preserves_layout=True)
def hardswish(batch: Any) -> Work:
    """x relu6(x + 3) / 6 (Howard et al., 2019). 5 per element: plus 3, two comparisons, times x, divide.

    Backward: 5 per element: x / 3, plus 0.5, times g, two selections.
    """
    return Work(vector_flops=5 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(4, 1)}, preserves_layout=True)
def softplus(batch: Any) -> Work:
    """log(1 + exp(x)). 3 per element: exp, plus 1, log; exp and log are transcendental.

    Backward: 4 per element: exp(x), plus 1, g * exp(x), divide; exp is transcendental.
    """
    return Work(vector_flops=3 * batch, transcendentals=2 * batch)


@operator(UNARY, saves=AT_X, gradients={"x": per_element(14, 4)}, preserves_layout=True)
def mish(batch: Any) -> Work:
    """x tanh(softplus(x)) (Misra, 2019). 5 per element: 3 for softplus, tanh, times x; 3 of them transcendental.

    Backward: 14 per element: 4 for t = tanh(softplus(x)), 4 for the sigmoid σ, then t + x σ (1 - t²) in 5, times g; 4
    of them transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=3 * batch)


def _gate_saves(activation: str) -> tuple[Saved, ...]:
    return (
        Saved("gate", f"{activation}'s derivative is evaluated at the gate", needed_for="gate"),
        Saved("up", f"the gradient of {activation}(gate) is g * up", needed_for="gate"),
        Saved("activated", f"the gradient of up is g * {activation}(gate)", "...", needed_for="up"),
    )


def _of_gate(flops: int, transcendentals: int) -> Gradient:
    def gradient(gate: TensorSpec, out: TensorSpec) -> Work:
        return summed(gate, out, flops, transcendentals)

    return gradient


def _of_up(up: TensorSpec, out: TensorSpec) -> Work:
    return summed(up, out, 1)


@operator(GATED, saves=_gate_saves("silu"), gradients={"gate": _of_gate(10, 1), "up": _of_up}, preserves_layout=True)
def swiglu(batch: Any) -> Work:
    """silu(gate) * up (Shazeer, 2020). 5 per element: 4 for silu, 1 product; exp is transcendental.

    Backward: 10 per element for the gate, 1 product and 9 for silu's, with one exp; 1 for up, a product.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(GATED, saves=_gate_saves("gelu"), gradients={"gate": _of_gate(12, 2), "up": _of_up}, preserves_layout=True)
def geglu(batch: Any) -> Work:
    """gelu(gate) * up (Shazeer, 2020). 6 per element: 5 for the exact gelu, 1 product; erf is transcendental.

    Backward: 12 per element for the gate, 1 product and 11 for gelu's, with erf and exp; 1 for up, a product.
    """
    return Work(vector_flops=6 * batch, transcendentals=batch)


@operator(
    GATED, saves=_gate_saves("gelu_tanh"), gradients={"gate": _of_gate(19, 1), "up": _of_up}, preserves_layout=True
)
def geglu_tanh(batch: Any) -> Work:
    """gelu_tanh(gate) * up (Shazeer, 2020). 10 per element: 9 for the gelu, 1 product; tanh is transcendental.

    Backward: 19 per element for the gate, 1 product and 18 for gelu_tanh's, with one tanh; 1 for up, a product.
    """
    return Work(vector_flops=10 * batch, transcendentals=batch)
