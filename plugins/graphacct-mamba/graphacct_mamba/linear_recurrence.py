"""A linear recurrence of each channel: a state decays, and takes in the position's input (Griffin's RG-LRU)."""

from typing import Any

from graphacct import Saved, Work, operator


def _recurred_back(b: Any, s: Any, d: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    return Work(vector_flops=3 * b * s * d)


@operator(
    "x: b s d, decay: b s d, state?: b d -> y: b s d, last: b d",
    gradients={"*": _recurred_back},
    saves=(
        Saved("decay", "a factor of the state before"),
        Saved("states", "the state before each position, a factor of the decay's gradient", "b s d", "float32"),
    ),
)
def linear_recurrence(b: Any, s: Any, d: Any) -> Work:
    """h_t = a_t h_(t-1) + x_t for each channel, in float32 (De et al., 2024, arXiv:2402.19427, equation 4).

    2 per element: a product and a sum.

    Backward, of all operands together: 3 per element: adding what the next position hands back, and 2 products, with
    the decay for the state before and with that state for the decay.
    """
    return Work(vector_flops=2 * b * s * d)
