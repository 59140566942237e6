"""Building a module without memory for its weights: a factory runs, and its large tensors have no data.

Large calls of torch's factory functions go to the meta device; small tensors, and what a constructor computes with them
(widths of layers, positions), are real. Neither a fake mode nor the meta device as a whole will do: initialisers ask
for single values (`trunc_normal_` does), and some models compute their widths with tensors.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from graphacct_torch.building.offline import offline
from graphacct_torch.building.reasons import GPU_SIGNS
from graphacct_torch.errors import CaptureError

SMALL = 2**14
"""The most elements of a tensor that is made with data."""
MOST_REAL = 2**28
"""The most elements that are made with data where a factory fails without: 1 GiB in float32."""
NEEDS_GPU = (
    "it asks for a GPU: graphacct runs modules on a CPU, without data; build it there, and ask for the memory of a GPU "
    'with profile="torch-eager-cuda"'
)
FACTORIES = frozenset(
    (torch.empty, torch.rand, torch.randn, torch.zeros, torch.ones, torch.full, torch.empty_strided, torch.randint)
)


MOVES = frozenset((torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.type_as))
"""Methods that copy a tensor to another device."""


class LargeOnMeta(TorchFunctionMode):
    """Sends large calls of factory functions to the meta device, unless they name a device; what is there stays there
    when it is moved, as positions are that a constructor computes for the device of another tensor."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = dict(kwargs or {})
        if func in FACTORIES and given.get("device") is None and _elements(func, args, given) > SMALL:
            given["device"] = "meta"
        if func in MOVES and args and args[0].is_meta:
            return _stayed(func, args, given)
        return func(*args, **given)


def _stayed(func: Any, args: Any, kwargs: Mapping[str, Any]) -> torch.Tensor:
    """Returns what a method that copies to another device returns, on the meta device."""
    meta = torch.device("meta")

    def at(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.empty(0, dtype=value.dtype, device=meta)
        return meta if isinstance(value, (str, int, torch.device)) and not isinstance(value, bool) else value

    if func is torch.Tensor.cpu:
        return args[0]
    moved: torch.Tensor = func(args[0], *map(at, args[1:]), **{name: at(value) for name, value in kwargs.items()})
    return moved


class Counted(TorchFunctionMode):
    """Lets factory functions make so many elements with data, and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = dict(kwargs or {})
        if func in FACTORIES and given.get("device") is None:
            self.made += _elements(func, args, given)
            if self.made > MOST_REAL:
                raise CaptureError(f"it makes more than {MOST_REAL:,} elements with data")
        return func(*args, **given)


def _elements(func: Any, args: Any, kwargs: Mapping[str, Any]) -> int:
    """Returns how many elements a factory call makes: those of a size in its arguments, one or several numbers."""
    size = kwargs.get("size")
    if size is None:
        if func is torch.randint:  # randint(high, size) or randint(low, high, size)
            size = next((arg for arg in args if isinstance(arg, (tuple, list))), ())
        else:
            size = args[0] if args and isinstance(args[0], (tuple, list)) else args
    return math.prod(dim for dim in size if isinstance(dim, int))


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """A context in which a module is built without memory for its large tensors."""
    try:
        with offline(), LargeOnMeta():
            yield
    except (AssertionError, RuntimeError) as error:
        if GPU_SIGNS.search(str(error)):
            raise CaptureError(NEEDS_GPU) from error
        raise


@contextlib.contextmanager
def all_on_meta() -> Iterator[None]:
    """A context in which all that a factory makes has no data."""
    with offline(), torch.device("meta"):
        yield


@contextlib.contextmanager
def all_real() -> Iterator[None]:
    """A context in which all that a factory makes has data, up to `MOST_REAL` elements.

    Raises CaptureError in the factory when it makes more.
    """
    with offline(), Counted():
        yield


def other_ways(error: Exception) -> tuple[Callable[[], AbstractContextManager[None]], ...]:
    """Returns the contexts in which to try a factory again that failed `without_weights`: those in which none of its
    tensors differs from others in having data. None if the error has nothing to do with that."""
    return (all_on_meta, all_real) if "meta" in str(error) else ()
