"""Losses of each element or row against its target, then their mean, sum or none of both."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator
from graphacct_operators.loss import reduced, reduction_flops

BOTH = {"x": "the gradient compares it with y", "y": "the gradient compares it with x"}


def _of_mean(reduction: str) -> int:
    """1 for a mean: g is divided by the number of elements, once."""
    return 1 if reduction == "mean" else 0


def _once(reduction: str) -> int:
    """1 for the sum by the number of rows: g is divided once."""
    return 1 if reduction == "batchmean" else 0


def _each_mean(x: TensorSpec, reduction: str) -> Any:
    """1 per element for a mean that is a kernel of its own: g, expanded, is divided."""
    return x.elements if reduction == "mean" else 0


def _shape(x: TensorSpec, *, reduction: str = "mean") -> tuple[Any, ...]:
    return reduced(x.shape, reduction)


def _rows_shape(n: Any, batch: Any, targets: TensorSpec, *, reduction: str = "mean") -> tuple[Any, ...]:
    return reduced(targets.shape, reduction)


def _rows_gradient(targets: TensorSpec, weight: TensorSpec | None, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=(2 if weight else 1) * targets.elements + _of_mean(reduction))


@operator(
    "x: n c ..., targets: n ..., weight?: c -> loss: ...",
    infer=_rows_shape,
    saves=(
        Saved("x", "torch keeps the input for its shape"),
        Saved("targets", "the gradient is at them alone"),
        Saved("weight", "the gradient is scaled by it"),
        Saved("total_weight", "the mean's gradient is divided by it", ""),
    ),
    gradients={"x": _rows_gradient},
)
def nll_loss(x: TensorSpec, targets: TensorSpec, weight: TensorSpec | None, *, reduction: str = "mean") -> Work:
    """Minus the log-probability of each row's target, with the classes in dimension 1: torch's nll_loss and nll_loss2d.

    1 per row to negate, 1 for its weight; 1 per row for the sum and 1 for the mean's division, and with weights 1 per
    row for their sum. Picking the target's entry is bytes: reads the targets and one entry for each.

    Backward: 1 per row, negated at the target, 1 for its weight; 1 division for the mean.
    """
    rows = targets.elements
    picked = TensorSpec((rows,), x.dtype).bytes + (TensorSpec((rows,), weight.dtype).bytes if weight else 0)
    weighted = rows * (2 if weight and reduction == "mean" else 1 if weight else 0)
    flops = rows + weighted + reduction_flops(rows, reduction)
    return Work(vector_flops=flops, read_bytes=targets.bytes + picked)


def _absolute_x(x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=2 * x.elements + _each_mean(x, reduction))


def _absolute_y(wanted: tuple[bool, ...], x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=x.elements if wanted[0] else 3 * x.elements + _each_mean(x, reduction))


@operator(
    "x: *shape, y: *shape -> loss: *shape",
    infer=_shape,
    saves=(Saved("difference", "the gradient is its sign", "*shape"),),
    gradients={"x": _absolute_x, "y": _absolute_y},
)
def l1_loss(x: TensorSpec, *, reduction: str = "mean") -> Work:
    """|x - y|, then the mean, the sum or none, as torch writes it out.

    2 per element: subtract, absolute value; 1 per element for the sum and 1 for the mean's division.

    Backward: 2 per element for x: the sign, times g, and 1 to divide g for the mean; for y 1 more, negated, which is
    all beside x.
    """
    return Work(vector_flops=2 * x.elements + reduction_flops(x.elements, reduction))


def _seven(x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=7 * x.elements + _of_mean(reduction))


@operator("x: *shape, y: *shape -> loss: *shape", infer=_shape, saves=BOTH, gradients={"x": _seven, "y": _seven})
def smooth_l1_loss(x: TensorSpec, *, reduction: str = "mean", beta: float = 1.0) -> Work:
    """(x - y)² / (2 beta) where |x - y| is below beta, else |x - y| - beta / 2 (Girshick, 2015); then the mean, the sum
    or none.

    7 per element, both cases computed: subtract, absolute value, 3 for the square, halved and divided, 1 for the line,
    one selection. 1 per element for the sum and 1 for the mean's division.

    Backward: 7 per element for each: subtract, g scaled, negated, 2 for the square's case, two selections; 1 division
    for the mean.
    """
    return Work(vector_flops=7 * x.elements + reduction_flops(x.elements, reduction))


@operator("x: *shape, y: *shape -> loss: *shape", infer=_shape, saves=BOTH, gradients={"x": _seven, "y": _seven})
def huber_loss(x: TensorSpec, *, reduction: str = "mean", delta: float = 1.0) -> Work:
    """(x - y)² / 2 where |x - y| is below delta, else delta (|x - y| - delta / 2) (Huber, 1964); then the mean, the sum
    or none.

    7 per element, both cases computed: subtract, absolute value, 2 for the square and its half, 2 for the line, one
    selection. 1 per element for the sum and 1 for the mean's division.

    Backward: 7 per element for each: subtract, g scaled, 1 for the square's case, 2 for the line's and its negative,
    two selections; 1 division for the mean.
    """
    return Work(vector_flops=7 * x.elements + reduction_flops(x.elements, reduction))


def _probability_x(x: TensorSpec, weight: TensorSpec | None, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=(7 if weight else 6) * x.elements + _each_mean(x, reduction))


def _probability_y(x: TensorSpec, weight: TensorSpec | None, *, reduction: str = "mean") -> Work:
    flops = (6 if weight else 5) * x.elements + _each_mean(x, reduction)
    return Work(vector_flops=flops, transcendentals=x.elements)


@operator(
    "x: *shape, y: *shape, weight?: ... -> loss: *shape",
    infer=_shape,
    saves=(
        Saved("x", "the gradient divides by x (1 - x)"),
        Saved("y", "the gradient compares x with it"),
        Saved("weight", "the gradient is scaled by it"),
    ),
    gradients={"x": _probability_x, "y": _probability_y},
)
def binary_cross_entropy(x: TensorSpec, weight: TensorSpec | None, *, reduction: str = "mean") -> Work:
    """-(y log x + (1 - y) log(1 - x)) of probabilities, each logarithm at least -100; then the mean, the sum or none.

    9 per element: y - 1, -x, two logarithms (transcendental), two comparisons, two products, a subtraction; 1 more for
    a weight; 1 per element for the sum and 1 for the mean's division.

    Backward: 6 per element for x: x - y, times g, over x (1 - x), which is at least 1e-12. 5 for y: the logit (3, one
    of them transcendental), negated, times g. 1 more each for a weight, and for the mean.
    """
    flops = (10 if weight else 9) * x.elements + reduction_flops(x.elements, reduction)
    return Work(vector_flops=flops, transcendentals=2 * x.elements)


def _weights(weight: TensorSpec | None, pos_weight: TensorSpec | None, positive: bool) -> tuple[Any, Any]:
    """Returns the weight and pos_weight, which may be given alone, in the weight's place."""
    return (None, weight) if positive else (weight, pos_weight)


