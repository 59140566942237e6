"""Operators without arithmetic: views share their operand's storage, copies have their own.

Which is which follows torch. A transpose, a slice and an expansion only change how storage is read (their outputs have
strides). A reshape copies only if no strides describe the new shape on the old storage.
"""

from collections.abc import Sequence
from typing import Any

from graphacct import (
    ConfigError,
    ShapeError,
    TensorSpec,
    Work,
    dense_like,
    differ,
    equal,
    exact_div,
    has_value,
    operator,
    prod,
)
from graphacct_operators.gradient import nothing, summed
from graphacct_operators.strides import in_layout, is_, strided, strides_of, view_strides

MOST_PARTS = 256
"""The most parts of a split: each is a value of its own."""
MOST_UNBOUND = 2**14
"""The most indices of an unbind: as many steps in time as a loop over them has."""


def _axis(dim: int, rank: int) -> int:
    if not -rank <= dim < rank:
        raise ShapeError(f"dimension {dim} is out of range for {rank} dimensions")
    return dim % rank


def _filled(x: TensorSpec, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the shape with its -1, if it has one, replaced by what the other dimensions leave."""
    open_axes = [axis for axis, size in enumerate(shape) if is_(size, -1)]
    if not open_axes:
        return shape
    rest = prod([size for size in shape if not is_(size, -1)])
    if len(open_axes) > 1 or is_(rest, 0):
        raise ShapeError(f"{list(shape)} leaves more than one dimension open: at most one is -1, and none is 0")
    if has_value(x.elements) and has_value(rest) and x.elements % rest:
        raise ShapeError(f"{list(x.shape)} has {x.elements} elements, which {list(shape)} does not divide into")
    return tuple(exact_div(x.elements, rest) if is_(size, -1) else size for size in shape)


def _reshaped(x: TensorSpec, *, shape: Sequence[Any]) -> TensorSpec:
    shape = _filled(x, tuple(shape))
    if has_value(x.elements) and has_value(prod(shape)) and x.elements != prod(shape):
        raise ShapeError(f"{list(x.shape)} has {x.elements} elements, {list(shape)} has {prod(shape)}")
    strides = None if x.strides is None else view_strides(x, shape)
    return TensorSpec(shape, x.dtype) if strides is None else strided(shape, strides, x.dtype)


def _is_view(x: TensorSpec, out: TensorSpec) -> bool:
    """Only a copy turns a strided operand into a contiguous output: a view keeps the order of its storage."""
    return x.strides is None or out.strides is not None


@operator("x: ... -> ...", infer=_reshaped, view=_is_view, gradients={"x": nothing})
def reshape(x: TensorSpec, out: TensorSpec) -> Work:
    """The same elements in another shape: a view where strides allow it, else a copy. No arithmetic.

    Backward: none but a view or a copy.
    """
    return Work()


def _transposed(x: TensorSpec, *, dims: Sequence[int]) -> TensorSpec:
    first, second = (_axis(dim, len(x.shape)) for dim in dims)
    shape, strides = list(x.shape), list(strides_of(x))
    shape[first], shape[second] = shape[second], shape[first]
    strides[first], strides[second] = strides[second], strides[first]
    return strided(shape, strides, x.dtype)


@operator("x: ... -> ...", infer=_transposed, view=True)
def transpose() -> Work:
    """Two dimensions swapped: a view. No arithmetic."""
    return Work()


def _permuted(x: TensorSpec, *, dims: Sequence[int]) -> TensorSpec:
    axes = [_axis(dim, len(x.shape)) for dim in dims]
    if sorted(axes) != list(range(len(x.shape))):
        raise ShapeError(f"{list(dims)} is no order of {len(x.shape)} dimensions")
    strides = strides_of(x)
    return strided([x.shape[axis] for axis in axes], [strides[axis] for axis in axes], x.dtype)


@operator("x: ... -> ...", infer=_permuted, view=True)
def permute() -> Work:
    """The dimensions in another order: a view. No arithmetic."""
    return Work()


def _split(x: TensorSpec, *, parts: int | None = None, sizes: Sequence[Any] = (), dim: int = -1) -> list[TensorSpec]:
    axis = _axis(dim, len(x.shape))
    whole = x.shape[axis]
    if parts is not None:
        if parts < 1 or (has_value(whole) and whole % parts):
            raise ShapeError(f"dimension {axis} of size {whole} does not split into {parts} equal parts")
        if parts > MOST_PARTS:
            raise ShapeError(
                f"{parts:,} parts are too many (at most {MOST_PARTS}): reshape it, or give the parts' sizes"
            )
        shape = (*x.shape[:axis], exact_div(whole, parts), *x.shape[axis + 1 :])
        return [strided(shape, strides_of(x), x.dtype)] * parts
    if has_value(whole) and sum(sizes) != whole:
        raise ShapeError(f"the parts {list(sizes)} do not add up to dimension {axis} of size {whole}")
    strides = strides_of(x)
    return [strided((*x.shape[:axis], size, *x.shape[axis + 1 :]), strides, x.dtype) for size in sizes]


@operator("x: ... -> parts", infer=_split, view=True)
def split() -> Work:
    """Equal `parts`, or parts of the given `sizes`, along one dimension: views. No arithmetic."""
    return Work()


def _unbound(x: TensorSpec, *, dim: int = 0) -> list[TensorSpec]:
    axis = _axis(dim, len(x.shape))
    size = x.shape[axis]
    if type(size) is not int:
        raise ShapeError(f"dimension {axis} of size {size} has as many parts as its size: it must be a number")
    if size > MOST_UNBOUND:
        raise ShapeError(f"{size:,} parts are too many (at most {MOST_UNBOUND:,}): index the tensor as a whole")
    return [_selected(x, dim=axis)] * size


@operator("x: ... -> parts", infer=_unbound, view=True)
def unbind() -> Work:
    """Each index along one dimension, which goes away: views. No arithmetic."""
    return Work()


def _selected(x: TensorSpec, *, dim: int, index: int = 0) -> TensorSpec:
    axis = _axis(dim, len(x.shape))
    size = x.shape[axis]
    if has_value(size) and has_value(index) and not -size <= index < size:
        raise ShapeError(f"index {index} is outside dimension {axis} of size {size}")
    strides = strides_of(x)
    return strided(x.shape[:axis] + x.shape[axis + 1 :], strides[:axis] + strides[axis + 1 :], x.dtype)


@operator("x: ... -> ...", infer=_selected, view=True)
def select() -> Work:
    """One index along one dimension, which goes away: a view. No arithmetic."""
    return Work()


def _sliced(x: TensorSpec, *, dim: int, length: Any, start: Any = 0) -> TensorSpec:
    axis = _axis(dim, len(x.shape))
    size = x.shape[axis]
    if has_value(size) and has_value(length) and has_value(start) and not 0 <= start <= start + length <= size:
        raise ShapeError(f"{start} to {start + length} is outside dimension {axis} of size {size}")
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    try:
        return strided(shape, strides_of(x), x.dtype)
    except ConfigError:  # a sweep with points that take all indices: who needs the layout decides
        return TensorSpec(shape, x.dtype, strides_of(x))


@operator("x: ... -> ...", name="slice", infer=_sliced, view=True)
def slice_() -> Work:
    """`length` indices from `start` along one dimension: a view. No arithmetic."""
    return Work()


def _expanded(x: TensorSpec, *, shape: Sequence[Any]) -> TensorSpec:
    lead = len(shape) - len(x.shape)
    if lead < 0:
        raise ShapeError(f"{list(x.shape)} has more dimensions than {list(shape)}")
    strides: list[Any] = [0] * lead
    for old, new, stride in zip(x.shape, shape[lead:], strides_of(x), strict=True):
        if has_value(old) and has_value(new) and old not in (1, new):
            raise ShapeError(f"{list(x.shape)} does not expand to {list(shape)} ({old} against {new})")
        strides.append(stride if equal(old, new) else 0)
    return TensorSpec(tuple(shape), x.dtype, tuple(strides))


@operator("x: ... -> ...", infer=_expanded, view=True, gradients={"x": lambda x, out: summed(x, out, 0)})
def expand() -> Work:
    """Dimensions of size 1 repeated without storage: a view with strides of 0. No arithmetic.

    Backward: 1 per output element, the sum of g over what was repeated.
    """
    return Work()


def _joined(xs: tuple[TensorSpec, ...], *, dim: int = -1) -> TensorSpec:
    first = xs[0]
    axis = _axis(dim, len(first.shape))
    total: Any = 0
    for index, x in enumerate(xs):
        rest = x.shape[:axis] + x.shape[axis + 1 :]
        if len(x.shape) != len(first.shape) or any(map(differ, rest, first.shape[:axis] + first.shape[axis + 1 :])):
            raise ShapeError(
                f"operand {index} is {list(x.shape)}, which does not join {list(first.shape)} along {axis}"
            )
        total = total + x.shape[axis]
    return in_layout((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype, *xs)


@operator(
    "x0: ..., xs*: ... -> ...",
    infer=lambda x0, xs, *, dim=-1: _joined((x0, *xs), dim=dim),
    gradients={"x0": nothing, "xs": nothing},
)
def concat() -> Work:
    """The operands one after the other along one dimension: a copy. No arithmetic.

    Backward: g is split: no arithmetic.
    """
    return Work()


def _stack(x0: TensorSpec, xs: tuple[TensorSpec, ...]) -> TensorSpec:
    return TensorSpec((1 + len(xs), *x0.shape), x0.dtype)


@operator("x0: ..., xs*: ... -> count ...", infer=_stack, view=True, stacks=True)
def stack() -> Work:
    """The results of a block's repetitions side by side: each is written in its row at once, so nothing moves.

    No arithmetic."""
    return Work()


@operator(
    "x: ... -> ...",
    infer=lambda x: TensorSpec(x.shape, x.dtype),
    view=lambda x: x.strides is None or strided(x.shape, x.strides, x.dtype).strides is None,
    gradients={"x": nothing},
)
def contiguous() -> Work:
    """A row-major copy, or x itself when it is row-major. No arithmetic.

    Backward: g itself.
    """
    return Work()


@operator("x: ... -> ...", infer=lambda x: dense_like(x), gradients={"x": nothing})
def clone() -> Work:
    """x in new storage. No arithmetic.

    Backward: g itself.
    """
    return Work()


def _cast(x: TensorSpec, *, dtype: str) -> TensorSpec:
    return x if x.dtype == dtype else dense_like(x, dtype)


@operator("x: ... -> ...", infer=_cast, view=lambda x, out: x.dtype == out.dtype, gradients={"x": nothing})
def cast() -> Work:
    """A copy in another dtype, or x itself when it has that dtype. Conversions are bytes, not FLOPs.

    The copy lies in memory in the order of x (torch preserves it).

    Backward: g is cast back: no arithmetic.
    """
    return Work()


@operator("x: ... -> ...", infer=lambda x: x, view=True)
def as_product() -> Work:
    """x in the dtype that products run in: x itself, but a cast where a profile has them run in another dtype than x,
    as autocast does. No arithmetic."""
    return Work()


def _padded(x: TensorSpec, *, padding: Sequence[Sequence[Any]]) -> TensorSpec:
    if len(padding) > len(x.shape):
        raise ShapeError(f"padding has {len(padding)} pairs, x has {len(x.shape)} dimensions")
    lead = len(x.shape) - len(padding)
    return TensorSpec(
        (*x.shape[:lead], *(size + sum(pair) for size, pair in zip(x.shape[lead:], padding, strict=True))), x.dtype
    )


@operator("x: ... -> ...", infer=_padded, gradients={"x": nothing})
def pad() -> Work:
    """Elements added at the ends: a pair (before, after) for each of the last dimensions. A copy; no arithmetic.

    Backward: a slice of g: no arithmetic.
    """
    return Work()


@operator("x: ... -> ...", infer=lambda x: TensorSpec(x.shape, x.dtype), gradients={"x": nothing})
def roll() -> Work:
    """The elements moved round along some dimensions, as shifted windows do. A copy; no arithmetic.

    Backward: g is moved back: no arithmetic.
    """
    return Work()


def _tiled(x: TensorSpec, *, times: Sequence[Any]) -> TensorSpec:
    if len(times) != len(x.shape):
        raise ShapeError(f"times {list(times)} has {len(times)} values, x has {len(x.shape)} dimensions")
    return TensorSpec(tuple(size * count for size, count in zip(x.shape, times, strict=True)), x.dtype)


def _folded(out: TensorSpec, *, times: Sequence[Any]) -> Work:
    return Work(vector_flops=0 if all(equal(count, 1) for count in times) else out.elements)


@operator("x: ... -> ...", infer=_tiled, gradients={"x": _folded})
def repeat() -> Work:
    """Each dimension so many times over. A copy (`expand` is the view); no arithmetic.

    Backward: 1 per output element, the sum of g over what was repeated.
    """
    return Work()
