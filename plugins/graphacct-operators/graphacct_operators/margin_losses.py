"""Losses of rows that compare the target's score with those of all other classes."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator
from graphacct_operators.loss import reduced, reduction_flops


def _power(p: Any) -> int:
    if p not in (1, 2):
        raise OperatorError(f"p is 1 or 2, not {p!r}")
    return int(p)


def _shape(n: Any, *, p: Any = 1, reduction: str = "mean") -> tuple[Any, ...]:
    _power(p)
    return reduced((n,), reduction)


def _back(x: TensorSpec, n: Any, weight: TensorSpec | None, *, p: Any = 1, reduction: str = "mean") -> Work:
    each = 4 + (2 if _power(p) == 2 else 0) + (1 if weight else 0)
    return Work(vector_flops=each * x.elements + n + (1 if reduction == "mean" else 0))


@operator(
    "x: n c, targets: n, weight?: c -> loss: n",
    infer=_shape,
    saves=(
        Saved("x", "the gradient is where the margin is not kept"),
        Saved("targets", "the gradient is taken from them"),
        Saved("weight", "the gradient is scaled by it"),
    ),
    gradients={"x": _back},
)
def multi_margin_loss(x: TensorSpec, n: Any, weight: TensorSpec | None, *, p: Any = 1, reduction: str = "mean") -> Work:
    """For each row the sum over the classes of max(0, margin - x[target] + x)^p, divided by their number.

    4 per element (torch's kernel; the target's own among them): two sums, the comparison, the sum over the classes; 1
    more to square for p = 2, 1 for a weight. 1 per row for the division, 1 for the sum over the rows and 1 for the
    mean's division.

    Backward: 4 per element: the margin again, the comparison, g taken from the target's; 2 more for p = 2, 1 for a
    weight. 1 per row: g divided by the classes; 1 division for the mean.
    """
    each = 4 + (1 if _power(p) == 2 else 0) + (1 if weight else 0)
    return Work(vector_flops=each * x.elements + n + reduction_flops(n, reduction))
