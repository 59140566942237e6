"""Fake tensors in place of a module's own, so that it runs without data on the device that it believes to be on.

A fake tensor takes the place of each parameter, buffer and stray tensor, over the same meta storage: ties and views
stay, and nothing is allocated.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, is_lazy
from torch.utils.weak import WeakIdKeyDictionary

from graphacct_torch.building.caches import cold_caches
from graphacct_torch.building.given_back import given_back
from graphacct_torch.building.reasons import check_supported, reason
from graphacct_torch.errors import CaptureError

if TYPE_CHECKING:
    from graphacct_torch.building.dynamic import Dynamic

CPU = torch.device("cpu")


@attrs.frozen(eq=False)
class Faked:
    """A module whose tensors are fake for a while, its inputs, and the mode that they belong to.

    Attributes:
        module: The module.
        args: Its positional inputs.
        kwargs: Its keyword inputs.
        mode: The mode under which it runs.
        real: The data of the tensors that had any, by the fake tensor that stands for each.
        stand_in: Returns the fake tensor for a tensor that code of the module brings along.
        made: The ids of the fake tensors that stand for others.
        sizes: Numbers for the symbols among the sizes of the inputs, as `Dynamic.tried`.
        data: The data of the inputs with symbols, at each of them.
        within: As `Dynamic.within`.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    mode: FakeTensorMode
    real: Mapping[torch.Tensor, torch.Tensor]
    stand_in: Callable[[torch.Tensor], torch.Tensor]
    made: Collection[int]
    sizes: tuple[Mapping[Any, int], ...] = ()
    data: Mapping[torch.Tensor, list[torch.Tensor | None]] = attrs.field(factory=dict)
    within: Callable[[Any, int, int], None] | None = None


@contextlib.contextmanager
def faked(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Dynamic | None = None
) -> Iterator[Faked]:
    """Puts fake tensors in place of a module's own, and gives the module back as it was at the end; `dynamic` sizes are
    symbols.

    Of a module with parameters that have no size yet (`torch.nn.LazyLinear`) a copy runs once, so that they have.
    Raises CaptureError for a module that cannot run without data, whatever its inputs.
    """
    check_supported(module)
    lazy = any(isinstance(part, LazyModuleMixin) for part in module.modules())
    if lazy:
        _check_buffers(module)
        module = copy.deepcopy(module)
    stands = _StandIns(FakeTensorMode(allow_non_fake_inputs=True, shape_env=dynamic.env if dynamic else None), dynamic)
    with given_back(module), cold_caches(module):
        for part in module.modules():
            for name, value in list(part.__dict__.items()):
                part.__dict__[name] = stands.inside(value)
        given, named = stands.given(args, stands.input), stands.given(kwargs, stands.input)
        if lazy:
            _sized(module, given, named, stands)
        shadows = (dynamic.tried, stands.data, dynamic.within) if dynamic else ()
        yield Faked(module, given, named, stands.mode, stands.real, stands.of, stands.made, *shadows)


def _check_buffers(module: nn.Module) -> None:
    """Raises CaptureError for buffers without a size, which torch can neither copy nor size on tensors without data."""
    for path, part in module.named_modules():
        if any(isinstance(buffer, UninitializedBuffer) for buffer in part._buffers.values()):
            raise CaptureError(
                f"module {(path or type(module).__name__)!r} ({type(part).__name__}) has buffers that have no size "
                "yet: run the module once, or give its layers their sizes"
            )


def _sized(module: nn.Module, args: Any, kwargs: Any, stands: _StandIns) -> None:
    """Runs a module so that its parameters get their sizes, which are made without data under a fake mode."""

    def settle(part: nn.Module, _inputs: Any) -> None:  # after the hook that sizes the part's parameters
        for place in (part._parameters, part._buffers):
            stands.inside(place)

    for part in module.modules():
        if isinstance(part, LazyModuleMixin):
            part.register_forward_pre_hook(settle)
    try:
        with stands.mode, torch.no_grad():
            module(*args, **kwargs)
    except Exception as error:
        raise reason(type(module).__name__, error) from error


