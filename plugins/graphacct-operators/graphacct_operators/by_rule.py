"""Operators that no other operator here is, costed by a rule: element by element, over dimensions, or moved.

What reads a graph from a library (`graphacct-torch`) uses them for the library's own operators without a line in its
table, so that the graph can be read where that library is not installed. `of` is the operator's name there
(`of="aten.erfinv"`). The outputs are what the library said: `shape` and `dtype`, and a pair of them for each of `more`.

A rule is an estimate. It knows the tensors exactly, and of the arithmetic only what is said of all operators of a kind.
"""

from collections.abc import Sequence
from typing import Any

from graphacct import Saved, TensorSpec, Work, dense_like, equal_shape, operator
from graphacct_operators.gradient import nothing


def _outputs(
    *, shape: Sequence[Any], dtype: str = "float32", more: Sequence[tuple[Sequence[Any], str]] = ()
) -> list[TensorSpec]:
    return [TensorSpec(tuple(sizes), kind) for sizes, kind in ((shape, dtype), *more)]


def _laid_out(
    xs: Sequence[TensorSpec],
    *,
    shape: Sequence[Any],
    dtype: str = "float32",
    more: Sequence[tuple[Sequence[Any], str]] = (),
) -> list[TensorSpec]:
    """Returns the outputs in the order of the first operand that has their shape, as element-wise kernels make them."""
    like = next((x for x in xs if equal_shape(x.shape, tuple(shape))), None)
    first = TensorSpec(tuple(shape), dtype) if like is None else dense_like(like, dtype)
    return [first, *(TensorSpec(tuple(sizes), kind) for sizes, kind in more)]


def _derivative(out: TensorSpec, *, factor: int = 1) -> Work:
    return Work(vector_flops=(factor + 1) * out.elements)


@operator(
    "xs*: ... -> out: *shape",
    infer=_laid_out,
    saves=(
        Saved("xs", "the derivative is taken to be evaluated at its operands", if_attribute="keeps_operands"),
        Saved("out", "the derivative needs the result", if_attribute="keeps_out"),
    ),
    gradients={"xs": _derivative},
    by_rule=True,
)
def pointwise_by_rule(
    out: TensorSpec, *, of: str, factor: int = 1, keeps_operands: bool = True, keeps_out: bool = False
) -> Work:
    """An element-wise operator of another library, by rule. 1 per output element, unless `factor` says otherwise. For
    the backward pass it keeps its operands, its result, or both.

    Backward: for each operand `factor` per output element for the derivative, and 1 more: times g.
    """
    return Work(vector_flops=factor * out.elements)


def _shared_out(xs: Sequence[TensorSpec], *, factor: int = 1) -> Work:
    return Work(vector_flops=(factor + 1) * (xs[0].elements if xs else 0))


@operator(
    "xs*: ... -> out: *shape",
    infer=_outputs,
    saves=(
        Saved("xs", "the derivative is taken to need its operands"),
        Saved("out", "the derivative is taken to need the result", if_attribute="keeps_out"),
    ),
    gradients={"xs": _shared_out},
    by_rule=True,
)
def reduction_by_rule(xs: Sequence[TensorSpec], *, of: str, factor: int = 1, keeps_out: bool = True) -> Work:
    """A reduction of another library, by rule. 1 per element of the first operand, unless `factor` says otherwise. For
    the backward pass it keeps its operands, and its result unless told otherwise.

    Backward: `factor` per element of the first operand for the derivative, and 1 more: times g, expanded.
    """
    return Work(vector_flops=factor * (xs[0].elements if xs else 0))


@operator(
    "xs*: ... -> out: *shape",
    infer=_outputs,
    view=lambda *, view=False: bool(view),
    gradients={"xs": nothing},
)
def move_by_rule(*, of: str, view: bool = False) -> Work:
    """An operator of another library that moves elements and computes nothing, by rule. No arithmetic: bytes; none of
    them for a `view`, which shares the storage of its first operand.

    Backward: g is moved back: no arithmetic.
    """
    return Work()
