"""The gated delta rule: linear attention whose state decays, and forgets a key's old value when it takes in a new one.

Yang et al., "Gated Delta Networks: Improving Mamba2 with Delta Rule", 2024 (arXiv:2412.06464), in chunks as in
"Parallelizing Linear Transformers with the Delta Rule over Sequence Length" (arXiv:2406.06484), as the transformers
library writes it in plain torch.
"""

from typing import Any

from graphacct import OperatorError, Saved, Work, equal, operator

FACTOR = "a factor of a product whose other factor has a gradient"
EXP = "exp: its gradient is itself"


def _within(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Any:
    """FLOPs of the products within chunks: queries with keys, keys with keys, and the first with new values."""
    return 2 * b * h * c * m * m * (2 * k + v)


def _solves(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Any:
    """FLOPs of two triangular systems of m unknowns, whose diagonal is 1, for v and k columns."""
    return b * h * c * m * (m - 1) * (k + v)


def _delta_back(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    chunks = b * h * c
    products = 2 * _within(b, h, c, m, k, v) + 2 * chunks * m * m * (k + v)
    states = 2 * b * h * m * k * v * (6 * c - 4)
    vector = chunks * (11 * m * m + 13 * m * k + 2 * m * v + 10 * m + 6 * k * v + 1)
    return Work(matmul_flops=products + states, vector_flops=vector + _solves(b, h, c, m, k, v))


@operator(
    "q: b h c m k, k: b h c m k, k_beta: b h c m k, v_beta: b h c m v, decay: b h c m -> y: b h c m v, last: b h k v",
    gradients={"*": lambda b, h, c, m, k, v, **_: _delta_back(b, h, c, m, k, v)},
    saves=(
        *(Saved(name, FACTOR) for name in ("q", "k", "k_beta")),
        Saved("mask", "positions after others", "m m", "bool"),
        *(Saved(name, FACTOR, "b h c m m", "float32") for name in ("decays", "k_k", "q_k", "q_k_decayed")),
        Saved("system", "the gradients solve with it again", "b h c m m", "float32"),
        Saved("values", "the gradient of its system multiplies by the solution", "b h c m v", "float32"),
        Saved("keys", "the gradient of its system multiplies by the solution", "b h c m k", "float32"),
        *(Saved(f"decay_in_{i}", EXP, "b h c m", "float32") for i in (1, 2)),
        Saved("new_values", FACTOR, "b h c m v", "float32"),
        Saved("states", "each chunk's state before it: a factor", "b h c k v", "float32"),
        Saved("q_decayed", "a factor of products with states that have a gradient", "b h several m k", "float32"),
        Saved("k_decayed", FACTOR, "b h c m k", "float32"),
        Saved("decay_out", EXP, "b h c m", "float32"),
        Saved("decay_between", EXP, "b h c", "float32"),
    ),
)
def delta_chunks(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any, *, several: Any) -> Work:
    """S_t = exp(g_t) S_(t-1) (1 - beta_t k_t k_tᵀ) + beta_t k_t v_tᵀ and y_t = S_tᵀ q_t, for each of h heads; computed
    in c chunks of m positions, one after the other. `several` is c, or 0 if there is one chunk alone.

    Matmul FLOPs, 2 per multiply-add, of what torch runs as products: within chunks k_beta kᵀ and q kᵀ, 2 b h c m² k
    each, and the latter times new values, 2 b h c m² v; with states three of 2 b h c m k v: what the state predicts for
    the chunk's keys, what the queries read, what the state takes in.
    Vector FLOPs: two triangular systems with a diagonal of 1, m (m - 1) for each of their k + v columns (LAPACK Working
    Note 41, xTRSM), which torch's counter does not see; per pair of positions in a chunk 4 (a difference of decays,
    exp, two products); per position and element of a key 3 (three decays), of a value 2 (a difference, a sum); per
    position 5 (the running sum, a difference, 3 exp); per element of a chunk's state 2; per chunk an exp.

    Backward, of all operands together: twice the products within chunks, and the gradients of both systems, 2 m² for
    each column; of the three products with states both sides, except that the first state has no gradient and the last
    is not read; its factors are kept all the same, since the library's class hands that state to a cache in training
    too. The systems are solved once more. Per pair of positions 11: 4 for two products, 2 for the systems'
    signs, 2 sums, exp, 2 for the difference. Per position and element of a key 13, three products with a decay and the
    sums; of a value 2. Per position 10: 3 exp, a difference, the running sum and what reaches it. Per element of a
    state 6.
    """
    if not (equal(several, 0) or equal(several, c)):
        raise OperatorError(f"several is {several}: give the number of chunks, {c}, or 0 for one alone")
    chunks = b * h * c
    vector = chunks * (4 * m * m + 3 * m * k + 2 * m * v + 5 * m + 2 * k * v + 1)
    return Work(
        matmul_flops=_within(b, h, c, m, k, v) + 6 * chunks * m * k * v,
        vector_flops=vector + _solves(b, h, c, m, k, v),
        transcendentals=chunks * (m * m + 3 * m + 1),
    )


@operator(
    "q: b h s k, k: b h s k, v: b h s v, decay: b h s, beta: b h s, state: b h k v -> y: b h s v, last: b h k v",
)
def delta_step(b: Any, h: Any, s: Any, k: Any, v: Any) -> Work:
    """The same for one position after the other, on a state, without a backward pass.

    Vector FLOPs per position and element of the state: 7 (its decay; 2 for what it predicts, a product and a sum; 2 to
    take in the new value, 2 to be read), per element of a value 2 (a difference, times beta), and an exp. The
    transformers library multiplies and sums element by element, so that none is a matmul.
    """
    positions = b * h * s
    return Work(vector_flops=positions * (7 * k * v + 2 * v + 1), transcendentals=positions)
