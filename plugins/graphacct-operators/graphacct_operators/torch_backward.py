"""The kernels of torch's backward pass for each operator, with what each reads and makes.

The formulas are those of torch's derivatives.yaml, their kernels in torch's order as a dispatch mode sees them (torch
2.13; tests/goldens/act-gpt2, act-transformer-lm). An operator without a rule here makes one new gradient for each
operand, in one kernel that reads g and everything saved: so do softmax, tanh, silu, the normalizations, embedding,
products of matrices and others. A rule names what a kernel reads if that is less. `trace.wanted` says whose gradients
are computed, g is the output's gradient.
"""

from collections.abc import Callable
from typing import Any

from graphacct import KernelNames, Recorder, Tensor, TensorSpec, ceil_div, dense_like, equal, equal_shape
from graphacct_operators.torch_chains import CHAINS

Pair = tuple[Tensor | None, Tensor | None]
NAMES = KernelNames(start="gradient", add="add", sum="sum", cast="cast")
"""torch fills the loss's gradient with ones; the rest are its operators."""


def passed_on(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor, ...]:
    """g itself for every operand; the engine sums it for one that was broadcast."""
    return (g,) * len(operands)


def mul(trace: Recorder, g: Tensor, x: Tensor, y: Tensor) -> Pair:
    """g * y and g * x, a kernel each; the engine sums them for one that was broadcast."""
    like = dense_like(g.spec)
    of_x = trace.new(like, reads=(g, y)) if trace.wanted[0] else None
    return of_x, trace.new(like, reads=(g, x)) if trace.wanted[1] else None


def linear_in_out(trace: Recorder, g: Tensor, x: Tensor, weight: Tensor, *bias: Tensor) -> tuple[Tensor | None, ...]:
    """Two products; the bias's gradient is g, which the engine sums."""
    made = iter(trace.new_several(*_asked(trace, x, weight)))
    return (*(next(made) if wanted else None for wanted in trace.wanted[:2]), *(g for _ in bias))


def linear(trace: Recorder, g: Tensor, x: Tensor, weight: Tensor, *bias: Tensor) -> tuple[Tensor | None, ...]:
    """As linear_in_out; the weight's gradient is the view of a product, since the weight is transposed before use."""
    of_x, of_weight, *of_bias = linear_in_out(trace, g, x, weight, *bias)
    return (of_x, of_weight and trace.view(of_weight, of_weight.spec), *of_bias)


def matmul(trace: Recorder, g: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor | None, ...]:
    """Two products. Of a matrix in column-major order the gradient is in that order too; of batches it never is."""
    made = iter(trace.new_several(*[_in_order(z) for z in _asked(trace, x, y)]))
    return tuple(next(made) if wanted else None for wanted in trace.wanted)


def _in_order(x: Tensor) -> TensorSpec:
    shape, strides = x.spec.shape, x.spec.strides
    turned = len(shape) == 2 and strides is not None and equal(strides[0], 1) and equal(strides[1], shape[0])
    return TensorSpec(shape, x.spec.dtype, strides if turned else None)


