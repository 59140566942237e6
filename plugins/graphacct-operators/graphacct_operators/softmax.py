"""Softmax and its logarithm, over the last dimension."""

from typing import Any

from graphacct import TensorSpec, Work, operator


def _in_dtype(x: TensorSpec, *, dtype: str = "") -> TensorSpec:
    """The output: in the dtype asked for (torch computes in it and keeps it so), or that of x."""
    return TensorSpec(x.shape, dtype or x.dtype)


@operator("x: ... n -> ... n", infer=_in_dtype, saves={"out": "the gradient is out * (g - sum(g * out))"})
def softmax(batch: Any, n: Any) -> Work:
    """exp(x - max) / sum. 5 per element: max, subtract, exp, sum, divide; one of them, exp, is transcendental.

    A reduction over n counts n. LLM-Viewer (Yuan et al., 2024) uses the same factor of 5.
    """
    return Work(vector_flops=5 * batch * n, transcendentals=batch * n)


@operator("x: ... n -> ... n", infer=_in_dtype, saves={"out": "the gradient is g - exp(out) * sum(g)"})
def log_softmax(batch: Any, n: Any) -> Work:
    """x - max - log(sum(exp(x - max))). 5 per element: max, subtract, exp, sum, subtract; and one log per row."""
    return Work(vector_flops=5 * batch * n + batch, transcendentals=batch * n + batch)
