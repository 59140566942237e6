"""Results that a model's code keeps with `functools.lru_cache`: a run without data begins without them and leaves none.

Such a cache outlives the module. Left as it is, it would hand fake tensors to the next run, with data or without, and a
run after it would miss the calls that made them.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any

import attrs
import torch
from torch import nn

NOT_MODELS = frozenset(("torch", "graphacct_torch", "graphacct", *sys.stdlib_module_names))
"""Packages whose caches hold no tensors of a model."""
CACHED: Any = functools._lru_cache_wrapper
DEEP = 4
"""How far down a result's tuples, lists and dictionaries tensors are looked for."""


@attrs.frozen(eq=False)
class _Place:
    """A place where code finds a cached function.

    Attributes:
        cached: The function, with its cache.
        put: Puts another in its place.
    """

    cached: Any
    put: Callable[[Any], None]


@contextlib.contextmanager
def cold_caches(module: nn.Module) -> Iterator[None]:
    """A context in which the cached functions that a module's code calls begin without tensors, after which they hold
    what they held before.

    These are functions and methods in the Python modules of the classes that the module is made of, and in what those
    import by name.
    """
    places = list(_places(module))
    warm = {id(place.cached): place.cached for place in places if _holds_tensors(place.cached)}
    cold = {key: functools.lru_cache(**cached.cache_parameters())(cached.__wrapped__) for key, cached in warm.items()}
    for place in places:
        if id(place.cached) in cold:
            place.put(cold[id(place.cached)])
    try:
        yield
    finally:
        for place in places:
            if id(place.cached) in cold:
                place.put(place.cached)
            elif _holds_tensors(place.cached):
                place.cached.cache_clear()


def _places(module: nn.Module) -> Iterator[_Place]:
    """Returns the places of all cached functions in reach of a module's code."""
    kinds = {kind for part in module.modules() for kind in type(part).__mro__ if not _foreign(kind.__module__)}
    for part in module.modules():
        yield from _in(vars(part), functools.partial(vars(part).__setitem__))
    for kind in kinds:
        yield from _in(vars(kind), functools.partial(setattr, kind))
    for name in {kind.__module__ for kind in kinds}:
        home = sys.modules.get(name)
        if home is not None:
            yield from _in(vars(home), functools.partial(setattr, home))
            for other in list(vars(home).values()):
                if isinstance(other, ModuleType) and not _foreign(other.__name__):
                    yield from _in(vars(other), functools.partial(setattr, other))


def _in(names: Mapping[str, Any], put: Callable[[str, Any], None]) -> Iterator[_Place]:
    for name, value in list(names.items()):
        if type(value) is CACHED:
            yield _Place(value, functools.partial(put, name))
        else:
            found = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if isinstance(found, FunctionType):
                for cell in found.__closure__ or ():
                    if type(_content(cell)) is CACHED:
                        yield _Place(cell.cell_contents, functools.partial(setattr, cell, "cell_contents"))


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _foreign(module: str) -> bool:
    return module.partition(".")[0] in NOT_MODELS


def _holds_tensors(cached: Any) -> bool:
    return cached.cache_info().currsize > 0 and _tensors_among(gc.get_referents(cached), DEEP)


def _tensors_among(values: Iterable[Any], deep: int) -> bool:
    for value in values:
        if isinstance(value, torch.Tensor):
            return True
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list, set)) else ()
        if deep and inner and _tensors_among(list(inner), deep - 1):
            return True
    return False
