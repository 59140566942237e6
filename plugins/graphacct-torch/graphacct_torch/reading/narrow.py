"""Dtypes: a module for a while in another one, as `module.to(dtype)` leaves it, without memory for that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from graphacct import brief
from graphacct_torch.errors import CaptureError

SHORT = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "fp64": "float64", "half": "float16"}
SHOWN = "float32, bfloat16, float16, float64, int64, int32, bool"


def torch_dtype(name: str) -> torch.dtype:
    """Returns a dtype by its name. Raises CaptureError if torch has none of that name."""
    found = getattr(torch, SHORT.get(name, name), None)
    if not isinstance(found, torch.dtype):
        raise CaptureError(f"{brief(name)} is no dtype of torch: {SHOWN} are some")
    return found


@contextlib.contextmanager
def in_dtype(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], dtype: torch.dtype
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Casts a module's floating-point parameters and buffers, and gives them back at the end; yields its inputs cast.

    A parameter that several modules share stays one. Parameters and what was meta before have no data.
    """
    kept: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    memo: dict[int, torch.Tensor] = {}

    def cast(tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.is_floating_point() or tensor.dtype == dtype:
            return tensor
        if id(tensor) not in memo:
            memo[id(tensor)] = _cast(tensor, dtype)
        return memo[id(tensor)]

    try:
        for part in module.modules():
            for place in (part._parameters, part._buffers):
                for name, tensor in list(place.items()):
                    if isinstance(tensor, torch.Tensor):
                        kept.append((place, name, tensor))
                        place[name] = cast(tensor)
        given, named = tree_map_only(torch.Tensor, cast, (args, dict(kwargs)))
        yield given, named
    finally:
        for place, name, tensor in kept:
            place[name] = tensor


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    with torch.no_grad():
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(torch.empty_like(tensor, dtype=dtype, device="meta"), tensor.requires_grad)
        return tensor.detach().to(dtype).requires_grad_(tensor.requires_grad)
