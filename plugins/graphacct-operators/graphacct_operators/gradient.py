"""The work of gradients, in the few forms that recur. g is the incoming gradient, which has the output's shape.

The factors are those of the kernels' own formulas (torch's derivatives.yaml and its backward kernels), counted as the
forward pass is: each operation 1, a reduction over n elements n, a selection 1 with the comparison that it rests on,
a copy nothing. What was not saved for backward is computed again and counts again. If an operand was broadcast, its
gradient is summed over the broadcast dimensions: 1 more per output element.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphacct import Dim, TensorSpec, Work, equal, has_value, same

Gradient: TypeAlias = Callable[..., Work]


def nothing() -> Work:
    """g itself, moved at most: no arithmetic."""
    return Work()


def per_element(flops: int, transcendentals: int = 0) -> Gradient:
    """So many for each element that `...` stands for; for operators without other dimensions."""

    def gradient(batch: Any) -> Work:
        return Work(vector_flops=flops * batch, transcendentals=transcendentals * batch)

    return gradient


def counted(x: TensorSpec, real: int, of_complex: int, transcendentals: int = 0, of_complex_ones: int = 0) -> Work:
    """So many FLOPs for each element of x if they are real numbers, and so many if complex, and the transcendentals
    among them."""
    each, special = (of_complex, of_complex_ones) if is_complex(x) else (real, transcendentals)
    return Work(vector_flops=each * x.elements, transcendentals=special * x.elements)


def by_parts(real: int, of_complex: int, transcendentals: int = 0, of_complex_ones: int = 0) -> Gradient:
    """The same as the gradient of an operand x."""

    def gradient(x: TensorSpec) -> Work:
        return counted(x, real, of_complex, transcendentals, of_complex_ones)

    return gradient


def per_shape(flops: int) -> Gradient:
    """So many for each element of x, where no `...` stands for them."""

    def gradient(x: TensorSpec) -> Work:
        return Work(vector_flops=flops * x.elements)

    return gradient


def of_x(flops: int, of_complex: int | None = None) -> Gradient:
    """So many for each element of the output, and the sum where x was broadcast; another figure for complex numbers."""

    def gradient(x: TensorSpec, out: TensorSpec) -> Work:
        return summed(x, out, _each(out, flops, of_complex))

    return gradient


def of_y(flops: int, of_complex: int | None = None) -> Gradient:
    """So many for each element of the output, and the sum where y was broadcast; another figure for complex numbers."""

    def gradient(y: TensorSpec, out: TensorSpec) -> Work:
        return summed(y, out, _each(out, flops, of_complex))

    return gradient


def summed(operand: TensorSpec, out: TensorSpec, flops: int, transcendentals: int = 0) -> Work:
    """So many for each element of the output, and one more where the operand was broadcast to it."""
    total = flops + is_broadcast(operand, out) * (2 if is_complex(out) else 1)
    return Work(vector_flops=total * out.elements, transcendentals=transcendentals * out.elements)


def _each(out: TensorSpec, flops: int, of_complex: int | None) -> int:
    return flops if of_complex is None or not is_complex(out) else of_complex


def is_complex(spec: TensorSpec) -> bool:
    """Returns whether the elements are complex numbers, of two parts each."""
    return spec.dtype.startswith("complex")


def is_broadcast(operand: TensorSpec, out: TensorSpec) -> bool:
    """Returns whether the operand was broadcast: a dimension was put in front, or one of 1 made larger."""
    if len(operand.shape) != len(out.shape):
        return True
    return any(map(_made_larger, operand.shape, out.shape))


def _made_larger(ours: Dim, theirs: Dim) -> bool:
    """Returns whether a dimension of 1 was made larger. Two sizes are compared with 1 and not with each other, so that
    a formula holds for all from 2 on; symbols that are the same are not compared at all."""
    if ours is theirs or (not has_value(ours) and same(ours, theirs)):
        return False
    return equal(ours, 1) and not equal(theirs, 1)
