"""Fused attention on latents: one row per token, which all heads share, is its key and, in its first elements, its
value.

torch's own fused attention has no such kernel; FlashMLA and FlashInfer have one, which vLLM and SGLang serve DeepSeek's
models with.
"""

from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, has_value, operator
from graphacct_operators import attention as plain
from graphacct_operators.attention import EITHER_SIDE, causal_only, of_each_head, scores_again

SAVES = plain.scaled_dot_product_attention.saves
_of_heads: Any = plain.scaled_dot_product_attention.formula


def _attended(q: TensorSpec, b: Any, h: Any, s: Any, d: Any, *, values: Any, **attributes: Any) -> TensorSpec:
    if has_value(values) and has_value(d) and not 0 < values <= d:
        raise ShapeError(f"values is {values}: the value is part of a latent row, which has {d} elements")
    return TensorSpec((b, h, s, values), q.dtype)


def _all_operands(
    b: Any,
    h: Any,
    s: Any,
    t: Any,
    d: Any,
    pairs: Any,
    *,
    values: Any,
    scale: float | None = None,
    dropout_p: float = 0.0,
    causal: bool = False,
) -> Work:
    """As fused attention whose heads share keys and values, and the sum of a row's gradients as a key and as a
    value."""
    summed = b * h * t * (d + values) + b * t * values
    return of_each_head(b, h, s, d, values, pairs, scale, False, dropout_p).plus(Work(vector_flops=summed))


def _scores_again(
    b: Any,
    h: Any,
    d: Any,
    pairs: Any,
    *,
    values: Any,
    causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Work:
    return scores_again(b, h, d, pairs, None, causal=causal, scale=scale, dropout_p=dropout_p)


@operator(
    "q: b h s d, latents: b t d -> b h s e",
    infer=_attended,
    gradients={"*": _all_operands},
    recomputes=_scores_again,
    attention="whole",
    pairs="s t",
    sees=causal_only,
    saves=(
        Saved("q", EITHER_SIDE),
        Saved("latents", EITHER_SIDE),
        *(saved for saved in SAVES if saved.name not in ("q", "k", "v", "mask")),
    ),
)
def latent_attention(
    b: Any,
    h: Any,
    d: Any,
    pairs: Any,
    *,
    values: Any,
    causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Work:
    """softmax(q latentsᵀ · scale + mask) latents[..., :values], fused (DeepSeek-AI, 2024, arXiv:2405.04434, section
    2.1): every head attends to the same row of d elements per token.

    2 FLOPs per multiply-add, so 2 b h s t d for the scores and 2 b h s t values for the values, in full for every pair
    of positions. Per score as scaled_dot_product_attention: 1 for the scale, 1 for a causal mask, 5 for the softmax
    with one exp, 2 for dropout.

    Reads q and each latent row once, for both products, and writes the output; the scores are never stored.

    Backward, of q and the latents together: 4 products as in scaled_dot_product_attention, twice the forward pass, and
    per score as many operations as there; 1 per head and element to sum the latents' gradients over the heads, and 1
    per element of a value to add what a row gets as a key and as a value. The scores are computed again, as there.
    """
    return _of_heads(b, h, d, values, pairs, None, causal=causal, scale=scale, dropout_p=dropout_p)
