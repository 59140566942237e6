"""How torch runs operators eagerly: which run as one kernel, which as several, and what those save.

Measured on torch 2.13 (tests/goldens/): each expansion has the kernels in torch's order.
"""

from collections.abc import Callable, Sequence
from typing import Any

from graphacct import Expansion, Profile, Saved, Tensor, equal, prod
from graphacct_operators.einsum import Step, steps_of, written_out
from graphacct_operators.embedding_bag import CPU_SAVES as BAGS_ON_CPU
from graphacct_operators.normalization import one_per_row
from graphacct_operators.torch_attention import (
    ATTENTION,
    EFFICIENT,
    FLASH_CPU_SAVES,
    HALF,
    efficient_attention,
    matmul,
    on_cpu,
    on_cuda,
)
from graphacct_operators.torch_backward import NAMES, RULES
from graphacct_operators.torch_quantised import KERNELS, write_out, write_out_on_cpu


def rows(trace: Expansion, x: Tensor) -> Tensor:
    """x as a matrix, its leading dimensions as one: a view, or a copy where its layout asks for one."""
    *lead, width = x.spec.shape
    return x if len(lead) == 1 else trace.apply("reshape", x, shape=(prod(lead), width))


def linear(trace: Expansion, x: Tensor, weight: Tensor, *bias: Tensor, operator: str = "linear") -> Tensor:
    """addmm or mm on the rows of x; the result is viewed in x's leading dimensions."""
    flat = trace.apply(operator, rows(trace, x), weight, *bias)
    shape = (*x.spec.shape[:-1], flat.spec.shape[-1])
    return trace.apply("reshape", flat, shape=shape)


