"""Lightning attention: linear attention whose state decays by a constant of each head, in blocks of positions.

Qin et al., "Lightning Attention-2", 2024 (arXiv:2401.04658); MiniMax, "MiniMax-01", 2025 (arXiv:2501.08313), as the
transformers library writes it in plain torch (`MiniMaxLightningAttention`, 5.23).
"""

from typing import Any

from graphacct import Saved, Work, ceil_div, floor_div, minimum, operator

FACTOR = "a factor of a product whose other factor has a gradient"


def _squares(s: Any, block: Any) -> Any:
    """Returns the pairs of positions within blocks: the sum of the blocks' squared lengths."""
    whole = floor_div(s, block)
    rest = s - whole * block
    return whole * block * block + rest * rest


def _ends(s: Any, block: Any) -> tuple[Any, Any]:
    """Returns the lengths of the first block and of the last one."""
    return minimum(s, block), s - (ceil_div(s, block) - 1) * block


def _back(b: Any, h: Any, s: Any, k: Any, v: Any, block: Any) -> Work:
    """Returns the work of all operands' gradients together."""
    first, last = _ends(s, block)
    pairs, count = _squares(s, block), ceil_div(s, block)
    states = 2 * k * v * (s + (s - first) + 2 * (s - last))
    return Work(
        matmul_flops=b * h * (4 * pairs * (k + v) + states),
        vector_flops=b * h * (pairs + s * (4 * k + 2 * v) + 2 * count * k * v),
    )


def _copies(b: Any, h: Any, s: Any, k: Any, v: Any, *, views: bool = False) -> list[tuple[Any, ...]]:
    """Returns the shapes of the copies of queries, keys and twice the values."""
    return [] if views else [(b, h, s, k), (b, h, s, k), (b, h, s, v), (b, h, s, v)]


@operator(
    "q: b h s k, k: b h s k, v: b h s v -> y: b h s v, last: b h k v",
    gradients={"*": lambda b, h, s, k, v, *, block, **_: _back(b, h, s, k, v, block)},
    saves=(
        *(Saved(name, FACTOR, if_attribute="views") for name in ("q", "k", "v")),
        Saved("copies", "products of several sequences copy their factors", _copies),
        Saved("scores", FACTOR, lambda b, h, s, *, block: (b * h * _squares(s, block),)),
        Saved("q_decayed", FACTOR, lambda b, h, s, k, *, block: (b, h, s - _ends(s, block)[0], k)),
        Saved("k_decayed", FACTOR, "b h s k"),
        Saved("states", FACTOR, lambda b, h, s, k, v, *, block: (b, h, ceil_div(s, block), k, v)),
        Saved("decays", "a factor of states that have a gradient", lambda h, s, *, block: (ceil_div(s, block) - 1, h)),
    ),
)
def lightning_blocks(b: Any, h: Any, s: Any, k: Any, v: Any, *, block: Any, views: bool = False) -> Work:
    """S_t = λ S_(t-1) + k_t v_tᵀ and y_t = S_tᵀ q_t, for each of h heads; computed in blocks of `block` positions, one
    after the other, of which the last may be shorter. `views` says that the operands are read as they lie, which torch
    does for one sequence alone.

    Matmul FLOPs, 2 per multiply-add: within a block of m positions q kᵀ and its product with values, 2 m² (k + v);
    of the state what queries read and what it takes in, 2 m k v each. Vector FLOPs: per pair of positions a decay; per
    position a decay of each element of a query and of a key, and a sum for each of a value; per element of a block's
    state 2.

    Backward, of all operands together: twice the products within blocks; of the products with states both sides, except
    that the first state has no gradient and the last is not read. A decay for each pair and element, the sums, 2 per
    element of a state.
    """
    pairs, count = _squares(s, block), ceil_div(s, block)
    return Work(
        matmul_flops=b * h * (2 * pairs * (k + v) + 4 * s * k * v),
        vector_flops=b * h * (pairs + s * (2 * k + v) + 2 * count * k * v),
    )


@operator("q: b h s k, k: b h s k, v: b h s v, state: b h k v -> y: b h s v, last: b h k v")
def lightning_step(b: Any, h: Any, s: Any, k: Any, v: Any) -> Work:
    """The same for one position after the other, on a state, without a backward pass: two products of 2 k v FLOPs, what
    the state takes in and what is read of it, and 2 vector FLOPs for each element of the state."""
    return Work(matmul_flops=4 * b * h * s * k * v, vector_flops=2 * b * h * s * k * v)