class _StandIns:
    """Fake tensors in place of others, one for each.

    Attributes:
        mode: The mode that they belong to.
        real: The data of those that had any.
        data: That of inputs with symbols, at each of the sizes that are tried.
        made: Their ids.
    """

    def __init__(self, mode: FakeTensorMode, dynamic: Dynamic | None) -> None:
        self.mode = mode
        self._dynamic = dynamic
        self._inputs = 0
        self.real: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.data: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.made: set[int] = set()
        self._known: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the tensor that stands for a tensor."""
        if isinstance(tensor, FakeTensor) or is_lazy(tensor):
            return tensor
        known = self._known.get(id(tensor))
        if known is None:
            with unset_fake_temporarily():
                made = _fake(tensor, self.mode)
            known = self._known[id(tensor)] = tensor, made
            self.made.add(id(made))
            if not tensor.is_meta:
                self.real[made] = tensor.detach()
        return known[1]

    def input(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the tensor that stands for the next of the inputs, which may have symbols for sizes."""
        index, self._inputs = self._inputs, self._inputs + 1
        if self._dynamic is None or index not in self._dynamic.places:
            return self.of(tensor)
        with self.mode:
            made = self._dynamic.fake(tensor, index)
        self._known[-1 - index] = tensor, made
        if not tensor.is_meta and not isinstance(tensor, FakeTensor):
            self.data[made] = self._dynamic.data(tensor, index)
        self.made.add(id(made))
        return made

    def inside(self, value: Any) -> Any:
        """Returns an attribute of a module with fake tensors; lists and dictionaries are changed, as others may hold
        them too."""
        if isinstance(value, torch.Tensor):
            return self.of(value)
        if isinstance(value, list):
            value[:] = [self.inside(part) for part in value]
        elif isinstance(value, dict):
            for name, part in list(value.items()):
                found = self.inside(part)
                if found is not part:
                    value[name] = found
        elif isinstance(value, tuple):
            return _tuple(value, [self.inside(part) for part in value])
        return value

    def given(self, value: Any, stand_in: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        """Returns an input with fake tensors, a copy of the user's."""
        if isinstance(value, torch.Tensor):
            return stand_in(value)
        if isinstance(value, tuple):
            return _tuple(value, [self.given(part, stand_in) for part in value])
        if type(value) is list:
            return [self.given(part, stand_in) for part in value]
        if isinstance(value, dict):
            made: Any = copy.copy(value)
            made.update({name: self.given(part, stand_in) for name, part in value.items()})
            return made
        if dataclasses.is_dataclass(value) and not isinstance(value, (type, nn.Module)):
            made = copy.copy(value)
            for field in dataclasses.fields(value):
                object.__setattr__(made, field.name, self.given(getattr(value, field.name, None), self.of))
            return made
        return value


def _tuple(value: tuple[Any, ...], parts: list[Any]) -> tuple[Any, ...]:
    """Returns a tuple of these parts, of the kind of another; itself if they are its own."""
    if all(new is old for new, old in zip(parts, value, strict=True)):
        return value
    made: tuple[Any, ...] = type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return made


def _fake(tensor: torch.Tensor, mode: FakeTensorMode) -> torch.Tensor:
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_quantized:
        kind = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else str(tensor.layout)
        raise CaptureError(f"a tensor of the module or among its inputs is {kind}: graphacct accounts for dense ones")
    if tensor.device.type not in ("cpu", "meta"):
        raise CaptureError(
            f"a tensor of the module is on {tensor.device}: graphacct runs modules on a CPU without data; build it "
            "there, and ask for the memory of a GPU with profile='torch-eager-cuda'"
        )
    with torch.inference_mode(False), torch.no_grad():
        detached = tensor.clone() if tensor.is_inference() else tensor.detach()
        made = FakeTensor(mode, detached, CPU) if tensor.is_meta else mode.from_tensor(detached, static_shapes=True)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made.requires_grad_(tensor.requires_grad)