def linear_in_out(trace: Expansion, x: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
    """addmm on the rows of x."""
    return linear(trace, x, weight, *bias, operator="linear_in_out")


def rms_norm(
    trace: Expansion,
    x: Tensor,
    *weight: Tensor,
    upcast: str = "",
    power: bool = False,
    normalized_shape: Sequence[Any] = (),
) -> Tensor:
    """x * rsqrt(mean(x²) + eps) * weight, each a kernel of its own; the root is a `power` of -½ if a model says so.

    If x has 16 bits, `upcast` says which part is computed in float32. Without it all of it is, as in torch's own
    unfused RMSNorm.
    """
    if upcast not in ("", "all"):
        return composed_rms_norm(trace, x, *weight, upcast=upcast, power=power, normalized_shape=normalized_shape)
    dtype = x.spec.dtype
    if dtype in HALF:
        x = trace.apply("cast", x, dtype="float32")
    rank = len(weight[0].spec.shape if weight else normalized_shape) or 1
    result = trace.apply("mul", x, inverse_root(trace, x, rank, power=power))
    if weight:
        result = trace.apply("mul", result, *weight)
    return trace.apply("cast", result, dtype=dtype) if dtype in HALF else result


def composed_rms_norm(
    trace: Expansion,
    x: Tensor,
    *weight: Tensor,
    upcast: str = "",
    power: bool = False,
    normalized_shape: Sequence[Any] = (),
) -> Tensor:
    """RMSNorm as the transformers library writes it: in float32, cast back, times the weight; or as `upcast` says. The
    function's variables live until it returns: the mean of squares, and the result before it is cast back."""
    if upcast == "all":
        return rms_norm(trace, x, *weight, upcast=upcast, power=power, normalized_shape=normalized_shape)
    dtype = x.spec.dtype
    exact = trace.apply("cast", x, dtype="float32") if dtype in HALF else x
    rank = len(weight[0].spec.shape if weight else normalized_shape) or 1
    root = inverse_root(trace, exact, rank, held=True, power=power)
    result = trace.apply("mul", x if upcast == "statistics" else exact, root)
    if dtype in HALF:
        if upcast != "statistics":  # there the variable is bound anew
            trace.hold(result)
        result = trace.apply("cast", result, dtype=dtype)
    return trace.apply("mul", *weight, result) if weight else result


def layer_norm(
    trace: Expansion, x: Tensor, *affine: Tensor, upcast: str = "", normalized_shape: Sequence[Any] = ()
) -> Tensor:
    """torch's own kernel; with `upcast` the chain that Cohere's models write, in float32: x - mean twice, once for the
    variance. The function's variables live until it returns."""
    if not upcast:
        return trace.apply(
            "layer_norm", x, *affine, **({"normalized_shape": normalized_shape} if normalized_shape else {})
        )
    dtype = x.spec.dtype
    exact = trace.apply("cast", x, dtype="float32") if dtype in HALF else x
    mean = trace.apply("mean", exact, dim=-1, keepdim=True)
    squares = trace.apply("pow", trace.apply("sub", exact, mean), exponent=2)
    variance = trace.apply("mean", squares, dim=-1, keepdim=True)
    trace.hold(mean, variance)
    centred = trace.apply("sub", exact, mean)
    result = trace.apply("mul", centred, trace.apply("rsqrt", trace.apply("shift", variance)))
    for operator, operand in zip(("mul", "add"), affine, strict=False):
        wide = trace.apply("cast", operand, dtype="float32") if operand.spec.dtype in HALF else operand
        result = trace.apply(operator, wide, result)
    return trace.apply("cast", result, dtype=dtype) if dtype in HALF else result


def inverse_root(trace: Expansion, x: Tensor, rank: int = 1, held: bool = False, power: bool = False) -> Tensor:
    """rsqrt(mean(x²) + eps), the mean over the last `rank` dimensions, and a variable of the function if `held`. A
    `power` of -½ saves what it is taken of."""
    dim = -1 if rank == 1 else tuple(range(-rank, 0))
    mean = trace.apply("mean", trace.apply("pow", x, exponent=2), dim=dim, keepdim=True)
    if held:
        trace.hold(mean)
    square = trace.apply("shift", mean)
    return trace.apply("pow", square, exponent=-0.5) if power else trace.apply("rsqrt", square)


def rotary_embedding(trace: Expansion, x: Tensor, cos: Tensor, sin: Tensor, *, composed: bool = False) -> Tensor:
    """If `composed`: x * cos + rotate_half(x) * sin, and rotate_half copies both halves, one of them negated."""
    if not composed or not equal(cos.spec.shape[-1], x.spec.shape[-1]):
        return trace.apply("rotary_embedding", x, cos, sin, composed=composed)
    first = trace.apply("mul", x, cos)
    front, back = trace.apply_several("split", x, parts=2)
    half_rotated = trace.apply("concat", trace.apply("neg", back), front, dim=-1)
    return trace.apply("add", first, trace.apply("mul", half_rotated, sin))


def gelu_new(trace: Expansion, x: Tensor) -> Tensor:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) in the order in which the transformers library evaluates it."""
    half = trace.apply("scale", x)
    inner = trace.apply("add", x, trace.apply("scale", trace.apply("pow", x, exponent=3)))
    return trace.apply("mul", half, trace.apply("shift", trace.apply("tanh", trace.apply("scale", inner))))


def gelu_fast(trace: Expansion, x: Tensor) -> Tensor:
    """0.5 x (1 + tanh(x √(2/π) (1 + 0.044715 x x))) in the order in which the transformers library evaluates it."""
    half, scaled = trace.apply("scale", x), trace.apply("scale", x)
    inner = trace.apply("shift", trace.apply("mul", trace.apply("scale", x), x))
    return trace.apply("mul", half, trace.apply("shift", trace.apply("tanh", trace.apply("mul", scaled, inner))))


def einsum(trace: Expansion, x: Tensor, y: Tensor, *others: Tensor, equation: str, path: Sequence[Any] = ()) -> Tensor:
    """Two operands at a time, in the operator's order."""
    equation = written_out(equation, [operand.spec for operand in (x, y, *others)])
    made = {frozenset((place,)): tensor for place, tensor in enumerate((x, y, *others))}
    for step in steps_of(equation, path):
        first, second = step.sides
        made[first.members | second.members] = pair(trace, step, made[first.members], made[second.members])
    return made[frozenset(range(2 + len(others)))]


def pair(trace: Expansion, step: Step, x: Tensor, y: Tensor) -> Tensor:
    """A batch of matrix products: of each operand the labels of both, its own and those summed over are three
    dimensions, for which it is copied where its layout asks for that. Labels that are summed over are in alphabetical
    order (ATen/native/Linear.cpp). Without such labels it is one product of elements."""
    first, second = (side.labels for side in step.sides)
    if not step.contracts:
        terms = ", ".join(" ".join(side.labels) for side in step.sides)
        return trace.apply("einsum", x, y, equation=f"{terms} -> {' '.join(step.result)}")
    sizes = dict(zip((*first, *second), (*x.spec.shape, *y.spec.shape), strict=True))
    both = tuple(label for label in step.result if label in first and label in second)
    own = tuple(label for label in step.result if label not in second)
    theirs = tuple(label for label in step.result if label not in first)
    summed = tuple(sorted(label for label in first if label not in step.result))

    def folded(operand: Tensor, labels: tuple[str, ...], *groups: tuple[str, ...]) -> Tensor:
        dims = tuple(labels.index(label) for group in groups for label in group)
        in_order = operand if dims == tuple(range(len(dims))) else trace.apply("permute", operand, dims=dims)
        shape = tuple(prod(sizes[label] for label in group) for group in groups)
        return trace.apply("reshape", in_order, shape=shape)

    products = trace.apply("matmul", folded(x, first, both, own, summed), folded(y, second, both, summed, theirs))
    order = (*both, *own, *theirs)
    result = trace.apply("reshape", products, shape=tuple(sizes[label] for label in order))
    if order == step.result:
        return result
    return trace.apply("permute", result, dims=tuple(order.index(label) for label in step.result))


