"""Fake tensors in place of a module's own, so that it runs without data on the device that it believes to be on.

A fake tensor takes the place of each parameter, buffer and stray tensor, over the same meta storage: ties and views
stay, and nothing is allocated.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from graphacct_torch.errors import CaptureError

if TYPE_CHECKING:
    from graphacct_torch.dynamic import Dynamic

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
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    mode: FakeTensorMode
    real: Mapping[torch.Tensor, torch.Tensor]


@contextlib.contextmanager
def faked(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Dynamic | None = None
) -> Iterator[Faked]:
    """Puts fake tensors in place of a module's own, and gives them back at the end; `dynamic` sizes are symbols."""
    mode = FakeTensorMode(allow_non_fake_inputs=True, shape_env=dynamic.env if dynamic else None)
    memo: dict[int, torch.Tensor] = {}
    real: WeakIdKeyDictionary = WeakIdKeyDictionary()
    kept: list[tuple[dict[str, Any], str, torch.Tensor]] = []

    def fake(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in memo:
            memo[id(tensor)] = made = _fake(tensor, mode)
            if not tensor.is_meta and not isinstance(tensor, FakeTensor):
                real[made] = tensor.detach()
        return memo[id(tensor)]

    try:
        for part in module.modules():
            for place in (part._parameters, part._buffers, part.__dict__):
                for name, tensor in list(place.items()):
                    if isinstance(tensor, torch.Tensor):
                        kept.append((place, name, tensor))
                        place[name] = fake(tensor)
        numbers = itertools.count()

        def given_one(tensor: torch.Tensor) -> torch.Tensor:
            index = next(numbers)
            if dynamic is not None and index in dynamic.places:
                with mode:
                    return dynamic.fake(tensor, index)
            return fake(tensor)

        given, named = tree_map_only(torch.Tensor, given_one, (args, kwargs))
        yield Faked(module, given, named, mode, real)
    finally:
        for place, name, tensor in kept:
            place[name] = tensor


def _fake(tensor: torch.Tensor, mode: FakeTensorMode) -> torch.Tensor:
    if isinstance(tensor, FakeTensor):
        return tensor
    if tensor.device.type not in ("cpu", "meta"):
        raise CaptureError(
            f"a tensor of the module is on {tensor.device}: graphacct runs modules on a CPU without data; build it "
            "there, and ask for the memory of a GPU with profile='torch-eager-cuda'"
        )
    with torch.no_grad():
        detached = tensor.detach()
        made = FakeTensor(mode, detached, CPU) if tensor.is_meta else mode.from_tensor(detached, static_shapes=True)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made.requires_grad_(tensor.requires_grad)
