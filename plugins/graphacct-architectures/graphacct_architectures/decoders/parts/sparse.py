"""Stacks in which some layers have experts and others a single network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import ConfigError, Dim, brief, fields, has_value
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import whole

DENSE, SPARSE = "dense", "sparse"


def at_most(per_token: Dim, count: Dim, keys: str) -> Dim:
    """Returns how many experts a token runs through. Raises ConfigError, which names the two keys, if it is more than
    exist."""
    if has_value(per_token) and has_value(count) and per_token > count:
        raise ConfigError(f"{keys}: a token cannot run through {per_token} of {count} experts")
    return per_token


def layer_indices(default: tuple[int, ...] = ()) -> Any:
    """Returns a list of layers by index, `default` unless given."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = default if value is None else value
        if not isinstance(items, (list, tuple)) or any(type(item) is not int for item in items):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, default)


def network_types() -> Any:
    """Returns the kind of each layer's network, `dense` or `sparse`, as a list of whether it has experts; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[bool, ...] | None:
        if value is None:
            return None
        if isinstance(value, tuple) and all(type(item) is bool for item in value):
            return value  # a configuration made from another one
        if not isinstance(value, (list, tuple)) or any(item not in (DENSE, SPARSE) for item in value):
            raise ConfigError(f"{field.name} is a list of {DENSE} and {SPARSE}, not {brief(value)}")
        return tuple(item == SPARSE for item in value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def sparse_layers(given: tuple[bool, ...] | None, count: Dim, usual: Callable[[int], bool]) -> tuple[bool, ...]:
    """Returns whether each layer has experts: as `mlp_layer_types` says, or else `usual(index)`."""
    number = whole(count, "num_hidden_layers")
    if given is not None and len(given) != number:
        raise ConfigError(
            f"mlp_layer_types names {len(given)} layers, num_hidden_layers is {number}: they have to agree"
        )
    return tuple(map(usual, range(number))) if given is None else given


def layered(
    count: Dim, alike: bool, kind: Callable[[int], Layer], first: int | None = None
) -> Layer | tuple[Layer, ...]:
    """Returns each layer by its index, or one layer if all are `alike`; then their number may be a symbol. It also may
    where all are alike from the layer `first` on: then it is the last one returned, and the stack has as many as it
    takes."""
    if alike:
        return kind(0)
    if first is not None and type(count) is not int:
        return tuple(map(kind, range(first + 1)))
    return tuple(map(kind, range(whole(count, "num_hidden_layers"))))
