"""Known values: small tensors that come from constants alone keep their data beside the fake ones.

Masks, positions, sizes and the caller's ids are such tensors. Where code branches on them, or asks for one of their
values, the data answers; only branches on weights or activations are left open.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

from graphacct_torch.building.reasons import ChanceError
from graphacct_torch.calls import writes
from graphacct_torch.capturing.repeated import BY_STRIDES, FILLED, filled, repeated, repeats
from graphacct_torch.capturing.shadows import Shadows

MOST_ELEMENTS = 2**20
"""The largest tensor whose data is kept; of a larger one it is if its values repeat."""
MOST_READ = 2**24
"""The largest tensor whose values, if they repeat, are read to compute others."""
MOST_DRAWN = 64
"""The largest tensor that is followed as made of random numbers alone."""
ASKED = torch.ops.aten._local_scalar_dense.default
MASKED_SELECT = torch.ops.aten.masked_select.default
MASKED = frozenset(
    (
        MASKED_SELECT,
        torch.ops.aten.index.Tensor,
        torch.ops.aten.index_put.default,
        torch.ops.aten.index_put_.default,
        torch.ops.aten._index_put_impl_.default,
    )
)
"""Operators whose work depends on how many elements of a mask are set."""
PICKING = frozenset((torch.ops.aten.index.Tensor, torch.ops.aten.index_select.default, torch.ops.aten.gather.default))
"""Operators that take elements of their first operand, wherever."""
SQUEEZING = ("aten::squeeze", "aten::squeeze_")
"""Operators that leave out the dimensions of size 1."""
DYNAMIC = torch.Tag.dynamic_output_shape
RANDOM = torch.Tag.nondeterministic_seeded


class Values:
    """The data of the tensors that are known, and how operators run: on fake tensors, and on the data where all is
    known."""

    def __init__(self, real: Mapping[torch.Tensor, torch.Tensor], shadows: Shadows | None = None) -> None:
        self._shadows = shadows
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], torch.Tensor]] = {}
        self._drawn: dict[int, weakref.ref[torch.Tensor]] = {}
        with unset_fake_temporarily():  # under a fake mode, a clone would have no data
            for tensor, value in real.items():
                if value.numel() <= MOST_ELEMENTS and not isinstance(tensor, nn.Parameter):
                    self._know(tensor, value.clone())

    @property
    def decided(self) -> tuple[str, ...]:
        """The lines of code that branched on data of tensors whose sizes are symbols."""
        return tuple(self._shadows.lines) if self._shadows is not None else ()

    def of(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Returns the data of a tensor if it is known."""
        found = self._known.get(id(tensor))
        if found is not None and found[0]() is tensor:
            return found[1]
        return None if isinstance(tensor, FakeTensor) else tensor

    def call(self, func: Any, args: Any, kwargs: Any, tensors: Sequence[torch.Tensor]) -> Any:
        """Returns what an operator returns on fake tensors; the data of its results is kept if that of all operands,
        the `tensors` among its arguments, is known."""
        writing, computed = _kind(func)
        if self._shadows is not None and func._schema.name in SQUEEZING:
            _ask_whether_one(*args)
        unknown = not computed or not self._readable(tensors, bool(writing) or func in BY_STRIDES)
        if unknown or any(isinstance(leaf, torch.SymInt) for leaf in tree_leaves((args, kwargs))):
            if writing:
                self._forget(writing, args, kwargs)
            if self._shadows is not None and computed and not writing and not _of_any_size(func, tensors):
                results = self._shadows.run(func, args, kwargs, tensors, self.of)
                if results is not None and func is ASKED:
                    return self._shadows.answer(results)
                if results is not None:
                    out = func(*args, **kwargs)
                    self._shadows.keep(out, results)
                    return out
            by_chance = self._by_chance(func, tensors)
            if by_chance and func is ASKED:
                raise ChanceError
            out = self._masked(func, args, kwargs) if func in MASKED else func(*args, **kwargs)
            if func in PICKING and isinstance(out, torch.Tensor):
                self._pick(args[0], out)
            elif func in FILLED and not any(isinstance(size, torch.SymInt) for size in out.shape):
                with unset_fake_temporarily():
                    self._alike(out, filled(func, args, out))
            if by_chance and isinstance(out, torch.Tensor) and out.numel() <= MOST_DRAWN:
                self._drawn[id(out)] = weakref.ref(out)
            return out
        if func is ASKED:
            return self._really(func, args, kwargs)
        if DYNAMIC in func.tags:
            return tree_map_only(torch.Tensor, self._new, self._really(func, args, kwargs))
        out = func(*args, **kwargs)
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        if made and all(tensor.numel() <= MOST_ELEMENTS for tensor in made):
            for tensor, value in zip(tree_leaves(out), tree_leaves(self._really(func, args, kwargs)), strict=True):
                if isinstance(tensor, torch.Tensor):
                    self._know(tensor, value)
        elif writing:
            self._forget(writing, args, kwargs)
        elif isinstance(out, torch.Tensor):
            with unset_fake_temporarily():
                value = repeated(func, *self._values(args, kwargs), out, MOST_ELEMENTS)
            if value is not None:
                self._know(out, value)
        return out

    def _by_chance(self, func: Any, tensors: Sequence[torch.Tensor]) -> bool:
        """Returns whether what an operator makes follows from random numbers and known values alone."""
        drawn = RANDOM in func.tags
        if not drawn and not self._drawn:
            return False
        for tensor in tensors:
            found = self._drawn.get(id(tensor))
            if found is not None and found() is tensor:
                drawn = True
            elif self.of(tensor) is None:
                return False
        return drawn

    def _readable(self, tensors: Sequence[torch.Tensor], in_place: bool) -> bool:
        """Returns whether the data of all tensors is known, and none is too large to be read, or repeats although each
        element needs its place."""
        for tensor in tensors:
            value = self.of(tensor)
            if value is None or value.numel() > MOST_READ or (in_place and repeats(value)):
                return False
        return True

    def _masked(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Returns what an operator returns that reads or writes where masks are set, if those are known."""
        if func is MASKED_SELECT:
            mask = self.of(args[1])
            if mask is None:
                return func(*args, **kwargs)
            whole = torch.broadcast_shapes(args[0].shape, mask.shape)
            with unset_fake_temporarily():
                count = int(mask.expand(whole).sum())
            return args[0].new_empty((count,))
        indices: list[Any] = []
        for index in args[1]:
            mask = None if index is None or index.dtype != torch.bool else self.of(index)
            if mask is None:
                indices.append(index)
                continue
            with unset_fake_temporarily():
                places = mask.nonzero().unbind(1)
            indices.extend(map(self._new, places))
        return func(args[0], indices, *args[2:], **kwargs)

    def _pick(self, source: torch.Tensor, out: torch.Tensor) -> None:
        """Elements of a tensor in which all are alike are known, whichever they are, if so many are."""
        if any(isinstance(size, torch.SymInt) for size in out.shape):
            return
        value = self.of(source)
        if value is None or isinstance(value, FakeTensor) or not 0 < value.numel() <= MOST_READ:
            return
        with unset_fake_temporarily():
            first = value[(0,) * value.dim()]
            if bool((value == first).all()):
                self._alike(out, first)

    def _alike(self, tensor: torch.Tensor, element: torch.Tensor) -> None:
        """Notes that all elements of a tensor are this one."""
        if tensor.numel() > MOST_ELEMENTS:
            self._know(tensor, element.expand(tensor.shape))
        else:
            self._know(tensor, torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype).copy_(element))

    def _know(self, tensor: torch.Tensor, value: torch.Tensor) -> None:
        self._known[id(tensor)] = (weakref.ref(tensor), value)

    def _forget(self, writing: Sequence[tuple[int, str]], args: Any, kwargs: Any) -> None:
        """Forgets the data of what an operator writes into, and of all that shares its storage."""
        if not self._known and self._shadows is None:
            return
        written = [args[index] if index < len(args) else kwargs.get(name) for index, name in writing]
        storages = {t.untyped_storage()._cdata for t in tree_leaves(written) if isinstance(t, torch.Tensor)}
        for key, (tensor, _) in list(self._known.items()):
            found = tensor()
            if found is None or found.untyped_storage()._cdata in storages:
                del self._known[key]
        if self._shadows is not None:
            self._shadows.forget(storages)

    def _new(self, value: torch.Tensor) -> torch.Tensor:
        made = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
        self._know(made, value)
        return made

    def _really(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Returns what an operator returns on the data. No other mode sees that: a counter around the run would count
        the operator twice."""
        with _disable_current_modes():
            given, named = self._values(args, kwargs)
            return func(*given, **named)

    def _values(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        given, named = tree_map_only(torch.Tensor, self.of, (args, kwargs))
        return given, {**named, "device": "cpu"} if named.get("device") is not None else named


def _ask_whether_one(tensor: torch.Tensor, dims: Any = None) -> None:
    """Makes it a condition that each dimension which would be left out is 1, or is not."""
    asked = range(tensor.dim()) if dims is None else dims if isinstance(dims, (tuple, list)) else (dims,)
    for dim in asked:
        if tensor.dim():
            bool(tensor.shape[dim] == 1)


def _of_any_size(func: Any, tensors: Sequence[torch.Tensor]) -> bool:
    """Returns whether data decides on the size of what an operator makes."""
    if func in PICKING:
        return any(tensor.dtype == torch.bool for tensor in tensors[1:])
    return DYNAMIC in func.tags


@functools.cache
def _kind(func: Any) -> tuple[tuple[tuple[int, str], ...], bool]:
    """Returns which arguments an operator writes into, as positions and names, and whether what it makes follows from
    its operands' data: neither random numbers nor memory without content."""
    writing = tuple((i, formal.name) for i, formal in enumerate(func._schema.arguments) if writes(formal))
    return writing, RANDOM not in func.tags and "empty" not in func._schema.name
