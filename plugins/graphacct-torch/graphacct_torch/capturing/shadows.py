"""Shadows: the data of tensors whose sizes are symbols, at a few sizes.

A branch on data (`if mask.all():`) has an answer where all that the data comes from is known: masks and positions that
the code makes, and the inputs that the caller gave. If it is the same at all sizes that are tried, the run takes it.
Others could have another answer: that the sizes are within those that were tried is a condition of the graph, which
says at which line data decided.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from graphacct_torch.errors import CaptureError, user_line

MOST_ELEMENTS = 2**22
"""The largest tensor that has shadows."""


@attrs.frozen(eq=False)
class Tried:
    """What is known at each of the sizes that are tried.

    Attributes:
        values: The data, or what an operator returns; None at the sizes where it is not known.
        symbols: torch's symbols whose sizes it may follow from.
    """

    values: tuple[Any, ...]
    symbols: frozenset[Any]


class Shadows:
    """The data of tensors at each of some sizes of the symbols.

    Attributes:
        sizes: Numbers for torch's symbols, a mapping for each of the sizes: the given ones first.
        lines: The lines of the user's code that branched on such data.
    """

    def __init__(
        self,
        sizes: Sequence[Mapping[Any, int]],
        data: Mapping[torch.Tensor, Sequence[torch.Tensor | None]],
        within: Callable[[Any, int, int], None],
    ) -> None:
        self.sizes = tuple(sizes)
        self.lines: dict[str, None] = {}
        self._within = within
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], Tried]] = {}
        for tensor, values in data.items():
            self._know(tensor, Tried(tuple(values), _symbols(tensor.shape)))

    def _know(self, tensor: torch.Tensor, found: Tried) -> None:
        if found.values[0] is not None:
            self._known[id(tensor)] = weakref.ref(tensor), found

    def of(self, tensor: torch.Tensor) -> Tried | None:
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
    ) -> Tried | None:
        """Returns what an operator returns at each of the sizes; None if data that it reads is not known, or all of it
        is the same at any size. `of` has the data of the tensors whose sizes are numbers."""
        leaves = tree_leaves((args, kwargs))
        if any(isinstance(leaf, (torch.SymFloat, torch.SymBool)) for leaf in leaves):
            return None
        symbols = _symbols(leaves)
        data: dict[int, tuple[Any, ...]] = {}
        for tensor in tensors:
            found = self.of(tensor)
            value = of(tensor) if found is None else None
            if found is None and (value is None or isinstance(value, FakeTensor)):
                return None
            data[id(tensor)] = (value,) * len(self.sizes) if found is None else found.values
            symbols |= frozenset() if found is None else found.symbols
        if not symbols or not symbols <= set(self.sizes[0]):  # a symbol of torch's own has no number
            return None

        def at(place: int, leaf: Any) -> Any:
            if isinstance(leaf, torch.Tensor):
                return data[id(leaf)][place]
            return _number(leaf, self.sizes[place]) if isinstance(leaf, torch.SymInt) else leaf

        results: list[Any] = []
        with _disable_current_modes():
            for place in range(len(self.sizes)):
                result = None
                if not any(values[place] is None or values[place].numel() > MOST_ELEMENTS for values in data.values()):
                    given, named = tree_map(functools.partial(at, place), (args, kwargs))
                    try:
                        result = func(*given, **({**named, "device": "cpu"} if named.get("device") else named))
                    except Exception:  # the code takes a size for a number; the fake tensors say so
                        result = None
                results.append(result)
        return Tried(tuple(results), symbols) if results[0] is not None else None

    def keep(self, out: Any, found: Tried) -> None:
        """Keeps the data of what an operator returned, where it has the shapes that the symbols say."""
        each = [None if result is None else tree_leaves(result) for result in found.values]
        for number, tensor in enumerate(tree_leaves(out)):
            if isinstance(tensor, torch.Tensor) and _symbols(tensor.shape) <= set(self.sizes[0]):
                values: list[Any] = []
                for leaves, sizes in zip(each, self.sizes, strict=True):
                    shape = tuple(_number(side, sizes) for side in tensor.shape)
                    fits = leaves is not None and tuple(leaves[number].shape) == shape
                    values.append(leaves[number] if leaves is not None and fits else None)
                self._know(tensor, Tried(tuple(values), found.symbols))

    def answer(self, found: Tried) -> Any:
        """Returns the value that code asks for, and notes the line and the sizes that it is known for.

        Raises CaptureError if it is another at another size.
        """
        line = user_line()
        places = [place for place, value in enumerate(found.values) if value is not None]
        if any(found.values[place] != found.values[0] for place in places):
            raise CaptureError(
                f"a value that the module's code asks for depends on the dynamic sizes{f' ({line})' if line else ''}: "
                "leave dynamic out, or let the code ask for x.shape"
            )
        self.lines[line] = None
        for symbol in sorted(found.symbols, key=str):
            tried = [self.sizes[place][symbol] for place in places]
            self._within(symbol, min(tried), max(tried))
        return found.values[0]


def _number(size: Any, sizes: Mapping[Any, int]) -> int:
    return int(size.node.expr.xreplace(sizes)) if isinstance(size, torch.SymInt) else int(size)


def _symbols(leaves: Sequence[Any]) -> frozenset[Any]:
    """Returns torch's symbols in sizes."""
    return frozenset(
        symbol for leaf in leaves if isinstance(leaf, torch.SymInt) for symbol in leaf.node.expr.free_symbols
    )
