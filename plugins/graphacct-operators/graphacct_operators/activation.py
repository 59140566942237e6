"""Activations, and the gates made of them."""

from typing import Any

from graphacct import Saved, Work, operator

UNARY = "x: ... -> ..."
GATED = "gate: ..., up: ... -> ..."
AT_X = {"x": "the derivative is evaluated at x"}


@operator(UNARY, saves={"out": "the gradient is g where the output is positive"})
def relu(batch: Any) -> Work:
    """max(x, 0). 1 per element."""
    return Work(vector_flops=batch)


@operator(UNARY, saves=AT_X)
def leaky_relu(batch: Any, *, slope: float = 0.01) -> Work:
    """x where positive, else x times the slope. 2 per element: the product, the selection."""
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X)
def relu6(batch: Any) -> Work:
    """min(max(x, 0), 6) (Krizhevsky, 2010). 2 per element: two comparisons."""
    return Work(vector_flops=2 * batch)


@operator(UNARY, saves=AT_X)
def elu(batch: Any, *, alpha: float = 1.0) -> Work:
    """x where positive, else alpha (exp(x) - 1) (Clevert et al., 2015).

    4 per element: exp, minus 1, times alpha, the selection; exp is transcendental.
    """
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves={"out": "the gradient is g * out * (1 - out)"})
def sigmoid(batch: Any) -> Work:
    """1 / (1 + exp(-x)). 4 per element: negate, exp, plus 1, divide; exp is transcendental."""
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def hardsigmoid(batch: Any) -> Work:
    """relu6(x + 3) / 6 (Howard et al., 2019). 4 per element: plus 3, two comparisons, divide."""
    return Work(vector_flops=4 * batch)


@operator(UNARY, saves={"out": "the gradient is g * (1 - out²)"})
def tanh(batch: Any) -> Work:
    """tanh x. 1 per element, transcendental."""
    return Work(vector_flops=batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def gelu(batch: Any) -> Work:
    """0.5 x (1 + erf(x / √2)), exact (Hendrycks and Gimpel, 2016).

    5 per element: divide, erf, plus 1, times x, times 0.5; erf is transcendental.
    """
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def gelu_tanh(batch: Any) -> Work:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), the tanh form (Hendrycks and Gimpel, 2016).

    9 per element: two products for x³, times 0.044715, plus x, times √(2/π), tanh, plus 1, times x, times 0.5; tanh
    is transcendental.
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
)
def gelu_new(batch: Any) -> Work:
    """gelu_tanh written out as a chain of operators, as the transformers library runs the published GPT-2.

    9 per element, as gelu_tanh; it keeps three tensors more.
    """
    return Work(vector_flops=9 * batch, transcendentals=batch)


@operator(
    UNARY,
    saves=(
        Saved("x", "the gradient of the gate is g * x"),
        Saved("gate", "sigmoid(1.702 x): its own gradient and that of x need it", "..."),
    ),
)
def quick_gelu(batch: Any) -> Work:
    """x sigmoid(1.702 x) (Hendrycks and Gimpel, 2016), written out as CLIP does.

    6 per element: times 1.702, 4 for the sigmoid, times x; exp is transcendental.
    """
    return Work(vector_flops=6 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def silu(batch: Any) -> Work:
    """x / (1 + exp(-x)) (Elfwing et al., 2017). 4 per element: negate, exp, plus 1, divide; exp is transcendental."""
    return Work(vector_flops=4 * batch, transcendentals=batch)


@operator(UNARY, saves=AT_X)
def hardswish(batch: Any) -> Work:
    """x relu6(x + 3) / 6 (Howard et al., 2019). 5 per element: plus 3, two comparisons, times x, divide."""
    return Work(vector_flops=5 * batch)


@operator(UNARY, saves=AT_X)
def softplus(batch: Any) -> Work:
    """log(1 + exp(x)). 3 per element: exp, plus 1, log; exp and log are transcendental."""
    return Work(vector_flops=3 * batch, transcendentals=2 * batch)


@operator(UNARY, saves=AT_X)
def mish(batch: Any) -> Work:
    """x tanh(softplus(x)) (Misra, 2019). 5 per element: 3 for softplus, tanh, times x; 3 of them transcendental."""
    return Work(vector_flops=5 * batch, transcendentals=3 * batch)


def _gate_saves(activation: str) -> tuple[Saved, ...]:
    return (
        Saved("gate", f"{activation}'s derivative is evaluated at the gate"),
        Saved("up", f"the gradient of {activation}(gate) is g * up"),
        Saved("activated", f"the gradient of up is g * {activation}(gate)", "..."),
    )


@operator(GATED, saves=_gate_saves("silu"))
def swiglu(batch: Any) -> Work:
    """silu(gate) * up (Shazeer, 2020). 5 per element: 4 for silu, 1 product; exp is transcendental."""
    return Work(vector_flops=5 * batch, transcendentals=batch)


@operator(GATED, saves=_gate_saves("gelu"))
def geglu(batch: Any) -> Work:
    """gelu(gate) * up (Shazeer, 2020). 6 per element: 5 for the exact gelu, 1 product; erf is transcendental."""
    return Work(vector_flops=6 * batch, transcendentals=batch)


@operator(GATED, saves=_gate_saves("gelu_tanh"))
def geglu_tanh(batch: Any) -> Work:
    """gelu_tanh(gate) * up (Shazeer, 2020). 10 per element: 9 for the gelu, 1 product; tanh is transcendental."""
    return Work(vector_flops=10 * batch, transcendentals=batch)
