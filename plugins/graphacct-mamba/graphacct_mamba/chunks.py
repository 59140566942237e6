"""Mamba-2's scan: chunks of positions as matrix products, and one step on a state.

Dao and Gu, "Transformers are SSMs", 2024 (arXiv:2405.21060), as the transformers library writes it in plain torch.
"""

from typing import Any

from graphacct import OperatorError, Saved, Work, equal, operator, same

FACTOR = "a factor of a product whose other factor has a gradient"


COPY = "a copy in the order that a product of its chunks wants"


def _products(b: Any, c: Any, m: Any, h: Any, p: Any, n: Any) -> Any:
    """FLOPs of the five contractions."""
    within = 2 * b * c * m * m * h * (n + p)
    states = 4 * b * c * m * h * p * n
    between = 2 * b * (c + 1) * (c + 1) * h * p * n
    return within + states + between


def _chunked_back(b: Any, c: Any, m: Any, h: Any, p: Any, g: Any, n: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    rows = b * c * m * h
    shared = 0 if equal(g, h) else 2
    between = b * h * (c + 1) * (c + 1)
    vector = 5 * rows * m + 11 * rows * p + (5 + shared) * rows * n + 12 * rows + 3 * between
    return Work(matmul_flops=2 * _products(b, c, m, h, p, n), vector_flops=vector)


@operator(
    "x: b c m h p, dt: b c m h, A: h, B: b c m g n, C: b c m g n, D: h -> y: b c m h p, last: b h p n",
    gradients={"*": _chunked_back},
    saves=(
        *(Saved(name, FACTOR) for name in ("x", "dt", "A", "D")),
        Saved("x_again", "x as D x has it", "b c m h p", "float32"),
        *(Saved(f"x_dt_{i}", COPY, "b c m h p", "float32") for i in (1, 2)),
        Saved("handed_on", "what earlier chunks add, before it decays", "b c m h p", "float32"),
        Saved("B_chunks", "B with a copy for each head, a factor of its decay", "b c m h n", "float32"),
        *(Saved(name, COPY, "b c m h n", "float32") for name in ("B_rows", "B_decayed", "C_rows", "C_rows_again")),
        *(Saved(name, FACTOR, "b c m m h", "float32") for name in ("L", "C_B", "C_B_L")),
        *(Saved(name, "exp: its gradient is itself", "b c m h", "float32") for name in ("decay_in", "decay_out")),
        *(Saved(f"mask_{i}", "positions after others", "m m", "bool") for i in (1, 2)),
        *(Saved(f"chunk_mask_{i}", "chunks after others", "bounds bounds", "bool") for i in (1, 2)),
        Saved("decay_between", "exp: its gradient is itself", "b h bounds bounds", "float32"),
        Saved("states", "each chunk's own state, and the first", "b h bounds p n", "float32"),
        Saved("starts", "the state that each chunk starts from", "b c h p n", "float32"),
    ),
)
def chunk_scan(b: Any, c: Any, m: Any, h: Any, p: Any, n: Any, *, bounds: Any) -> Work:
    """h_t = exp(dt_t A) h_(t-1) + dt_t B_t x_t and y_t = C_t h_t + D x_t, each head with one decay, g groups of heads
    with B and C of their own; computed in c chunks of m positions, S in all, as products. `bounds` is c + 1.

    Matmul FLOPs, 2 per multiply-add: C Bᵀ within a chunk 2 b S m h n, its product with x 2 b S m h p, each chunk's
    state 2 b S h p n, the states handed from chunk to chunk 2 b h (c + 1)² p n, and what they add to the output
    2 b S h p n: what torch's counter sees.
    Vector FLOPs: per pair of positions in a chunk and head 3 (the sums of the decays, exp, the product); per position,
    head and channel 5 (dt x, the decay of what is handed on, the sum, D x, the sum); per position, head and number of
    the state 1 (B times its decay); per position and head 5 (dt A, its running sum, a difference, 2 exp); per pair of
    chunks and head 2 (a sum, exp). exp is transcendental.

    Backward, of all operands together: twice the products. Per pair of positions and head 5: 2 for the product, exp, 2
    for the sums. Per position, head and channel 11: 3 for what is handed on (a product for each side, a sum), 3 each
    for dt x and D x, 2 to add the gradients of x. Per position, head and number of the state 5: 3 for B's decay, 2 to
    add the gradients of B and C; 2 more where heads share them. Per position and head 12: 2 exp, 2 for the difference,
    4 for the running sum and what reaches it, 3 for dt A, the sum of what reaches dt. Per pair of chunks and head 3.
    """
    if not same(bounds, c + 1):
        raise OperatorError(f"bounds is {bounds}, but {c} chunks have {c + 1}: give c + 1")
    rows = b * c * m * h
    between = b * h * (c + 1) * (c + 1)
    return Work(
        matmul_flops=_products(b, c, m, h, p, n),
        vector_flops=3 * rows * m + 5 * rows * p + rows * n + 5 * rows + 2 * between,
        transcendentals=rows * m + 2 * rows + between,
    )


@operator(
    "x: b s h p, dt: b s h, A: h, B: b s g n, C: b s g n, D: h, state: b h p n -> y: b s h p, last: b h p n",
)
def scan_step(b: Any, s: Any, h: Any, p: Any, n: Any) -> Work:
    """The same for one position after the other, on a state, without a backward pass.

    Per position, head, channel and number of the state: 2 matmul FLOPs for the product with C; 6 vector FLOPs: dt A,
    exp, dt B, times x, the state times its decay, plus what is taken in; per channel 2 for D. exp is transcendental.
    """
    elements = b * s * h * p * n
    return Work(matmul_flops=2 * elements, vector_flops=6 * elements + 2 * b * s * h * p, transcendentals=elements)
