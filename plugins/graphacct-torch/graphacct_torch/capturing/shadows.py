"""Shadows: the data of tensors whose sizes are symbols, at a few sizes.

A branch on data (`if mask.all():`) has an answer where all that the data comes from is known: masks and positions that
the code makes, and the inputs that the caller gave. If it is the same at all sizes that are tried, the run takes it;
the graph says at which line, because another size could have another.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from graphacct_torch.errors import CaptureError, user_line

MOST_ELEMENTS = 2**18
"""The largest tensor that has shadows."""


class Shadows:
    """The data of tensors at each of some sizes of the symbols.

    Attributes:
        sizes: Numbers for torch's symbols, a mapping for each of the sizes.
        lines: The lines of the user's code that branched on such data.
    """

    def __init__(self, sizes: Sequence[Mapping[Any, int]], data: Mapping[torch.Tensor, Sequence[torch.Tensor]]) -> None:
        self.sizes = tuple(sizes)
        self.lines: dict[str, None] = {}
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], tuple[torch.Tensor, ...]]] = {}
        for tensor, values in data.items():
            self.know(tensor, values)

    def know(self, tensor: torch.Tensor, values: Sequence[torch.Tensor]) -> None:
        """Keeps the data of a tensor at each of the sizes."""
        self._known[id(tensor)] = weakref.ref(tensor), tuple(values)

    def of(self, tensor: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        """Returns the data of a tensor at each of the sizes; None if it is not known."""
        found = self._known.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def forget(self, storages: set[int]) -> None:
        """Forgets the data of the tensors in these storages, which are written into."""
        for key, (tensor, _) in list(self._known.items()):
            found = tensor()
            if found is None or found.untyped_storage()._cdata in storages:
                del self._known[key]

    def run(
        self, func: Any, args: Any, kwargs: Any, tensors: Sequence[torch.Tensor], of: Callable[[torch.Tensor], Any]
    ) -> list[Any] | None:
        """Returns what an operator returns at each of the sizes; None if data that it reads is not known, or all of it
        is the same at any size. `of` has the data of the tensors whose sizes are numbers."""
        leaves = tree_leaves((args, kwargs))
        if any(isinstance(leaf, (torch.SymFloat, torch.SymBool)) for leaf in leaves):
            return None
        data: dict[int, tuple[torch.Tensor, ...]] = {}
        for tensor in tensors:
            found = self.of(tensor)
            if found is None:
                value = of(tensor)
                if value is None or isinstance(value, FakeTensor):
                    return None
                found = (value,) * len(self.sizes)
            if any(value.numel() > MOST_ELEMENTS for value in found):
                return None
            data[id(tensor)] = found
        sized = any(isinstance(leaf, torch.SymInt) for leaf in leaves)
        if not sized and not any(self.of(tensor) for tensor in tensors):
            return None

        def at(place: int, leaf: Any) -> Any:
            if isinstance(leaf, torch.Tensor):
                return data[id(leaf)][place]
            return _number(leaf, self.sizes[place]) if isinstance(leaf, torch.SymInt) else leaf

        results = []
        with _disable_current_modes():
            for place in range(len(self.sizes)):
                given, named = tree_map(functools.partial(at, place), (args, kwargs))
                try:
                    results.append(func(*given, **({**named, "device": "cpu"} if named.get("device") else named)))
                except Exception:  # the code takes a size for a number; the fake tensors say so
                    return None
        return results

    def keep(self, out: Any, results: Sequence[Any]) -> None:
        """Keeps the data of what an operator returned, if it has the shapes that the symbols say."""
        each = [tree_leaves(result) for result in results]
        for number, tensor in enumerate(tree_leaves(out)):
            if isinstance(tensor, torch.Tensor):
                values = [leaves[number] for leaves in each]
                shapes = [tuple(_number(side, sizes) for side in tensor.shape) for sizes in self.sizes]
                if [tuple(value.shape) for value in values] == shapes:
                    self.know(tensor, values)

    def answer(self, results: Sequence[Any]) -> Any:
        """Returns the value that code asks for, and notes the line.

        Raises CaptureError if it is another at another size.
        """
        line = user_line()
        if any(result != results[0] for result in results):
            raise CaptureError(
                f"a value that the module's code asks for depends on the dynamic sizes{f' ({line})' if line else ''}: "
                "leave dynamic out, or let the code ask for x.shape"
            )
        self.lines[line] = None
        return results[0]


def _number(size: Any, sizes: Mapping[Any, int]) -> int:
    return int(size.node.expr.xreplace(sizes)) if isinstance(size, torch.SymInt) else int(size)