COMMON: dict[str, Callable[..., Any]] = {
    "linear": linear,
    "linear_in_out": linear_in_out,
    "matmul": matmul,
    "einsum": einsum,
    "gelu_new": gelu_new,
    "gelu_fast": gelu_fast,
    "rotary_embedding": rotary_embedding,
}
ONE_PER_ROW = "one per row, kept so that backward need not reduce again"
NORM_INPUT = "the gradient needs the normalised input, recomputed from x and the statistics"
SCALED = "the input's gradient is scaled by it"


def softmax(trace: Expansion, x: Tensor, **attributes: Any) -> Tensor:
    """Returns the softmax, of a copy of x where it is computed in another dtype."""
    dtype = attributes.get("dtype") or x.spec.dtype
    return trace.apply("softmax", trace.apply("cast", x, dtype=dtype) if dtype != x.spec.dtype else x, **attributes)


def softmax_on_cuda(trace: Expansion, x: Tensor, **attributes: Any) -> Tensor:
    """The same, but one kernel reads float16 and writes float32 (ATen/native/SoftMax.cpp)."""
    if x.spec.dtype == "float16" and attributes.get("dtype") == "float32":
        return trace.apply("softmax", x, **attributes)
    return softmax(trace, x, **attributes)


CPU_EXPAND: dict[str, Callable[..., Any]] = {
    **COMMON,
    "rms_norm": rms_norm,
    "layer_norm": layer_norm,
    "softmax": softmax,
    ATTENTION: on_cpu,
}
CPU_SAVES = {
    "dropout": (Saved("mask", "the gradient is g times it, a tensor of the input's dtype", "...", if_attribute="p"),),
    "layer_norm": (
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("bias", "torch keeps it with the weight"),
        Saved("mean", ONE_PER_ROW, one_per_row, "weight"),
        Saved("rstd", ONE_PER_ROW, one_per_row, "weight"),
    ),
    "batch_norm": (
        Saved("x", NORM_INPUT),
        Saved("weight", SCALED),
        Saved("running_mean", "torch keeps a reference; a buffer, so no activation"),
        Saved("running_var", "torch keeps a reference; a buffer, so no activation"),
        Saved(
            "mean",
            "one per channel, of the batch, kept so that backward need not reduce again",
            "c",
            "weight",
            "training",
        ),
        Saved(
            "rstd",
            "one per channel, of the batch, kept so that backward need not reduce again",
            "c",
            "weight",
            "training",
        ),
    ),
    "log_sigmoid": (
        Saved("x", "the derivative is evaluated at x"),
        Saved("z", "exp(-|x|), kept so that backward need not compute it again", "..."),
    ),
    "embedding_bag": BAGS_ON_CPU,
    ATTENTION: FLASH_CPU_SAVES,
}
CUDA_EXPAND: dict[str, Callable[..., Any]] = {**COMMON, "softmax": softmax_on_cuda, ATTENTION: on_cuda}
CUDA_KERNELS = {EFFICIENT: efficient_attention, **KERNELS}

CPU = Profile(
    "torch-eager-cpu",
    "torch on a CPU, eager: RMSNorm in several kernels, dropout masks in the input's dtype.",
    expand=CPU_EXPAND,
    saves=CPU_SAVES,
    kernels=KERNELS,
    backward=RULES,
    names=NAMES,
    write_out=write_out_on_cpu,
)

CUDA = Profile(
    "torch-eager-cuda",
    "torch on an NVIDIA GPU, eager: RMSNorm and attention fused, statistics in float32, dropout masks as bools.",
    expand=CUDA_EXPAND,
    kernels=CUDA_KERNELS,
    backward=RULES,
    names=NAMES,
    write_out=write_out,
)

CUDA_COMPOSED_NORMS = Profile(
    "torch-eager-cuda-composed-norms",
    "As torch-eager-cuda, but RMSNorm in several kernels, as the transformers library writes it.",
    expand={**CUDA_EXPAND, "rms_norm": composed_rms_norm, "layer_norm": layer_norm},
    kernels=CUDA_KERNELS,
    backward=RULES,
    names=NAMES,
    write_out=write_out,
)
