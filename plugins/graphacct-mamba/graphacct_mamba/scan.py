"""Scans of selective state spaces, one operator each, for what the transformers library runs in plain torch.

A state is n numbers for each channel. At each position it decays, takes in the position's input and is read out. The
decay, the input and the readout depend on the position.
"""

from typing import Any

from graphacct import Saved, Work, operator

FACTOR = "a factor of a product whose other factor has a gradient"


def _scanned_back(b: Any, d: Any, s: Any, n: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    return Work(matmul_flops=4 * b * d * s * n, vector_flops=15 * b * d * s * n + b * d * s)


@operator(
    "x: b d s, dt: b d s, A: d n, B: b s n, C: b s n, state?: b d n -> y: b d s, last: b d n",
    gradients={"*": _scanned_back},
    saves=(
        *(Saved(name, FACTOR) for name in ("x", "dt", "A", "B", "C")),
        Saved("decays", "exp(dt A), whose gradient is itself, and a factor of each state", "b d s n", "float32"),
        Saved("intakes", "dt B, a factor of what is taken in", "b d s n", "float32"),
        Saved("states", "each position's state: a factor of the next and of what is read", "b d s n", "float32"),
        Saved("start", "the state before the first position", "b d n", "float32"),
    ),
)
def selective_scan(b: Any, d: Any, s: Any, n: Any) -> Work:
    """h_t = exp(dt_t A) h_(t-1) + dt_t B_t x_t and y_t = C_t h_t, for each of d channels (Gu and Dao, 2023).

    Per position, channel and number of the state: 2 matmul FLOPs for the product with C, which the transformers
    library's path in plain torch runs as a batched product and torch's counter sees; 6 vector FLOPs: dt A, exp, dt B,
    times x, the state times its decay, plus what is taken in. exp is transcendental. A kernel that fuses all of this
    does the same arithmetic and keeps less: what is kept here is what plain torch keeps, in float32.

    Backward, of all operands together: twice the product; per position, channel and number of the state 15: adding
    what the next position hands back, 2 for the decay (of the decay, of the state before), 1 for dt B, 2 for x (a
    product, a sum), 2 for B and 2 for dt through dt B, exp, 2 for A and 2 for dt through dt A; 1 per position and
    channel to add the two gradients of dt.
    """
    return Work(matmul_flops=2 * b * d * s * n, vector_flops=6 * b * d * s * n, transcendentals=b * d * s * n)
