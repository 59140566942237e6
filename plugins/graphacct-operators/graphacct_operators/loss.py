"""Losses: a scalar from a model's outputs and targets."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator, prod


def reduced(shape: tuple[Any, ...], reduction: str) -> tuple[Any, ...]:
    """Returns the shape of a loss: a scalar, or what it is of each."""
    if reduction not in ("mean", "sum", "none"):
        raise OperatorError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return shape if reduction == "none" else ()


def _entropy(logits: TensorSpec, *, reduction: str = "mean") -> tuple[Any, ...]:
    return reduced(logits.shape[:-1], reduction)


def _entropy_gradient(logits: TensorSpec, *, reduction: str = "mean") -> Work:
    rows = prod(logits.shape[:-1])
    return Work(
        vector_flops=4 * logits.elements + rows + (1 if reduction == "mean" else 0), transcendentals=logits.elements
    )


@operator(
    "logits: ... v, targets: ... -> loss: ...",
    infer=_entropy,
    saves=(
        Saved("log_probabilities", "the gradient is exp of them, less 1 at the target; both halves share it", "... v"),
        Saved("targets", "the gradient is taken at them"),
        Saved("total_weight", "the mean's gradient is divided by it", ""),
    ),
    gradients={"logits": _entropy_gradient},
    role="loss",
)
def cross_entropy(logits: TensorSpec, *, reduction: str = "mean") -> Work:
    """-log_softmax(logits)[target] of each row, with the classes in the last dimension; then the mean, the sum or none.

    5 per logit and 1 log per row, as log_softmax; 1 per row to negate; 1 per row for the sum and 1 for the mean's
    division. Transcendentals: one exp per logit, one log per row. Picking the target's entry is bytes.

    Backward: 4 per logit and one exp, as log_softmax; 1 per row, negated at the target; 1 division for the mean.
    """
    rows = prod(logits.shape[:-1])
    elements = prod(logits.shape)
    flops = 5 * elements + 2 * rows + reduction_flops(rows, reduction)
    return Work(vector_flops=flops, transcendentals=elements + rows)


def reduction_flops(count: Any, reduction: str) -> Any:
    """Returns 1 per element for the sum, and a division for the mean."""
    return {"none": 0, "sum": count, "mean": count + 1}[reduction]


def _difference_gradient(x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=3 * x.elements + (1 if reduction == "mean" else 0))


@operator(
    "x: *shape, y: *shape -> loss: *shape",
    infer=lambda x, *, reduction="mean": reduced(x.shape, reduction),
    saves={"x": "the gradient is 2 (x - y)", "y": "the gradient is 2 (x - y)"},
    gradients={"x": _difference_gradient, "y": _difference_gradient},
    role="loss",
)
def mse_loss(x: TensorSpec, *, reduction: str = "mean") -> Work:
    """(x - y)², then the mean, the sum or none.

    2 per element: subtract, square; 1 per element for the sum and 1 for the mean's division.

    Backward: 3 per element for each: subtract, times 2, times g; 1 division for the mean, of the 2.
    """
    elements = prod(x.shape)
    return Work(vector_flops=2 * elements + reduction_flops(elements, reduction))
