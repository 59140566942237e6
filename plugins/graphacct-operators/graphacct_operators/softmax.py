"""Softmax and its logarithm, over the last dimension."""

from typing import Any

from graphacct import TensorSpec, Work, operator


def _in_dtype(x: TensorSpec, *, dtype: str = "") -> TensorSpec:
    """Returns the output: in the dtype asked for (torch computes in it and keeps it so), or that of x."""
    return TensorSpec(x.shape, dtype or x.dtype)


def _softmax_gradient(batch: Any, n: Any) -> Work:
    return Work(vector_flops=4 * batch * n)


@operator(
    "x: ... n -> ... n",
    infer=_in_dtype,
    saves={"out": "the gradient is out * (g - sum(g * out))"},
    gradients={"x": _softmax_gradient},
    attention="weights",
)
def softmax(batch: Any, n: Any) -> Work:
    """exp(x - max) / sum. 5 per element: max, subtract, exp, sum, divide; one of them, exp, is transcendental.

    A reduction over n counts n. LLM-Viewer (Yuan et al., 2024) uses the same factor of 5.

    Backward: 4 per element: g * out, its sum, subtract it from g, times out.
    """
    return Work(vector_flops=5 * batch * n, transcendentals=batch * n)


def _log_softmax_gradient(batch: Any, n: Any) -> Work:
    return Work(vector_flops=4 * batch * n, transcendentals=batch * n)


@operator(
    "x: ... n -> ... n",
    infer=_in_dtype,
    saves={"out": "the gradient is g - exp(out) * sum(g)"},
    gradients={"x": _log_softmax_gradient},
)
def log_softmax(batch: Any, n: Any) -> Work:
    """x - max - log(sum(exp(x - max))). 5 per element: max, subtract, exp, sum, subtract; and one log per row.

    Backward: 4 per element: the sum of g, exp(out), their product, subtract it from g; exp is transcendental.
    """
    return Work(vector_flops=5 * batch * n + batch, transcendentals=batch * n + batch)
