"""Strides: the layout of a tensor's elements in its storage, and the shapes that can be read from it without a copy."""

from collections.abc import Callable, Sequence
from typing import Any

from graphacct import ShapeError, TensorSpec, dense_like, differ, equal, has_value, same


def is_(size: Any, value: int) -> bool:
    """Returns whether a size is this very number, as -1 is what is left open."""
    return has_value(size) and size == value


def contiguous_strides(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Returns the strides of a row-major tensor of this shape, in elements."""
    strides: list[Any] = []
    step: Any = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def strides_of(x: TensorSpec) -> tuple[Any, ...]:
    """Returns the tensor's strides, written out."""
    return contiguous_strides(x.shape) if x.strides is None else x.strides


def strided(shape: Sequence[Any], strides: Sequence[Any], dtype: str) -> TensorSpec:
    """Returns a spec with these strides, or without when they are the contiguous ones (a dimension of 1 has any
    stride)."""
    step: Any = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if not equal(stride, step) and not equal(size, 1):
            return TensorSpec(tuple(shape), dtype, tuple(strides))
        step = step * size
    return TensorSpec(tuple(shape), dtype)


def channels_last(x: TensorSpec) -> bool:
    """Returns whether a map (b, c, h, w) lies in memory with its channels last, by torch's rule
    (c10/core/MemoryFormat.h)."""
    if x.strides is None or len(x.shape) != 4:
        return False
    if not all(has_value(step) for step in (*x.strides, *x.shape)):
        _, c, _, w = x.shape
        return same(x.strides[1], 1) and same(x.strides[3], c) and same(x.strides[2], c * w)
    least: Any = 0
    for axis in (1, 3, 2, 0) if x.shape[0] != 1 else (1, 3, 2):  # a batch of 1 has any stride
        step = x.strides[axis]
        if step < least or (axis == 1 and step == 0) or (axis == 0 and least == x.strides[1]):
            return False
        least = step * max(x.shape[axis], 1)
    return True


def in_layout(shape: Sequence[Any], dtype: str, *of: TensorSpec) -> TensorSpec:
    """Returns a spec with channels last if all of `of` lie so, as torch's kernels for maps do; else row-major."""
    if not all(map(channels_last, of)):
        return TensorSpec(tuple(shape), dtype)
    b, c, h, w = shape
    return strided((b, c, h, w), (c * h * w, 1, c * w, c), dtype)


def view_strides(x: TensorSpec, shape: Sequence[Any]) -> tuple[Any, ...] | None:
    """Returns the strides that describe `shape` on the storage of `x`, or None when only a copy has that shape.

    Old dimensions group into runs that are contiguous among themselves; each run must be split into whole new
    dimensions (the rule of torch's view).
    """
    if x.strides is None:
        return contiguous_strides(shape)
    dims = [(size, stride) for size, stride in zip(x.shape, x.strides, strict=True) if not is_(size, 1)]
    found = _view(dims, shape, same)
    if found is not None:
        return found  # for all values of sizes that are not known
    return _view([(size, stride) for size, stride in dims if not equal(size, 1)], shape, equal)


def _view(
    dims: Sequence[tuple[Any, Any]], shape: Sequence[Any], alike: Callable[[Any, Any], bool]
) -> tuple[Any, ...] | None:
    """Returns the strides of `shape` on dimensions of these sizes and strides, or None; `alike` says which sizes are
    equal."""
    new = list(shape)
    result: list[Any] = [0] * len(new)
    position = len(new) - 1
    index = len(dims) - 1
    while index >= 0:
        size, step = dims[index]
        while index > 0 and alike(dims[index - 1][1], dims[index][1] * dims[index][0]):
            index -= 1
            size = size * dims[index][0]
        covered: Any = 1
        stride = step
        while position >= 0 and (not alike(covered, size) or is_(new[position], 1)):
            result[position] = stride
            stride = stride * new[position]
            covered = covered * new[position]
            position -= 1
        if not alike(covered, size):
            return None
        index -= 1
    while position >= 0:
        result[position] = 1
        position -= 1
    return tuple(result)


def axis_of(x: TensorSpec, dim: int) -> int:
    """Returns a dimension counted from the front. Raises ShapeError if the tensor does not have it; a scalar's is 0."""
    rank = max(len(x.shape), 1)
    if not -rank <= dim < rank:
        raise ShapeError(f"dimension {dim} is out of range for {len(x.shape)} dimensions")
    return dim % rank


def axes_of(x: TensorSpec, dims: int | Sequence[int] | None) -> tuple[int, ...]:
    """Returns dimensions counted from the front; all of them for None. Raises ShapeError for one that is not there."""
    if dims is None:
        return tuple(range(len(x.shape)))
    return tuple(axis_of(x, dim) for dim in ((dims,) if isinstance(dims, int) else dims))


def in_dtype(x: TensorSpec, *, dtype: str = "") -> TensorSpec:
    """Returns an element-wise result of x: in its order, in another dtype where one is given."""
    return dense_like(x, dtype)


def check_broadcasts(given: TensorSpec, onto: Sequence[Any], name: str, what: str) -> None:
    """Raises ShapeError if a tensor is known not to broadcast to a shape."""
    shape = given.shape
    pairs = zip(reversed(shape), reversed(tuple(onto)), strict=False)
    if len(shape) > len(onto) or any(differ(ours, theirs) and not is_(ours, 1) for ours, theirs in pairs):
        raise ShapeError(f"{name} {list(shape)} does not broadcast to {what}, {list(onto)}")
