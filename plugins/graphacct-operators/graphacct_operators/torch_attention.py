"""Which kernels torch's scaled_dot_product_attention runs as: flash, memory-efficient, or written out.

torch chooses by dtype, mask, dropout, heads and widths (aten/src/ATen/native/transformers). Symbolic sizes are assumed
to be ones that the kernels support, which their result states as a condition.
"""

from typing import Any

from graphacct import (
    Expansion,
    Saved,
    Tensor,
    TensorSpec,
    Work,
    ceil_div,
    divides,
    equal,
    equal_shape,
    exact_div,
    less,
    operator,
    prod,
)
from graphacct_operators.attention import attended
from graphacct_operators.strides import strided

ATTENTION = "scaled_dot_product_attention"
EFFICIENT = "efficient_attention"
HALF = ("float16", "bfloat16")
LOGSUMEXP = "one per row of scores, to compute the softmax again in one pass"

FLASH_CPU_SAVES = (
    Saved("q", "the scores are computed again"),
    Saved("k", "the scores are computed again"),
    Saved("v", "the weights' gradient is g vᵀ"),
    Saved("mask", "it is added again when the scores are computed again"),
    Saved("out", "the softmax's gradient needs sum(g * out) of each row"),
    Saved("logsumexp", LOGSUMEXP, "b h s", "float32"),
)


def by_token(q: TensorSpec, b: Any, h: Any, g: Any, s: Any, t: Any, e: Any, mask: TensorSpec | None) -> TensorSpec:
    """Returns the output of the memory-efficient kernel, which lies in memory as (b, s, h, e) whatever the order of
    q."""
    attended(q, b, h, g, s, t, e, mask)
    return strided((b, h, s, e), (s * h * e, e, h * e, 1), q.dtype)


@operator(
    "q: b h s d, k: b g t d, v: b g t e, mask?: ... -> b h s e",
    name=EFFICIENT,
    infer=by_token,
    saves=(
        *FLASH_CPU_SAVES[:-1],
        Saved("logsumexp", f"{LOGSUMEXP}; rows padded to a multiple of 32", "b h padded_rows", "float32"),
        Saved("rng_seed", "the seed of the dropout mask, kept whether or not there is dropout", "", "int64"),
        Saved("rng_offset", "its place in the random stream", "", "int64"),
    ),
)
def efficient_attention(*, padded_rows: Any, causal: bool = False, scale: Any = None, dropout_p: float = 0.0) -> Work:
    """torch's memory-efficient kernel: what scaled_dot_product_attention runs as. No work: that is the node's."""
    return Work()


def batched(trace: Expansion, x: Tensor, lead: tuple[Any, ...]) -> Tensor:
    """x with these batch dimensions as one."""
    if not equal_shape(x.spec.shape[:-2], lead):
        x = trace.apply("expand", x, shape=(*lead, *x.spec.shape[-2:]))
    return trace.apply("reshape", x, shape=(prod(lead), *x.spec.shape[-2:]))


def matmul(trace: Expansion, x: Tensor, y: Tensor) -> Tensor:
    """bmm on the two with their batch dimensions as one: views, or copies where the layout asks for one."""
    if len(x.spec.shape) < 3 and len(y.spec.shape) < 3:
        return trace.apply("matmul", x, y)
    lead = x.spec.shape[:-2] if len(x.spec.shape) >= len(y.spec.shape) else y.spec.shape[:-2]
    x3, y3 = (batched(trace, operand, lead) for operand in (x, y))
    flat = trace.apply("matmul", x3, y3)
    return trace.apply("reshape", flat, shape=(*lead, *flat.spec.shape[-2:]))