def _logits_x(
    x: TensorSpec,
    weight: TensorSpec | None,
    pos_weight: TensorSpec | None,
    *,
    reduction: str = "mean",
    positive: bool = False,
) -> Work:
    weight, pos_weight = _weights(weight, pos_weight, positive)
    each = 6 + (4 if pos_weight else 0) + (1 if weight else 0)
    return Work(vector_flops=each * x.elements + _each_mean(x, reduction), transcendentals=x.elements)


def _logits_y(
    x: TensorSpec,
    weight: TensorSpec | None,
    pos_weight: TensorSpec | None,
    *,
    reduction: str = "mean",
    positive: bool = False,
) -> Work:
    weight, pos_weight = _weights(weight, pos_weight, positive)
    each = (18 if pos_weight else 2) + (1 if weight else 0)
    special = 4 * x.elements if pos_weight else 0
    return Work(vector_flops=each * x.elements + _each_mean(x, reduction), transcendentals=special)


@operator(
    "x: *shape, y: *shape, weight?: ..., pos_weight?: ... -> loss: *shape",
    infer=_shape,
    saves=(
        Saved("x", "the gradient needs its sigmoid"),
        Saved("y", "the gradient compares the sigmoid with it"),
        Saved("weight", "the gradient is scaled by it"),
        Saved("pos_weight", "the gradient is scaled by it where y is 1"),
    ),
    gradients={"x": _logits_x, "y": _logits_y},
)
def binary_cross_entropy_with_logits(
    x: TensorSpec,
    weight: TensorSpec | None,
    pos_weight: TensorSpec | None,
    *,
    reduction: str = "mean",
    positive: bool = False,
) -> Work:
    """(1 - y) x - log_sigmoid(x): binary cross-entropy of logits, then the mean, the sum or none. If `positive`,
    the one operand after y is pos_weight.

    10 per element: 1 - y, times x, 7 for log_sigmoid (two of them transcendental), a subtraction. pos_weight: 3 more,
    its factor 1 + (pos_weight - 1) y times log_sigmoid, and 1 for each of its elements; weight: 1 more. 1 per element
    for the sum and 1 for the mean's division.

    Backward: 6 per element for x: 4 for the sigmoid (one transcendental), less y, times g; 4 more with pos_weight. 2
    for y: -x times g; with pos_weight 18 (two log_sigmoid, a negation, two products, a subtraction; 4 transcendental).
    1 more each for a weight, and for the mean.
    """
    weight, pos_weight = _weights(weight, pos_weight, positive)
    each = 10 + (3 if pos_weight else 0) + (1 if weight else 0)
    shared = pos_weight.elements if pos_weight else 0
    flops = each * x.elements + shared + reduction_flops(x.elements, reduction)
    return Work(vector_flops=flops, transcendentals=2 * x.elements)


