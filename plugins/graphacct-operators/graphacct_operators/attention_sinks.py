"""Fused attention with an attention sink: a learned score for each head that belongs to no key.

torch's own fused attention has no sinks; FlashAttention-3 and FlexAttention have kernels with them.
"""

from typing import Any

from graphacct import Saved, TensorSpec, Work, operator
from graphacct_operators import attention as plain
from graphacct_operators.attention import all_operands, attended, causal_only, scores_again

SAVES = plain.scaled_dot_product_attention.saves
_without_sinks: Any = plain.scaled_dot_product_attention.formula


def _all_operands(
    b: Any,
    h: Any,
    g: Any,
    s: Any,
    t: Any,
    d: Any,
    e: Any,
    pairs: Any,
    *,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Work:
    """As without sinks, and per row 2 for the sink's: its weight times sum(g * out), added up."""
    work = all_operands(b, h, g, s, t, d, e, pairs, scale=scale, dropout_p=dropout_p)
    return work.plus(Work(vector_flops=2 * b * h * s))


def _scores_again(
    b: Any,
    h: Any,
    s: Any,
    d: Any,
    pairs: Any,
    mask: TensorSpec | None,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Work:
    """As without sinks, and per row 2 for the sink's weight: subtract the logsumexp, exp."""
    work = scores_again(b, h, d, pairs, mask, causal=causal, scale=scale, dropout_p=dropout_p)
    return work.plus(Work(vector_flops=2 * b * h * s, transcendentals=b * h * s))


@operator(
    "q: b h s d, k: b g t d, v: b g t e, sinks: h, mask?: ... -> b h s e",
    infer=attended,
    gradients={"*": _all_operands},
    recomputes=_scores_again,
    attention="whole",
    pairs="s t",
    sees=causal_only,
    saves=(*SAVES, Saved("sinks", "the sink's weight is computed again")),
)
def scaled_dot_product_attention_with_sinks(
    b: Any,
    h: Any,
    s: Any,
    d: Any,
    e: Any,
    pairs: Any,
    mask: TensorSpec | None,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Work:
    """softmax([q kᵀ · scale + mask, sink]) v without the sink's column, fused (gpt-oss, arXiv:2508.10925).

    As scaled_dot_product_attention, and a score more in each row: 5 for its part of the softmax with one exp. It meets
    neither scale nor mask, and no value. gpt-oss written out takes the largest of each row off before the softmax does
    so again, and drops out after the sinks are gone; the fused kernel does that once.

    Backward: per row 2 more for the sinks' gradient, -sum(sink weight · sum(g * out)), and 2 more, one of them an
    exp, to compute its weight again. Source: the derivative of the softmax.
    """
    work = _without_sinks(b, h, d, e, pairs, mask, causal=causal, scale=scale, dropout_p=dropout_p)
    return work.plus(Work(vector_flops=5 * b * h * s, transcendentals=b * h * s))
