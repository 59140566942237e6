"""Inputs as a user gives them: as they are, by name, or as texts of their shape and dtype."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from graphacct import brief
from graphacct_torch.capturing.values import MOST_ELEMENTS
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading.narrow import torch_dtype


def with_inputs(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], inputs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns a module's inputs with what a user gives in their place: all as `(args, kwargs)`, or some by name.

    Raises CaptureError for another form.
    """
    if inputs is None:
        return args, dict(kwargs)
    if isinstance(inputs, Mapping):
        made = {name: as_tensor(name, value) for name, value in inputs.items()}
        return by_name(module, args, {**kwargs}, made)
    if not (isinstance(inputs, (tuple, list)) and len(inputs) == 2 and isinstance(inputs[1], Mapping)):
        raise CaptureError(
            f"inputs {brief(inputs)} are neither (args, kwargs), a tuple of positional inputs and a mapping of named "
            "ones, nor a mapping from names to tensors or texts, such as 2x16:int64"
        )
    first = inputs[0]
    if not isinstance(first, (tuple, list)):
        raise CaptureError(f"inputs=(args, kwargs) has {brief(type(first).__name__)} for args, which are a tuple: (x,)")
    return tuple(first), dict(inputs[1])


def by_name(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], made: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns inputs with some replaced or added by name; a positional one has the name of its argument."""
    names = [
        name
        for name, formal in inspect.signature(module.forward).parameters.items()
        if formal.kind in (formal.POSITIONAL_ONLY, formal.POSITIONAL_OR_KEYWORD)
    ]
    positional = list(args)
    for name, value in made.items():
        position = names.index(name) if name in names else len(positional)
        if position < len(positional):
            positional[position] = value
        else:
            kwargs[name] = value
    return tuple(positional), kwargs


def as_tensor(name: str, value: Any) -> Any:
    """Returns an input from its text, SHAPE:DTYPE (`2x16:int64`, `2x16` for float32, `int64` or `:int64` for a single
    number); anything else is returned as it is.

    Raises CaptureError, which names the input.
    """
    if not isinstance(value, str):
        return value
    text, colon, dtype = value.partition(":")
    if not colon and not text[:1].isdigit():
        text, dtype = "", text
    sides = [side.strip() for side in text.lower().replace("×", "x").split("x")] if text.strip() else []
    if not all(side.isascii() and side.isdigit() and int(side) < 2**31 for side in sides):
        raise CaptureError(
            f"input {name}: {brief(value)} is not SHAPE:DTYPE, such as 2x16:int64 or 1x3x224x224:float32"
        )
    try:
        kind = torch_dtype(dtype.strip() or "float32")
    except CaptureError as error:
        raise CaptureError(f"input {name}: {error}") from None
    return made(name, tuple(map(int, sides)), kind)


def made(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Returns a tensor without data; a small one of integers or booleans has: zeros, or ones if it is a mask."""
    if dtype.is_floating_point or dtype.is_complex or math.prod(shape) > MOST_ELEMENTS:
        return torch.empty(shape, dtype=dtype, device="meta")
    return torch.full(shape, 1 if "mask" in name or dtype == torch.bool else 0, dtype=dtype)
