"""Gradients that torch computes as an expression of several kernels, whose temporaries live until its end.

A chain is a word with a letter for each temporary, in torch's order; the gradient follows. `erf` is `vvvv`: x²,
negated, exp, times 2/√π, and then times g. Measured with a dispatch mode on torch 2.13; what torch does in place unless
a mode watches, such as `new_zeros` and then `scatter_`, is one kernel here.
"""

from collections.abc import Callable
from typing import Any

from graphacct import Recorder, Tensor, TensorSpec, dense_like

Rule = Callable[..., Any]

UNARY = {
    **dict.fromkeys(("expm1", "exp2", "log1p", "log2", "log10", "sinh", "cosh", "lgamma", "pow_of_number"), "v"),
    **dict.fromkeys(("sin", "sqrt", "abs"), "v"),
    **dict.fromkeys(("cos", "tan", "atan", "cumsum"), "vv"),
    **dict.fromkeys(("asinh", "acosh", "atanh"), "vvv"),
    **dict.fromkeys(("erf", "erfc", "erfinv", "asin"), "vvvv"),
    "acos": "vvvvv",
    "clamp": "sbb",
}
"""Of one operand: `v` is a tensor like g, `b` its bools, `s` a scalar."""
SEVERAL: dict[str, tuple[tuple[int, str], ...]] = {
    "div": ((1, "vvv"), (0, "")),
    "logaddexp": ((1, "vvv"), (0, "vvv")),
    "xlogy": ((1, "v"), (0, "vbbb")),
    "pow_tensor": ((1, "bvvsv"), (0, "vvvvsb")),
    "clamp_tensor": ((1, "sbbb"), (2, "sbbb"), (0, "sbbb")),
    "where": ((1, "s"), (2, "s")),
}
"""Of several operands: the place of each and its chain, in torch's order."""
PASSING: dict[str, tuple[tuple[int, str], ...]] = {
    "remainder": ((1, "vv"),),
    "fmod": ((1, "vv"),),
    "addcmul": ((1, "v"), (2, "v")),
    "addcdiv": ((1, "v"), (2, "vvvv")),
}
"""The same where the first operand's gradient is g itself."""
REDUCTIONS = {
    **dict.fromkeys(("amax", "amin"), "bio"),
    "var": "ovo",
    "std": "oovo",
    "logsumexp": "vv",
}
"""Of a reduction: `v` is a tensor like x and `b` its bools, `o` one like the result, `p` its bools, `i` its int64."""


def _temporaries(trace: Recorder, chain: str, like: TensorSpec, out: TensorSpec) -> list[Tensor]:
    specs = {
        "v": like,
        "b": TensorSpec(like.shape, "bool", like.strides),
        "s": TensorSpec((), like.dtype),
        "o": TensorSpec(out.shape, out.dtype),
        "p": TensorSpec(out.shape, "bool"),
        "i": TensorSpec(out.shape, "int64"),
    }
    made: list[Tensor] = []
    for letter in chain:
        made.append(trace.new(specs[letter]))
    return made


def _computed(trace: Recorder, g: Tensor, chain: str, like: TensorSpec) -> Tensor:
    """Returns a gradient; its last kernel stands for the end of the expression, so it reads all temporaries."""
    return trace.new(like, reads=(g, *_temporaries(trace, chain, like, g.spec)))


