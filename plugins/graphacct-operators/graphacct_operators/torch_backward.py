"""What torch's backward pass makes for each operator: new gradients, and the temporaries of its formulas.

The formulas are those of torch's derivatives.yaml, their kernels in torch's order as a dispatch mode sees them (torch
2.13; tests/goldens/act-gpt2, act-transformer-lm). An operator that is not here makes one new gradient for each operand,
in one kernel, which holds for softmax, tanh, silu, the normalizations, embedding, products of matrices and others.
`trace.wanted` says whose gradients are computed, g is the output's gradient.
"""

from collections.abc import Callable
from typing import Any

from graphacct import TensorSpec, dense_like


def passed_on(trace: Any, g: Any, *operands: Any, **attributes: Any) -> Any:
    """g itself for every operand; where one was broadcast, the engine sums."""
    return (g,) * len(operands)


def elementwise(trace: Any, g: Any, *operands: Any, **attributes: Any) -> Any:
    """A new tensor like g for every operand; where one was broadcast, the engine sums it afterwards."""
    return tuple(trace.new(dense_like(g.spec)) if wanted else None for wanted in trace.wanted)


def linear_in_out(trace: Any, g: Any, x: Any, weight: Any, *bias: Any) -> Any:
    """Two products; the bias's gradient is g, which the engine sums."""
    made = iter(_several(trace, [TensorSpec(y.spec.shape, y.spec.dtype) for y in _asked(trace, x, weight)]))
    return (*(next(made) if wanted else None for wanted in trace.wanted[:2]), *(g for _ in bias))


def linear(trace: Any, g: Any, x: Any, weight: Any, *bias: Any) -> Any:
    """As linear_in_out; the weight's gradient is the view of a product, for the weight is turned before it is used."""
    of_x, of_weight, *of_bias = linear_in_out(trace, g, x, weight, *bias)
    return (of_x, of_weight and trace.view(of_weight, of_weight.spec), *of_bias)


def _asked(trace: Any, *operands: Any) -> list[Any]:
    """Of the first operands those whose gradient is wanted."""
    return [x for x, wanted in zip(operands, trace.wanted, strict=False) if wanted]


def sub(trace: Any, g: Any, x: Any, y: Any) -> Any:
    """g itself, and g negated."""
    return g, trace.new(g) if trace.wanted[1] else None


def div(trace: Any, g: Any, x: Any, y: Any) -> Any:
    """g / y, and -g * ((x / y) / y)."""
    first = trace.new(g) if trace.wanted[0] else None
    if not trace.wanted[1]:
        return first, None
    trace.hold(trace.new(g), trace.new(g), trace.new(g))
    return first, trace.new(g)


def power(trace: Any, g: Any, x: Any, **attributes: Any) -> Any:
    """g * (exponent * x ** (exponent - 1)): two temporaries, which the expression holds until its end."""
    trace.hold(trace.new(x), trace.new(x))
    return trace.new(g)


def rsqrt(trace: Any, g: Any, x: Any) -> Any:
    """-0.5 * g * out ** 3, two temporaries."""
    trace.hold(trace.new(x), trace.new(x))
    return trace.new(g)


def reciprocal(trace: Any, g: Any, x: Any) -> Any:
    """-g * (out * out), two temporaries."""
    trace.hold(trace.new(x), trace.new(x))
    return trace.new(g)


def dropout(trace: Any, g: Any, x: Any, *, p: float) -> Any:
    """g times the mask; g itself where nothing is dropped."""
    return trace.new(g) if p else g


def summed(trace: Any, g: Any, x: Any, **attributes: Any) -> Any:
    """g, expanded: a view."""
    return trace.expand(g, x)


def reshape(trace: Any, g: Any, x: Any, **attributes: Any) -> Any:
    """g in the operand's shape: a view, or a copy where its layout asks for one."""
    return trace.apply("reshape", g, shape=x.spec.shape)


def transpose(trace: Any, g: Any, x: Any, *, dims: Any) -> Any:
    """g turned back: a view."""
    return trace.apply("transpose", g, dims=dims)


