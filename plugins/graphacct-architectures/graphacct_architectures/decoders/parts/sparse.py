"""Stacks in which some layers have experts and others a single network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import ConfigError, Dim, brief, fields
from graphacct_architectures.decoders.parts.description import Layer
from graphacct_architectures.decoders.parts.family import whole


def at_most(per_token: Dim, count: Dim, keys: str) -> Dim:
    """Returns how many experts a token runs through. Raises ConfigError, which names the two keys, if it is more than
    exist."""
    if type(per_token) is int and type(count) is int and per_token > count:
        raise ConfigError(f"{keys}: a token cannot run through {per_token} of {count} experts")
    return per_token


def layer_indices() -> Any:
    """Returns a list of layers by index, empty unless given."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = () if value is None else value
        if not isinstance(items, (list, tuple)) or any(type(item) is not int for item in items):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, ())


def layered(count: Dim, alike: bool, kind: Callable[[int], Layer]) -> Layer | tuple[Layer, ...]:
    """Returns each layer by its index, or one layer if all are `alike`; then their number may be a symbol."""
    if alike:
        return kind(0)
    return tuple(map(kind, range(whole(count, "num_hidden_layers"))))