def unary(chain: str) -> Rule:
    def rule(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
        return _computed(trace, g, chain, dense_like(g.spec))

    return rule


def several(chains: tuple[tuple[int, str], ...], passing: bool = False) -> Rule:
    def rule(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor | None, ...]:
        found: list[Tensor | None] = [None] * len(operands)
        if passing and trace.wanted[0]:
            found[0] = g
        for place, chain in chains:
            if place < len(operands) and trace.wanted[place]:
                found[place] = _computed(trace, g, chain, dense_like(g.spec))
        return tuple(found)

    return rule


def reduction(chain: str) -> Rule:
    def rule(trace: Recorder, g: Tensor, x: Tensor, **attributes: Any) -> Tensor:
        return _computed(trace, g, chain, dense_like(x.spec))

    return rule


def lerp(trace: Recorder, g: Tensor, *operands: Tensor, **attributes: Any) -> tuple[Tensor | None, ...]:
    """For x 1 less the weight, which is a temporary if the weight is a tensor."""
    weighted = len(operands) > 2
    return several(((1, ""), (0, "v" if weighted else ""), (2, "v")))(trace, g, *operands)


def with_mean(chain: str) -> Rule:
    """Of a variance and the mean: the chain of the first, the second's gradient divided by n, and their sum."""

    def rule(trace: Recorder, gs: Any, x: Tensor, **attributes: Any) -> Tensor | None:
        of_first, of_mean = gs
        like = dense_like(x.spec)
        found = None if of_first is None else _computed(trace, of_first, chain, like)
        if of_mean is None:
            return found
        divided = trace.new(like, reads=(of_mean,))
        return divided if found is None else trace.new(like, reads=(found, divided))

    return rule


def atan2(trace: Recorder, g: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor | None, ...]:
    """The reciprocal of x² + y², zeros put in where it is infinite, and two products for each, one negated."""
    like = dense_like(g.spec)
    squares = _temporaries(trace, "vvv", like, like)
    found: list[Tensor | None] = [None, None]
    shared = [trace.new(like, reads=(squares[-1],)), trace.new(like)]
    for place, chain in ((0, "v"), (1, "vv")):
        if trace.wanted[place]:
            shared += _temporaries(trace, chain, like, like)
            found[place] = trace.new(like, reads=(g, *shared))
    trace.hold(*shared)
    return tuple(found)


def vector_norm(trace: Recorder, g: Tensor, x: Tensor, *, ord: float = 2, **attributes: Any) -> Tensor:
    """By order: x / out with zeros where that is 0, the sign, or a power of |x| times x."""
    chain = "vp" if ord == 2 else "v" if ord == 1 else "vo"
    return _computed(trace, g, chain, dense_like(x.spec))


def larger_or_smaller(trace: Recorder, g: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor | None, ...]:
    """For each g / 2 where they are equal, then zero where the other was taken, in place under a mask."""
    found: list[Tensor | None] = []
    like = dense_like(g.spec)
    for wanted in trace.wanted:
        if not wanted:
            found.append(None)
            continue
        temporaries = _temporaries(trace, "vb", like, like)
        found.append(trace.new(like, reads=(g, *temporaries)))
        trace.new(TensorSpec(like.shape, "bool", like.strides), reads=(g, *temporaries))
    return tuple(found)


def prelu(trace: Recorder, g: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, ...]:
    """Both gradients in one kernel, as large as g; the engine sums that of the slope."""
    like = dense_like(g.spec)
    made = trace.new_several(like, like)
    return tuple(gradient if wanted else None for gradient, wanted in zip(made, trace.wanted, strict=True))


def index_add(trace: Recorder, g: Tensor, x: Tensor, index: Tensor, source: Tensor, **attributes: Any) -> Any:
    """g itself, and the slices of g at the indices."""
    return g, None, trace.new(dense_like(source.spec), reads=(g, index)) if trace.wanted[2] else None


CHAINS: dict[str, Rule] = {
    **{name: unary(chain) for name, chain in UNARY.items()},
    **{name: several(chains) for name, chains in SEVERAL.items()},
    **{name: several(chains, passing=True) for name, chains in PASSING.items()},
    **{name: reduction(chain) for name, chain in REDUCTIONS.items()},
    "var_mean": with_mean("ovo"),
    "std_mean": with_mean("oovo"),
    "lerp": lerp,
    "atan2": atan2,
    "vector_norm": vector_norm,
    "maximum": larger_or_smaller,
    "minimum": larger_or_smaller,
    "prelu": prelu,
    "index_add": index_add,
}
