"""How torch runs operators eagerly: what is one kernel, what is several, and what the several keep.

Measured on torch 2.13 (tests/goldens/): each expansion has the kernels in torch's order.
"""

from typing import Any

from graphacct import prod


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


EXPANSIONS = {"linear": linear, "linear_in_out": linear_in_out, "matmul": matmul, "rms_norm": rms_norm}
