"""Connectionist temporal classification."""

from typing import Any

from graphacct import Saved, Work, operator
from graphacct_operators.loss import reduced, reduction_flops


def _shape(b: Any, *, reduction: str = "mean") -> tuple[Any, ...]:
    return reduced((b,), reduction)


def _of_mean(b: Any, reduction: str) -> Any:
    """torch divides each sequence's loss by its length, at least 1, before the mean."""
    return 2 * b if reduction == "mean" else 0


def _gradient(t: Any, b: Any, c: Any, s: Any, *, reduction: str = "mean") -> Work:
    states = t * b * (2 * s + 1)
    classes = t * b * c
    mean = 2 * b if reduction == "mean" else 0
    return Work(vector_flops=21 * states + 6 * classes + mean, transcendentals=7 * states + 2 * classes)


@operator(
    "log_probabilities: t b c, targets: b s, input_lengths: b, target_lengths: b -> loss: b",
    infer=_shape,
    saves=(
        Saved("log_probabilities", "the gradient is exp of them, less each class's share"),
        Saved("targets", "the states' classes"),
        Saved("input_lengths", "where each sequence ends"),
        Saved("target_lengths", "where each sequence's targets end"),
        Saved("neg_log_likelihood", "each state's share is of it", "b", "log_probabilities"),
        Saved("log_alpha", "the forward probabilities of all states", lambda t, b, s: (b, t, 2 * s + 1)),
    ),
    gradients={"log_probabilities": _gradient},
)
def ctc_loss(t: Any, b: Any, s: Any, *, reduction: str = "mean") -> Work:
    """Minus the log-probability of the targets over all alignments (Graves et al., 2006): the forward recursion over
    t steps and 2 s + 1 states, the targets with blanks between; every sequence as long as the longest.

    13 per step and state, 4 of them transcendental: log-sum-exp of three predecessors (2 maxima, 3 subtractions, 3 exp,
    2 sums, a log, plus the maximum), plus the class's log-probability. 1 per sequence to negate; 2 for its mean by
    length, then 1 per sequence for the sum and 1 for the mean's division.

    Backward: 21 per step and state, 7 of them transcendental: the backward recursion (13), its sum with the forward one
    (1), and their log-sum-exp by class (7); 6 per log-probability: exp of it, less exp of the class's share, times g.
    """
    states = t * b * (2 * s + 1)
    flops = 13 * states + b + _of_mean(b, reduction) + reduction_flops(b, reduction)
    return Work(vector_flops=flops, transcendentals=4 * states)
