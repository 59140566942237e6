"""Known values of large tensors that repeat along dimensions, such as a mask of ones for each pixel.

One element is kept for all repetitions, and the dimension has stride 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
FILLED = {
    aten.ones.default: 1,
    aten.ones_like.default: 1,
    aten.new_ones.default: 1,
    aten.zeros.default: 0,
    aten.zeros_like.default: 0,
    aten.new_zeros.default: 0,
    aten.full.default: None,
    aten.full_like.default: None,
    aten.new_full.default: None,
}
"""Operators that fill a tensor with one number: that number, None for their second argument (of new_full the third)."""
COPIES = frozenset((aten._to_copy.default, aten.clone.default))
"""Operators that give each element of their operand, besides those that torch's pointwise tag names."""
BY_STRIDES = frozenset((aten.as_strided.default, aten._reshape_alias.default))
"""Views that say where elements lie, which differs if the values repeat."""


def repeated(func: Any, args: Any, kwargs: Any, out: torch.Tensor, most: int) -> torch.Tensor | None:
    """Returns the values of a large result from those of the operands, if it repeats so that at most `most` elements
    differ; None if not, or for an operator whose values need all elements.

    `args` and `kwargs` hold values in place of tensors.
    """
    if func in FILLED:
        return filled(func, args, out).expand(out.shape)
    if torch.Tag.pointwise in func.tags or func in COPIES:
        return _pointwise(func, args, kwargs, out.shape, most)
    if func.is_view and func not in BY_STRIDES:
        try:
            found = func(*args, **kwargs)
        except RuntimeError:  # a view of values that repeat may need a copy, where the tensor's own does not
            return None
        return found if isinstance(found, torch.Tensor) else None
    return None


def filled(func: Any, args: Any, out: torch.Tensor) -> torch.Tensor:
    """Returns the one element of what an operator fills."""
    number = FILLED[func]
    if number is None:
        number = args[2 if func is aten.new_full.default else 1]
    return torch.full((), number, dtype=out.dtype)


def _pointwise(func: Any, args: Any, kwargs: Any, shape: torch.Size, most: int) -> torch.Tensor | None:
    """Computes one element for each repetition: dimensions in which all operands repeat have size 1 meanwhile."""
    rank = len(shape)
    differs = [False] * rank
    for value in _tensors(args, kwargs):
        for dim in range(-value.dim(), 0):
            differs[dim] |= value.shape[dim] > 1 and value.stride(dim) != 0
    count = 1
    for dim, size in enumerate(shape):
        count *= size if differs[dim] else 1
    if count > most:
        return None

    def narrowed(value: torch.Tensor) -> torch.Tensor:
        for dim in range(-value.dim(), 0):
            if value.shape[dim] > 1 and not differs[dim]:
                value = value.narrow(dim, 0, 1)
        return value

    given, named = tree_map_only(torch.Tensor, narrowed, (args, kwargs))
    found = func(*given, **named)
    return found.expand(shape) if isinstance(found, torch.Tensor) else None


def repeats(value: torch.Tensor) -> bool:
    """Returns whether several elements of a tensor are one in memory, so that nothing can be written into it."""
    return any(size > 1 and stride == 0 for size, stride in zip(value.shape, value.stride(), strict=True))


def _tensors(args: Any, kwargs: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
