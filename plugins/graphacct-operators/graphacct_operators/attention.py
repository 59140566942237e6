"""Attention as one fused operator.

The same arithmetic written out is a matmul, a scale, an add or a masked_fill, a softmax and a matmul; only the bytes
differ, because the fused kernel never stores the scores.
"""

from typing import Any

from graphacct import Mask, Saved, ShapeError, TensorSpec, Work, dense_like, equal, has_value, less, operator
from graphacct_operators.strides import strided

EITHER_SIDE = "the gradients of the two products need it, and the scores are computed again"


def attended(q: TensorSpec, b: Any, h: Any, g: Any, s: Any, t: Any, e: Any, mask: TensorSpec | None) -> TensorSpec:
    """Returns the output, after the checks that the signature cannot say: torch's kernels lay it out in the order of q
    (`empty_like`), which is (b, s, h, e) for the transposed view of a projection."""
    if has_value(h) and has_value(g) and h % g:
        raise ShapeError(f"dimension h is {h} in q but g is {g} in k and v: query heads are a multiple of key heads")
    if mask is not None:
        scores = (b, h, s, t)
        if len(mask.shape) > len(scores):
            raise ShapeError(f"mask has {len(mask.shape)} dimensions, the scores have 4 (b h s t)")
        for name, size, own in zip("thsb", reversed(scores), reversed(mask.shape), strict=False):
            if has_value(size) and has_value(own) and own not in (1, size):
                raise ShapeError(f"dimension {name} is {size} in the scores but {own} in mask")
    if q.strides is None or less(q.strides[2], q.strides[1]):
        return TensorSpec((b, h, s, e), q.dtype)
    by_position = less(q.strides[0], q.strides[2], assumed=True)  # (s, b, h, e), as nn.MultiheadAttention has it
    if by_position or all(has_value(stride) for stride in q.strides):
        return dense_like(TensorSpec((b, h, s, e), q.dtype, q.strides))
    return strided((b, h, s, e), (s * h * e, e, h * e, 1), q.dtype)


def all_operands(
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
    softcap: bool = False,
    dropout_p: float = 0.0,
    broadcast: bool = False,
) -> Work:
    """Returns the work of the gradients of q, k and v, which the kernel computes together whichever are wanted."""
    shared = 0 if equal(g, h) else b * h * t * (d + e)
    return of_each_head(b, h, s, d, e, pairs, scale, softcap, dropout_p).plus(Work(vector_flops=shared))


def of_each_head(
    b: Any, h: Any, s: Any, d: Any, e: Any, pairs: Any, scale: float | None, softcap: bool, dropout_p: float
) -> Work:
    """Returns the work of the gradients, before those of the heads that share a key or a value are added."""
    scores = b * h * pairs
    steps = 2 + (scale != 1) + (5 if softcap else 0) + (2 if dropout_p else 0)
    return Work(matmul_flops=4 * scores * d + 4 * scores * e, vector_flops=steps * scores + 2 * b * h * s * e)


def scores_again(
    b: Any,
    h: Any,
    d: Any,
    pairs: Any,
    mask: TensorSpec | None,
    *,
    causal: bool = False,
    scale: float | None = None,
    softcap: bool = False,
    dropout_p: float = 0.0,
    broadcast: bool = False,
) -> Work:
    """Returns the work of the scores, and of the weights made of them and the logsumexp: the forward kernel stored
    neither."""
    scores = b * h * pairs
    steps = 2 + (scale != 1) + (3 if softcap else 0) + (causal or mask is not None) + (2 if dropout_p else 0)
    functions = 2 if softcap else 1
    return Work(matmul_flops=2 * scores * d, vector_flops=steps * scores, transcendentals=functions * scores)


def causal_only(s: Any, t: Any, *, causal: bool = False) -> Mask | None:
    """Returns which keys each query sees if the operator is causal by itself; a mask that it is given says so of its
    own."""
    return Mask(s, t) if causal else None


@operator(
    "q: b h s d, k: b g t d, v: b g t e, mask?: ... -> b h s e",
    infer=attended,
    gradients={"*": all_operands},
    recomputes=scores_again,
    attention="whole",
    pairs="s t",
    sees=causal_only,
    saves=(
        Saved("q", EITHER_SIDE),
        Saved("k", EITHER_SIDE),
        Saved("v", EITHER_SIDE),
        Saved("mask", "it is added again when the scores are computed again"),
        Saved("out", "the softmax's gradient needs sum(g * out) of each row"),
        Saved("logsumexp", "one per row of scores, to compute the softmax again in one pass", "b h s", "float32"),
        Saved("rng_state", "the seed of the dropout mask, kept whether or not there is dropout", "2", "int64"),
        Saved("rng_offset", "its place in the random stream", "", "int64"),
    ),
)
def scaled_dot_product_attention(
    b: Any,
    h: Any,
    d: Any,
    e: Any,
    pairs: Any,
    mask: TensorSpec | None,
    *,
    causal: bool = False,
    scale: float | None = None,
    softcap: bool = False,
    dropout_p: float = 0.0,
    broadcast: bool = False,
) -> Work:
    """softmax(q kᵀ · scale + mask) v, fused (Dao et al., 2022); k and v may have fewer heads than q (grouped queries).

    2 FLOPs per multiply-add, so 2 b h s t d for the scores and 2 b h s t e for the values, in full for every pair of
    positions whether or not a mask hides it, as torch's counter has it. Per score, as the operators of the written-out
    chain: 1 for the scale (none when `scale` is 1; None stands for 1/√d), 1 for the mask, given or causal (one that is
    both counts once, as one table), 5 for the softmax with one exp, 2 for dropout; with `softcap` 3 more, one of them a
    tanh: cap · tanh(scores / cap) before the mask (Gemma 2, arXiv:2408.00118). `--mask` counts fewer pairs than s t.

    With `broadcast`, one head of k and v is given as it is for torch to broadcast, instead of being declared shared;
    it changes the kernels that a profile runs, and no count here.

    Reads q, k, v and the mask, writes the output; the scores are never stored. The output lies in memory in the order
    of q: as (b, s, h, e) for the transposed view of a projection, so that merging the heads is a view. What is kept
    is what torch's flash kernel keeps; its memory-efficient one, which serves float32 and masks, pads logsumexp to a
    multiple of 32 rows.

    Backward, of q, k and v together: 4 products, 2 b h s t d each for the gradients of q and of k, 2 b h s t e each for
    those of the softmax and of v: twice the forward pass. Per score: the softmax's gradient (subtract, multiply), 1 for
    the scale, 2 for dropout, 5 for the softcap (3 for tanh, its two scales); 2 per element of the output for
    sum(g * out); where heads share k and v, 1 per query head to sum their gradients. Of a mask that is trained, the sum
    over what it was broadcast to is not counted.

    Computed again on top, because the forward kernel stored no scores: a fifth product, 2 b h s t d, and per score 2
    for the weights from the logsumexp (subtract, exp), 1 each for scale and mask, 2 for dropout, 3 for the softcap. The
    hardware does that and the model does not ask for it; torch's counter has all 5 products.
    """
    scores = b * h * pairs
    steps = 5 + (scale != 1) + (3 if softcap else 0) + (causal or mask is not None) + (2 if dropout_p else 0)
    products, functions = 2 * scores * d + 2 * scores * e, 2 if softcap else 1
    return Work(matmul_flops=products, vector_flops=steps * scores, transcendentals=functions * scores)
