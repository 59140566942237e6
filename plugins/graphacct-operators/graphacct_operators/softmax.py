"""Softmax and its logarithm, over the last dimension."""

from typing import Any

from graphacct import Work, operator


@operator("x: ... n -> ... n", saves={"out": "the gradient is out * (g - sum(g * out))"})
def softmax(batch: Any, n: Any) -> Work:
    """exp(x - max) / sum. 5 per element: max, subtract, exp, sum, divide; one of them, exp, is transcendental.

    A reduction over n counts n. LLM-Viewer (Yuan et al., 2024) uses the same factor of 5.
    """
    return Work(vector_flops=5 * batch * n, transcendentals=batch * n)


@operator("x: ... n -> ... n", saves={"out": "the gradient is g - exp(out) * sum(g)"})
def log_softmax(batch: Any, n: Any) -> Work:
    """x - max - log(sum(exp(x - max))). 5 per element: max, subtract, exp, sum, subtract; and one log per row."""
    return Work(vector_flops=5 * batch * n + batch, transcendentals=batch * n + batch)