def matmul_add(
    trace: Recorder, g: Tensor, c: Tensor, x: Tensor, y: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> tuple[Tensor | None, ...]:
    """Two products; what is added has g itself, or g times beta, which the engine sums if it was broadcast."""
    of_c = g if not trace.wanted[0] or beta == 1 else trace.new(g, reads=(g,))
    made = iter(trace.new_several(*[z for z, wanted in zip((x, y), trace.wanted[1:], strict=True) if wanted]))
    return (of_c, *(next(made) if wanted else None for wanted in trace.wanted[1:]))


def _asked(trace: Recorder, *operands: Tensor) -> list[Tensor]:
    """Of the first operands those whose gradient is wanted."""
    return [x for x, wanted in zip(operands, trace.wanted, strict=False) if wanted]


def sub(trace: Recorder, g: Tensor, x: Tensor, y: Tensor) -> Pair:
    """g itself, and g negated."""
    return g, trace.new(g) if trace.wanted[1] else None


def power(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """g * (exponent * x ** (exponent - 1)): two temporaries, which the expression holds until its end."""
    raised = trace.new(x, reads=(x,))
    scaled = trace.new(x, reads=(raised,))
    trace.hold(raised, scaled)
    return trace.new(g, reads=(g, scaled))


def rsqrt(trace: Recorder, g: Tensor, x: Tensor) -> Tensor:
    """-0.5 * g * out ** 3: two temporaries."""
    scaled = trace.new(x, reads=(g,))
    cubed = trace.new(x, reads=trace.outputs)
    trace.hold(scaled, cubed)
    return trace.new(g, reads=(scaled, cubed))


def reciprocal(trace: Recorder, g: Tensor, x: Tensor) -> Tensor:
    """-g * (out * out): two temporaries."""
    negated = trace.new(x, reads=(g,))
    squared = trace.new(x, reads=trace.outputs)
    trace.hold(negated, squared)
    return trace.new(g, reads=(negated, squared))


def dropout(trace: Recorder, g: Tensor, x: Tensor, *, p: float) -> Tensor:
    """g times the mask; g itself if nothing is dropped."""
    return trace.new(g) if p else g


def summed(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """g, expanded: a view."""
    return trace.expand(g, x)


def reshape(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """g in the operand's shape: a view, or a copy if its layout asks for one."""
    return trace.apply("reshape", g, shape=x.spec.shape)


def transpose(trace: Recorder, g: Tensor, x: Tensor, *, dims: Any) -> Tensor:
    """g transposed back: a view."""
    return trace.apply("transpose", g, dims=dims)


def permute(trace: Recorder, g: Tensor, x: Tensor, *, dims: Any) -> Tensor:
    """g in the old order: a view."""
    rank = len(dims)
    order = [axis % rank for axis in dims]
    return trace.apply("permute", g, dims=tuple(order.index(axis) for axis in range(rank)))


def split(trace: Recorder, gs: Any, x: Tensor, **attributes: Any) -> Tensor:
    """Returns the parts' gradients one after the other: a copy. A part without one gets zeros."""
    return _joined(trace, gs, x, lambda part: TensorSpec(part.spec.shape, part.spec.dtype))


def unbind(trace: Recorder, gs: Any, x: Tensor, **attributes: Any) -> Tensor:
    """As split; for a part without a gradient one zero, repeated."""
    return _joined(trace, gs, x, lambda part: TensorSpec((), part.spec.dtype))


def _joined(trace: Recorder, gs: Any, x: Tensor, zeros: Callable[[Tensor], TensorSpec]) -> Tensor:
    given = gs if isinstance(gs, tuple) else (gs,)
    pairs = zip(given, trace.outputs, strict=True)
    made = [trace.new(zeros(part), reads=()) if g is None else g for g, part in pairs]
    return trace.new(x, reads=made)


def part(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """Returns a tensor of the operand's size that is zero outside the part."""
    return trace.new(x)


def viewed(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """g read as x is: a view."""
    return trace.view(g, TensorSpec(x.spec.shape, x.spec.dtype))


def expand(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
    """g, which the engine sums over what was repeated."""
    return g


def parts(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor, ...]:
    """Slices of g: views."""
    return tuple(trace.view(g, TensorSpec(x.spec.shape, x.spec.dtype)) for x in operands)


def cast(trace: Recorder, g: Tensor, x: Tensor, *, dtype: str) -> Tensor:
    """g in the operand's dtype: a copy, or g itself."""
    return g if g.spec.dtype == x.spec.dtype else trace.new(x)


def cross_entropy(trace: Recorder, g: Tensor, logits: Tensor, targets: Tensor, **attributes: Any) -> Pair:
    """Returns the gradient of the log-probabilities, zero but at the targets, then log_softmax's, which reads it."""
    picked = trace.new(logits, reads=(g, *trace.saved("targets"), *trace.saved("total_weight")))
    trace.release("targets", "total_weight", g)
    return trace.new(logits, reads=(picked, *trace.saved("log_probabilities"))), None


def masked_fill(trace: Recorder, g: Tensor, x: Tensor, mask: Tensor, *value: Tensor) -> tuple[Tensor | None, ...]:
    """g, and zero where the mask is set; for a value the sum of g where it is."""
    of_value = [
        trace.new(one, reads=(g, mask)) if wanted else None for one, wanted in zip(value, trace.wanted[2:], strict=True)
    ]
    return (trace.new(g) if trace.wanted[0] else None, None, *of_value)


def copy_into(trace: Recorder, g: Tensor, x: Tensor, source: Tensor) -> Pair:
    """Zeros for what was overwritten, and g itself, in the other's dtype."""
    zeros = trace.new(x, reads=()) if trace.wanted[0] else None
    cast = trace.wanted[1] and source.spec.dtype != g.spec.dtype
    return zeros, trace.new(TensorSpec(g.spec.shape, source.spec.dtype), reads=(g,)) if cast else g


def fft_r2c(trace: Recorder, g: Tensor, x: Tensor, *, onesided: bool = True, **attributes: Any) -> Tensor:
    """The real part, a view, of a transform back of g, which is filled with zeros to all frequencies first."""
    whole = TensorSpec(x.spec.shape, g.spec.dtype)
    if onesided:
        g = trace.new(whole, reads=(g,))
        trace.hold(g)
    strides: list[Any] = [2]  # a real part beside an imaginary one
    for size in reversed(x.spec.shape[1:]):
        strides.insert(0, strides[0] * size)
    return trace.view(trace.new(whole, reads=(g,)), TensorSpec(x.spec.shape, x.spec.dtype, tuple(strides)))


def attention(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor | None, ...]:
    """Returns the gradients of q, k and v in one kernel, each laid out as its operand; a mask's beside them."""
    made = iter(trace.new_several(*[dense_like(x.spec) for x in _asked(trace, *operands)]))
    return tuple(next(made) if wanted else None for wanted in trace.wanted)


def efficient_attention(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor | None, ...]:
    """The same; a mask's gradient is made for every score, in rows padded to a multiple of 16 (attention_backward.cu);
    torch expands the mask before, so that its sum follows when the kernel's node has freed what it saved."""
    q, k, v, *mask = operands
    if not (mask and trace.wanted[3]):
        return attention(trace, g, *operands, **attributes)
    scores = (*q.spec.shape[:-1], k.spec.shape[-2])
    padded = TensorSpec((*scores[:-1], 16 * ceil_div(scores[-1], 16)), mask[0].spec.dtype)
    *others, whole = trace.new_several(*[dense_like(x.spec) for x in _asked(trace, q, k, v)], padded)
    made = iter(others)
    given = [next(made) if wanted else None for wanted in trace.wanted[:3]]
    of_scores = trace.view(whole, TensorSpec(scores, padded.dtype))
    if equal_shape(mask[0].spec.shape, scores):
        return (*given, of_scores)
    trace.release(g, *("q", "k", "v", "mask", "out", "logsumexp", "rng_seed", "rng_offset"))
    return (*given, trace.new(mask[0], reads=(of_scores,)))


def rotary_embedding(
    trace: Recorder, g: Tensor, x: Tensor, cos: Tensor, sin: Tensor, **attributes: Any
) -> tuple[Tensor | None, None, None]:
    """Returns each half's gradient from the two products that it is in, then both in one tensor: the formula written
    out."""
    if not trace.wanted[0]:
        return None, None, None
    *lead, width = x.spec.shape
    half = TensorSpec((*lead, width // 2), x.spec.dtype)
    half_of_g = trace.view(g, half)
    first, second = trace.new(half, reads=(half_of_g, cos)), trace.new(half, reads=(half_of_g, cos))
    negated = trace.new(half, reads=(half_of_g,))
    third = trace.new(half, reads=(negated, sin))
    first = trace.add(first, third)
    fourth = trace.new(half, reads=(half_of_g, sin))
    trace.release(g)
    second = trace.add(second, fourth)
    whole = trace.new(x, reads=(first,))
    other = trace.new(x, reads=(second,))
    return trace.add(whole, other), None, None


def embedding(trace: Recorder, g: Tensor, *operands: Any, sparse: bool = False, **attributes: Any) -> tuple[Any, ...]:
    """A new gradient for each operand, in one kernel. Raises OperatorError for a table whose gradient is sparse."""
    if sparse:
        from graphacct_operators.embedding import check_dense  # imported with the operators that a graph uses

        check_dense(sparse)
    made = iter(trace.new_several(*_asked(trace, *operands)))
    return tuple(next(made) if wanted else None for wanted in trace.wanted)


RULES: dict[str, Callable[..., Any]] = {
    "add": passed_on,
    "shift": passed_on,
    "contiguous": passed_on,
    "clone": passed_on,
    "mul": mul,
    "masked_fill": masked_fill,
    "copy_into": copy_into,
    "linear": linear,
    "linear_in_out": linear_in_out,
    "matmul": matmul,
    "matmul_add": matmul_add,
    "sub": sub,
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
    "unbind": unbind,
    "select": part,
    "slice": part,
    "diagonal": part,
    "view_as_real": viewed,
    "view_as_complex": viewed,
    "conj": viewed,
    "fft_r2c": fft_r2c,
    "expand": expand,
    "concat": parts,
    "stack": parts,
    "cast": cast,
    "cross_entropy": cross_entropy,
    "scaled_dot_product_attention": attention,
    "efficient_attention": efficient_attention,
    "embedding": embedding,
    "embedding_bag": embedding,
    "rotary_embedding": rotary_embedding,
    **CHAINS,
}
