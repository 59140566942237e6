"""Comparisons of elements, and tests of them: bools.

A comparison of floating-point numbers is 1 FLOP. One of integers or bools is none: integer work is bytes. An operand
that is left out stands for a number that the code has.
"""

from typing import Any

from graphacct import TensorSpec, Work, operator
from graphacct_operators.gradient import is_complex, nothing, per_element

UNARY = "x: ... -> ..."
PAIR = "x: ..., y?: ... -> ..."
NONE = {"x": nothing, "y": nothing}


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def eq(batch: Any, x: TensorSpec) -> Work:
    """x == y; without y, x against a number. 1 per element: the comparison; 2 of complex numbers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch if is_complex(x) else batch)


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def ne(batch: Any, x: TensorSpec) -> Work:
    """x != y; without y, x against a number. 1 per element: the comparison; 2 of complex numbers.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch if is_complex(x) else batch)


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def lt(batch: Any) -> Work:
    """x < y; without y, x against a number. 1 per element: the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def le(batch: Any) -> Work:
    """x <= y; without y, x against a number. 1 per element: the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def gt(batch: Any) -> Work:
    """x > y; without y, x against a number. 1 per element: the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(PAIR, dtype="bool", gradients=NONE, preserves_layout=True)
def ge(batch: Any) -> Work:
    """x >= y; without y, x against a number. 1 per element: the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(UNARY, dtype="bool", gradients={"x": nothing}, preserves_layout=True)
def isnan(batch: Any) -> Work:
    """Where x is no number: x != x. 1 per element: the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=batch)


@operator(UNARY, dtype="bool", gradients={"x": nothing}, preserves_layout=True)
def isinf(batch: Any) -> Work:
    """Where |x| is infinite. 2 per element: |x|, the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=2 * batch)


@operator(UNARY, dtype="bool", gradients={"x": nothing}, preserves_layout=True)
def isfinite(batch: Any) -> Work:
    """Where x is a number and no infinity. 3 per element: x == x, |x|, the comparison.

    Backward: none; a bool has no gradient.
    """
    return Work(vector_flops=3 * batch)


@operator(
    UNARY,
    saves={"x": "the gradient is zero where x is no finite number"},
    gradients={"x": per_element(2)},
    preserves_layout=True,
)
def nan_to_num(batch: Any) -> Work:
    """x with numbers in place of what is none, of infinity and of minus infinity. 3 per element: three selections.

    Backward: 2 per element: whether x is finite, times g.
    """
    return Work(vector_flops=3 * batch)