def as_added(trace: Expansion, q: Tensor, mask: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Returns the mask as something to add: a bool one becomes 0 and -inf in the dtype of q, in its own shape."""
    made = tuple(trace.apply("cast", item, dtype=q.spec.dtype) if item.spec.dtype == "bool" else item for item in mask)
    trace.hold(*made)
    return made


def repeat_kv(trace: Expansion, x: Tensor, heads: Any) -> Tensor:
    """Keys or values for every query head: a copy where several share them (repeat_interleave), even of one head."""
    b, g, t, d = x.spec.shape
    if equal(g, heads):
        return x
    unsqueezed = trace.apply("reshape", x, shape=(b, g, 1, t, d))
    expanded = trace.apply("expand", unsqueezed, shape=(b, g, exact_div(heads, g), t, d))
    return trace.apply("reshape", trace.apply("clone", expanded), shape=(b, heads, t, d))


def written_out(
    trace: Expansion,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *mask: Tensor,
    causal: bool = False,
    scale: Any = None,
    dropout_p: float = 0.0,
    broadcast: bool = False,
) -> Tensor:
    """Where no fused kernel serves: in float32 where the operands have 16 bits, q and k each times the root of the
    scale. The function's variables live until it returns."""
    dtype = q.spec.dtype
    mask = as_added(trace, q, mask)
    if dtype in HALF:
        q, k, v = (trace.apply("cast", x, dtype="float32") for x in (q, k, v))
        trace.hold(q, k, v)
    q = trace.apply("scale", q)
    if causal:
        mask = (trace.apply("causal_mask", seq=q.spec.shape[-2], keys=k.spec.shape[-2], dtype=q.spec.dtype),)
    if not broadcast:  # else the products copy the one head for all others
        k, v = (repeat_kv(trace, x, q.spec.shape[1]) for x in (k, v))
    trace.hold(q, k, v, *mask)
    scores = matmul(trace, q, trace.apply("transpose", trace.apply("scale", k), dims=(-2, -1)))
    if mask:
        scores = trace.apply("add", scores, *mask)
    weights = trace.apply("softmax", scores)
    if dropout_p:
        weights = trace.apply("dropout", weights, p=dropout_p)
    if dtype not in HALF:
        return matmul(trace, weights, v)
    trace.hold(trace.apply("cast", weights, dtype=dtype))  # the weights are an output of the function too
    return trace.apply("cast", matmul(trace, weights, v), dtype=dtype)


def on_cpu(trace: Expansion, q: Tensor, k: Tensor, v: Tensor, *mask: Tensor, **attributes: Any) -> Tensor:
    """Runs the CPU's flash kernel, unless there is dropout, a mask that is trained or not of 2 or 4 dimensions, keys
    and values that differ in width, or one head of them to broadcast; the kernel itself with a cap, as `capped`."""
    if attributes.get("softcap"):
        return capped(trace, q, k, v, *mask, **attributes)
    trained = any(item.needs_grad or len(item.spec.shape) not in (2, 4) for item in mask)
    one_head = attributes.get("broadcast") and not equal(q.spec.shape[1], k.spec.shape[1])
    if attributes.get("dropout_p") or trained or one_head or not equal(q.spec.shape[-1], v.spec.shape[-1]):
        return written_out(trace, q, k, v, *mask, **attributes)
    return trace.apply(ATTENTION, q, k, v, *as_added(trace, q, mask), **attributes)


def on_cuda(trace: Expansion, q: Tensor, k: Tensor, v: Tensor, *mask: Tensor, **attributes: Any) -> Tensor:
    """Runs the flash kernel in 16 bits without a mask, the memory-efficient one in float32 or with a mask if keys and
    values have as many heads as queries, and else writes attention out, as where rows are not contiguous, a mask's
    among them. The kernel itself with a cap, as `capped`."""
    if attributes.get("softcap"):
        return capped(trace, q, k, v, *mask, **attributes)
    (_, h, s, d), (_, g, t, e) = q.spec.shape, v.spec.shape
    half = q.spec.dtype in HALF
    rows = all(item.spec.strides is None or equal(item.spec.strides[-1], 1) for item in (q, k, v, *mask))
    if not rows or (attributes.get("broadcast") and not equal(h, g)):
        return written_out(trace, q, k, v, *mask, **attributes)
    square = not attributes.get("causal") or equal(s, t)
    if half and not mask and equal(d, e) and square and less(d, 257, assumed=True):
        return flash(trace, q, k, v, **attributes)
    aligned = all(divides(8 if half else 4, width) for width in (d, e))
    if equal(h, g) and aligned and q.spec.dtype != "float64":
        padded = 32 * ceil_div(s, 32)
        return trace.apply(
            EFFICIENT, q, k, v, *_aligned(trace, as_added(trace, q, mask)), padded_rows=padded, **attributes
        )
    return written_out(trace, q, k, v, *mask, **attributes)


def capped(trace: Expansion, q: Tensor, k: Tensor, v: Tensor, *mask: Tensor, **attributes: Any) -> Tensor:
    """With a softcap: torch's own function takes none, and the kernels that do (the flash-attention library's since
    2.6) keep what the flash kernel keeps, and make no floats of a mask."""
    return trace.apply(ATTENTION, q, k, v, *mask, **attributes)


def flash(trace: Expansion, q: Tensor, k: Tensor, v: Tensor, **attributes: Any) -> Tensor:
    """Runs the flash kernel, on heads padded to a multiple of 8."""
    d = q.spec.shape[-1]
    if divides(8, d):
        return trace.apply(ATTENTION, q, k, v, **attributes)
    q, k, v = (trace.apply("pad", x, padding=((0, -d % 8),)) for x in (q, k, v))
    out = trace.apply(ATTENTION, q, k, v, **attributes)
    return trace.apply("slice", out, dim=-1, start=0, length=d)


def _aligned(trace: Expansion, mask: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Returns the mask with rows that the memory-efficient kernel can load: padded to a multiple of 8, then cut
    again."""
    made = []
    for item in mask:
        t = item.spec.shape[-1]
        if not divides(8, t):
            padded = trace.apply("pad", item, padding=((0, -t % 8),))
            item = trace.apply("slice", padded, dim=-1, start=0, length=t)
        made.append(item)
    return tuple(made)
