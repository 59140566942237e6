"""Kimi delta attention: the gated delta rule with a decay for each element of a key.

Kimi Team, "Kimi Linear: An Expressive, Efficient Attention Architecture", 2025 (arXiv:2510.26692), in chunks as the
transformers library writes it in plain torch (`chunk_kimi_delta_attention`, 5.23).
"""

from typing import Any

from graphacct import OperatorError, Saved, Work, equal, exact_div, operator

FACTOR = "a factor of a product whose other factor has a gradient"
EXP = "exp: its gradient is itself"


def _inverted(m: Any) -> tuple[Any, Any]:
    """Returns the elements of the rows that the inversion of a triangle of m rows reads, and of the corners above
    them: the sums of i and of i² for i from 1 to m - 1."""
    return exact_div(m * (m - 1), 2), exact_div(m * (m - 1) * (2 * m - 1), 6)


def _products(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Any:
    """FLOPs of the products within chunks: the inverted triangle with values and keys, scores with new values."""
    return 2 * b * h * c * m * m * (k + 2 * v)


def _back(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    chunks = b * h * c
    rows, corners = _inverted(m)
    pairs = 16 * m * m * k + 3 * m * m + 4 * corners + 2 * rows
    vector = chunks * (pairs + 16 * m * k + 3 * m * v + 6 * k * v + 3 * k)
    states = 2 * b * h * m * k * v * (6 * c - 4)
    return Work(matmul_flops=2 * _products(b, h, c, m, k, v) + states, vector_flops=vector)


def _rows(b: Any, h: Any, c: Any, m: Any) -> tuple[Any, ...]:
    rows, corners = _inverted(m)
    return (b * h * c * (rows + corners),)


@operator(
    "q: b h c m k, k: b h c m k, k_beta: b h c m k, v_beta: b h c m v, decay: b h c m k -> y: b h c m v, last: b h k v",
    gradients={"*": lambda b, h, c, m, k, v, **_: _back(b, h, c, m, k, v)},
    saves=(
        *(Saved(name, FACTOR) for name in ("q", "k", "k_beta", "v_beta")),
        *(Saved(f"mask_{i}", "positions after others", "m m", "bool") for i in (1, 2, 3)),
        *(Saved(name, FACTOR, "b h c m m k", "float32") for name in ("decays", "k_k", "q_k")),
        Saved("rows", "factors of the inversion's products", _rows, "float32"),
        *(Saved(name, FACTOR, "b h c m m", "float32") for name in ("inverse", "q_k_decayed")),
        *(Saved(f"decay_in_{i}", EXP, "b h c m k", "float32") for i in (1, 2)),
        Saved("keys", FACTOR, "b h c m k", "float32"),
        Saved("keys_decayed", "a factor of products with states that have a gradient", "b h several m k", "float32"),
        Saved("new_values", FACTOR, "b h c m v", "float32"),
        Saved("states", "each chunk's state before it: a factor", "b h c k v", "float32"),
        Saved("q_decayed", "a factor of products with states that have a gradient", "b h later m k", "float32"),
        Saved("k_decayed", FACTOR, "b h c m k", "float32"),
        Saved("decay_out", EXP, "b h c m k", "float32"),
        Saved("decay_between", EXP, "b h c k", "float32"),
    ),
)
def kda_chunks(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any, *, several: Any, later: Any) -> Work:
    """S_t = (1 - beta_t k_t k_tᵀ) diag(exp(g_t)) S_(t-1) + beta_t k_t v_tᵀ and y_t = S_tᵀ q_t, for each of h heads, a
    decay for each of the k elements of a key; computed in c chunks of m positions, one after the other. `several` is c,
    or 0 if there is one chunk alone; `later` is c - 1.

    Matmul FLOPs, 2 per multiply-add, of what torch runs as products: within chunks the inverted triangle times values
    and decayed keys and the scores times new values, 2 b h c m² (k + 2 v); with states three of 2 b h c m k v: what the
    state predicts for the chunk's keys, what the queries read, what the state takes in.
    Vector FLOPs: since the decays differ by element, scores of keys and of queries are products element by element, per
    pair of positions and element of a key 8 (a difference of decays, exp, two products with a sum each time), per pair
    2 (a sign, the diagonal); the triangle's inversion by rows, 2 i² + i for each row i; per position and element of a
    key 8 (the running sum, 3 exp, a difference, three products), of a value 2; per element of a chunk's state 2, of its
    decay 1.

    Backward, of all operands together: twice the products within chunks; of the three products with states both sides,
    except that the first state has no gradient and the last is not read. Per pair and element of a key 16: 12 for two
    scores, a sum, exp, 2 for the difference; per pair 3, per row i of the inversion 4 i² + 2 i; per position and
    element of a key 16, of a value 3; per element of a state 6, of its decay 3.
    """
    if not (equal(several, 0) or equal(several, c)):
        raise OperatorError(f"several is {several}: give the number of chunks, {c}, or 0 for one alone")
    chunks = b * h * c
    rows, corners = _inverted(m)
    vector = chunks * (8 * m * m * k + 2 * m * m + 2 * corners + rows + 8 * m * k + 2 * m * v + 2 * k * v + k)
    return Work(
        matmul_flops=_products(b, h, c, m, k, v) + 6 * chunks * m * k * v,
        vector_flops=vector,
        transcendentals=chunks * (m * m * k + 3 * m * k + k),
    )


@operator(
    "q: b h s k, k: b h s k, v: b h s v, decay: b h s k, beta: b h s, state: b h k v -> y: b h s v, last: b h k v",
)
def kda_step(b: Any, h: Any, s: Any, k: Any, v: Any) -> Work:
    """The same for one position after the other, on a state, without a backward pass.

    Vector FLOPs per position and element of the state: 7 (its decay; 2 for what it predicts, a product and a sum; 2 to
    take in the new value, 2 to be read), per element of a value 2 (a difference, times beta), and an exp for each
    element of a key. The transformers library multiplies and sums element by element, so that none is a matmul.
    """
    positions = b * h * s
    return Work(vector_flops=positions * (7 * k * v + 2 * v + k), transcendentals=positions * k)
