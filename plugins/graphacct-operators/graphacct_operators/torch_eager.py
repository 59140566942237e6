"""How torch runs operators eagerly: what is one kernel, what is several, and what the several keep.

Measured on torch 2.13 (tests/goldens/): each expansion has the kernels in torch's order.
"""

from collections.abc import Callable
from typing import Any

from graphacct import Profile, Saved, prod


def rows(trace: Any, x: Any) -> Any:
    """x as a matrix, its leading dimensions as one: a view, or a copy where its layout asks for one."""
    *lead, width = x.spec.shape
    return x if len(lead) == 1 else trace.apply("reshape", x, shape=(prod(lead), width))


def linear(trace: Any, x: Any, weight: Any, *bias: Any, operator: str = "linear") -> Any:
    """addmm or mm on the rows of x; the result is viewed in x's leading dimensions."""
    flat = trace.apply(operator, rows(trace, x), weight, *bias)
    shape = (*x.spec.shape[:-1], flat.spec.shape[-1])
    return trace.apply("reshape", flat, shape=shape)


def linear_in_out(trace: Any, x: Any, weight: Any, *bias: Any) -> Any:
    """addmm on the rows of x."""
    return linear(trace, x, weight, *bias, operator="linear_in_out")


def matmul(trace: Any, x: Any, y: Any) -> Any:
    """bmm on the two with their batch dimensions as one: views, or copies where the layout asks for one."""
    if len(x.spec.shape) < 3 and len(y.spec.shape) < 3:
        return trace.apply("matmul", x, y)
    lead = x.spec.shape[:-2] if len(x.spec.shape) >= len(y.spec.shape) else y.spec.shape[:-2]
    x3, y3 = (batched(trace, operand, lead) for operand in (x, y))
    flat = trace.apply("matmul", x3, y3)
    return trace.apply("reshape", flat, shape=(*lead, *flat.spec.shape[-2:]))


def batched(trace: Any, x: Any, lead: tuple[Any, ...]) -> Any:
    """x with these batch dimensions as one."""
    if x.spec.shape[:-2] != lead:
        x = trace.apply("expand", x, shape=(*lead, *x.spec.shape[-2:]))
    return trace.apply("reshape", x, shape=(prod(lead), *x.spec.shape[-2:]))


def rms_norm(trace: Any, x: Any, *weight: Any) -> Any:
    """x * rsqrt(mean(x²) + eps) * weight, each a kernel of its own (F.rms_norm is one kernel on CUDA alone)."""
    mean = trace.apply("mean", trace.apply("square", x), dim=-1, keepdim=True)
    normalised = trace.apply("mul", x, trace.apply("rsqrt", trace.apply("shift", mean)))
    return trace.apply("mul", normalised, *weight) if weight else normalised


def gelu_new(trace: Any, x: Any) -> Any:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) in the order in which the transformers library evaluates it."""
    half = trace.apply("scale", x)
    inner = trace.apply("add", x, trace.apply("scale", trace.apply("pow", x, exponent=3)))
    return trace.apply("mul", half, trace.apply("shift", trace.apply("tanh", trace.apply("scale", inner))))


def attention_math(
    trace: Any, q: Any, k: Any, v: Any, *mask: Any, causal: bool = False, scale: Any = None, dropout_p: float = 0.0
) -> Any:
    """Fused attention where no fused kernel serves: q and k each times the root of the scale, then written out."""
    q, k = trace.apply("scale", q), trace.apply("scale", k)
    scores = matmul(trace, q, trace.apply("transpose", k, dims=(-2, -1)))
    if causal:
        mask = (trace.apply("causal_mask", seq=q.spec.shape[-2], dtype=q.spec.dtype),)
    trace.hold(q, *mask)
    if mask:
        scores = trace.apply("add", scores, *mask)
    weights = trace.apply("softmax", scores)
    if dropout_p:
        weights = trace.apply("dropout", weights, p=dropout_p)
    return matmul(trace, weights, v)


def attention_on_cpu(trace: Any, q: Any, k: Any, v: Any, *mask: Any, **attributes: Any) -> Any:
    """The CPU's flash kernel, which knows no dropout."""
    if attributes.get("dropout_p"):
        return attention_math(trace, q, k, v, *mask, **attributes)
    return trace.apply(ATTENTION, q, k, v, *mask, **attributes)


ATTENTION = "scaled_dot_product_attention"
COMMON: dict[str, Callable[..., Any]] = {
    "linear": linear,
    "linear_in_out": linear_in_out,
    "matmul": matmul,
    "gelu_new": gelu_new,
}
ONE_PER_ROW = "one per row, kept so that backward need not reduce again"

CPU = Profile(
    "torch-eager-cpu",
    "torch on a CPU, eager: RMSNorm in several kernels, statistics and dropout masks in the input's dtype.",
    expand={**COMMON, "rms_norm": rms_norm, ATTENTION: attention_on_cpu},
    saves={
        "dropout": (Saved("mask", "the gradient is g times it, a tensor of the input's dtype", "...", when="p"),),
        "layer_norm": (
            Saved("x", "the gradient needs the normalised input, recomputed from x and the statistics"),
            Saved("weight", "the input's gradient is scaled by it"),
            Saved("bias", "torch keeps it with the weight"),
            Saved("mean", ONE_PER_ROW, "... 1"),
            Saved("rstd", ONE_PER_ROW, "... 1"),
        ),
        ATTENTION: (
            Saved("q", "the scores are computed again"),
            Saved("k", "the scores are computed again"),
            Saved("v", "the weights' gradient is g vᵀ"),
            Saved("mask", "it is added again when the scores are computed again"),
            Saved("out", "the softmax's gradient needs sum(g * out) of each row"),
            Saved("logsumexp", "one per row of scores, to compute the softmax again in one pass", "b h s", "float32"),
        ),
    },
)

CUDA = Profile(
    "torch-eager-cuda",
    "torch on an NVIDIA GPU, eager: RMSNorm and attention fused, statistics in float32, dropout masks as bools.",
    expand=COMMON,
)