def permute(trace: Any, g: Any, x: Any, *, dims: Any) -> Any:
    """g in the old order: a view."""
    rank = len(dims)
    order = [axis % rank for axis in dims]
    return trace.apply("permute", g, dims=tuple(order.index(axis) for axis in range(rank)))


def split(trace: Any, gs: Any, x: Any, **attributes: Any) -> Any:
    """The parts' gradients one after the other: a copy."""
    return trace.new(x, reads=tuple(g for g in gs if g is not None))


def part(trace: Any, g: Any, x: Any, **attributes: Any) -> Any:
    """A tensor of the operand's size that is zero outside the part."""
    return trace.new(x)


def expand(trace: Any, g: Any, x: Any, **attributes: Any) -> Any:
    """g, which the engine sums over what was repeated."""
    return g


def parts(trace: Any, g: Any, *operands: Any, **attributes: Any) -> Any:
    """Slices of g: views."""
    return tuple(trace.view(g, TensorSpec(x.spec.shape, x.spec.dtype)) for x in operands)


def cast(trace: Any, g: Any, x: Any, *, dtype: str) -> Any:
    """g in the operand's dtype: a copy, or g itself."""
    return g if g.spec.dtype == x.spec.dtype else trace.new(x)


def cross_entropy(trace: Any, g: Any, logits: Any, targets: Any, **attributes: Any) -> Any:
    """The gradient of the log-probabilities, zero but at the targets, then log_softmax's, which reads it."""
    picked = trace.new(logits)
    trace.release("targets", "total_weight", g)
    return trace.new(logits, reads=(picked,)), None


def attention(trace: Any, g: Any, *operands: Any, **attributes: Any) -> Any:
    """The gradients of q, k and v in one kernel, each laid out as its operand; a mask's beside them."""
    made = iter(_several(trace, [dense_like(x.spec) for x in _asked(trace, *operands)]))
    return tuple(next(made) if wanted else None for wanted in trace.wanted)


def _several(trace: Any, specs: list[TensorSpec]) -> tuple[Any, ...]:
    if not specs:
        return ()
    made = trace.new(*specs)
    return made if isinstance(made, tuple) else (made,)


def rotary_embedding(trace: Any, g: Any, x: Any, cos: Any, sin: Any, **attributes: Any) -> Any:
    """Each half's gradient from the two products that it is in, then both in one tensor: the formula written out."""
    if not trace.wanted[0]:
        return None, None, None
    *lead, width = x.spec.shape
    half = TensorSpec((*lead, width // 2), x.spec.dtype)
    first, second = trace.new(half), trace.new(half)
    turned = trace.new(half)
    third = trace.new(half, reads=(turned,))
    first = trace.add(first, third)
    fourth = trace.new(half)
    trace.release(g)
    second = trace.add(second, fourth)
    whole = trace.new(x, reads=(first,))
    other = trace.new(x, reads=(second,))
    return trace.add(whole, other), None, None


RULES: dict[str, Callable[..., Any]] = {
    "add": passed_on,
    "shift": passed_on,
    "contiguous": passed_on,
    "mul": elementwise,
    "maximum": elementwise,
    "minimum": elementwise,
    "masked_fill": lambda trace, g, x, mask: (trace.new(g), None),
    "where": lambda trace, g, condition, x, y: (
        None,
        *(trace.new(g) if wanted else None for wanted in trace.wanted[1:]),
    ),
    "linear": linear,
    "linear_in_out": linear_in_out,
    "sub": sub,
    "div": div,
    "square": power,
    "pow": power,
    "rsqrt": rsqrt,
    "reciprocal": reciprocal,
    "dropout": dropout,
    "sum": summed,
    "reshape": reshape,
    "transpose": transpose,
    "permute": permute,
    "split": split,
    "select": part,
    "slice": part,
    "expand": expand,
    "concat": parts,
    "stack": parts,
    "cast": cast,
    "cross_entropy": cross_entropy,
    "scaled_dot_product_attention": attention,
    "efficient_attention": attention,
    "rotary_embedding": rotary_embedding,
}
