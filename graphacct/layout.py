"""Memory layout: copies that keep the order of their source's dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.dims import Dim, magnitude, same, same_shape
from graphacct.tensors import TensorSpec


def dense_like(x: TensorSpec, dtype: str = "") -> TensorSpec:
    """Returns the spec of a new tensor of x's shape, dense, with x's order of dimensions, as torch's element-wise
    kernels and `empty_like` make it; row-major if x was repeated. `dtype` is x's unless given."""
    kind = dtype or x.dtype
    if x.strides is None:
        return x if kind == x.dtype else TensorSpec(x.shape, kind)
    sizes = [magnitude(stride) for stride in x.strides]
    if 0 in sizes:
        return TensorSpec(x.shape, kind)
    strides: list[Dim] = [1] * len(sizes)
    step: Dim = 1
    for axis in sorted(range(len(sizes)), key=lambda axis: (sizes[axis], -axis)):
        strides[axis] = step
        step = step * x.shape[axis]
    return TensorSpec(x.shape, kind, None if _row_major(x.shape, strides) else tuple(strides))


def ordered(out: TensorSpec, operands: Sequence[TensorSpec]) -> TensorSpec:
    """Returns an element-wise output in the order of the first operand that has its shape; row-major without one."""
    for operand in operands:
        if same_shape(operand.shape, out.shape):
            return out if operand.strides is None else dense_like(operand, out.dtype)
    return out


def _row_major(shape: Sequence[Dim], strides: Sequence[Dim]) -> bool:
    """Returns whether these are the strides of a row-major tensor; a dimension of 1 has any."""
    step: Dim = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if not same(stride, step) and not same(size, 1):
            return False
        step = step * size
    return True
