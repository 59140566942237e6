"""Memory layout: copies that keep the order of their source's dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key

from graphacct.decisions import equal, equal_shape, less
from graphacct.dims import Dim, has_value
from graphacct.tensors import TensorSpec


def dense_like(x: TensorSpec, dtype: str = "") -> TensorSpec:
    """Returns the spec of a new tensor of x's shape, dense, with x's order of dimensions, as torch's element-wise
    kernels and `empty_like` make it; row-major if x was repeated. `dtype` is x's unless given."""
    kind = dtype or x.dtype
    if x.strides is None:
        return x if kind == x.dtype else TensorSpec(x.shape, kind)
    if any(has_value(stride) and stride == 0 for stride in x.strides):
        return TensorSpec(x.shape, kind)
    strides: list[Dim] = [1] * len(x.strides)
    step: Dim = 1
    for axis in _inward(x.strides):
        strides[axis] = step
        step = step * x.shape[axis]
    return TensorSpec(x.shape, kind, None if _row_major(x.shape, strides) else tuple(strides))


def ordered(out: TensorSpec, operands: Sequence[TensorSpec]) -> TensorSpec:
    """Returns an element-wise output in the order of the first operand that has its shape; row-major without one."""
    for operand in operands:
        if equal_shape(operand.shape, out.shape):
            return out if operand.strides is None else dense_like(operand, out.dtype)
    return out


def same_layout(x: TensorSpec, y: TensorSpec) -> bool:
    """Returns whether two tensors of the same shape lie in memory alike; a dimension of 1 may have any stride."""
    if x.strides is None or y.strides is None:
        strides = y.strides if x.strides is None else x.strides
        return strides is None or _row_major(x.shape, strides)
    triples = zip(x.shape, x.strides, y.strides, strict=True)
    return all(equal(size, 1) or equal(one, other) for size, one, other in triples)


def _row_major(shape: Sequence[Dim], strides: Sequence[Dim]) -> bool:
    """Returns whether these are the strides of a row-major tensor; a dimension of 1 has any."""
    step: Dim = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if not equal(stride, step) and not equal(size, 1):
            return False
        step = step * size
    return True


def _inward(strides: Sequence[Dim]) -> list[int]:
    """Returns the dimensions by their strides, the smallest first; of equal ones the last first."""

    def order(a: int, b: int) -> int:
        return -1 if less(strides[a], strides[b]) else 1 if less(strides[b], strides[a], assumed=True) else b - a

    return sorted(range(len(strides)), key=cmp_to_key(order))