def _margin_x(x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=8 * x.elements + _of_mean(reduction), transcendentals=x.elements)


@operator("x: *shape, y: *shape -> loss: *shape", infer=_shape, saves=BOTH, gradients={"x": _margin_x})
def soft_margin_loss(x: TensorSpec, *, reduction: str = "mean") -> Work:
    """log(1 + exp(-y x)) for targets y of -1 and 1, then the mean, the sum or none.

    5 per element: negate, times x, exp, 1 more, log; exp and log are transcendental. 1 per element for the sum and 1
    for the mean's division.

    Backward: 8 per element: exp(-y x) again (3, one transcendental), over itself and 1 (2), times y, negated, times g;
    1 division for the mean.
    """
    flops = 5 * x.elements + reduction_flops(x.elements, reduction)
    return Work(vector_flops=flops, transcendentals=2 * x.elements)


def _divergence_shape(x: TensorSpec, *, reduction: str = "mean") -> tuple[Any, ...]:
    if reduction not in ("mean", "sum", "batchmean", "none"):
        raise OperatorError(f"reduction is 'mean', 'sum', 'batchmean' or 'none', not {reduction!r}")
    return () if reduction != "none" else x.shape


def _divergence_x(x: TensorSpec, *, reduction: str = "mean") -> Work:
    return Work(vector_flops=2 * x.elements + _each_mean(x, reduction) + _once(reduction))


def _divergence_y(wanted: tuple[bool, ...], x: TensorSpec, *, reduction: str = "mean") -> Work:
    shared = 0 if wanted[0] else _each_mean(x, reduction) + _once(reduction)
    return Work(vector_flops=10 * x.elements + shared, transcendentals=x.elements)


@operator(
    "x: *shape, y: *shape -> loss: *shape",
    infer=_divergence_shape,
    saves=(
        Saved("x", "the gradient of y needs it", needed_for="y"),
        Saved("y", "the gradient of x is -y, and that of y needs its logarithm"),
    ),
    gradients={"x": _divergence_x, "y": _divergence_y},
)
def kl_div(x: TensorSpec, *, reduction: str = "mean") -> Work:
    """y log y - y x of log-probabilities x and probabilities y (Kullback and Leibler, 1951), then the mean, the sum,
    none, or `batchmean`, the sum by the number of rows; as torch writes it out.

    4 per element: y log y (2, one transcendental), y x, subtract; 1 per element for the sum and 1 for the division.

    Backward: 2 per element for x: -g times y. 10 for y: log y and 1, where y is above 0 (two comparisons and a
    selection), times g, and less g x. The mean divides g, 1 per element; batchmean once.
    """
    each = reduction_flops(x.elements, "mean" if reduction == "batchmean" else reduction)
    return Work(vector_flops=4 * x.elements + each, transcendentals=x.elements)
