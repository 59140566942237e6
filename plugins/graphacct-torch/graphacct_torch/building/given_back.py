"""A module is given back as it was: what its code stores in itself while it runs without data is taken out again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


@contextlib.contextmanager
def given_back(module: nn.Module) -> Iterator[None]:
    """A context after which a module has the attributes, tensors, hooks and modes that it had before, its lists and
    dictionaries hold what they held, and torch draws the random numbers that it would have drawn."""
    attributes = [(part, dict(part.__dict__)) for part in module.modules()]
    held: dict[int, tuple[Any, Any]] = {}
    for _, values in attributes:
        for value in values.values():
            _remember(value, held)
    state = torch.get_rng_state()
    try:
        yield
    finally:
        for part, values in attributes:
            part.__dict__.clear()
            part.__dict__.update(values)
        for value, before in held.values():
            if _holds(value, before):  # some dictionaries cannot be written into, as diffusers' configurations
                continue
            value.clear()
            value.extend(before) if isinstance(value, list) else value.update(before)
        torch.set_rng_state(state)


def _remember(value: Any, held: dict[int, tuple[Any, Any]]) -> None:
    if isinstance(value, (list, dict, set)) and id(value) not in held:
        kind = next(kind for kind in (list, dict, set) if isinstance(value, kind))
        held[id(value)] = value, kind(value)
        for inner in value.values() if isinstance(value, dict) else value:
            _remember(inner, held)


def _holds(value: Any, before: Any) -> bool:
    """Returns whether a list, dictionary or set holds the very things that it held."""
    if len(value) != len(before):
        return False
    if isinstance(value, dict):
        return all(one is other and value[one] is before[other] for one, other in zip(value, before, strict=True))
    if isinstance(value, list):
        return all(one is other for one, other in zip(value, before, strict=True))
    return bool(value == before)
