"""The kind of each layer of a stack that mixes mechanisms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from graphacct_architectures.decoders import whole

from graphacct import ConfigError, brief, fields

FULL, LINEAR, CONVOLUTION = "full_attention", "linear_attention", "conv"
OLDER = {"attention": FULL, "mamba": LINEAR}
"""Names of kinds in older files, which the transformers library reads too (5.23)."""


def layer_kinds(*known: str, default: tuple[str, ...] | None = None) -> Any:
    """Returns a key that lists the kind of each layer, one of `known`, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{field.name} is a list of kinds of layers, not {brief(value)}")
        kinds = tuple(OLDER.get(item, item) if isinstance(item, str) else item for item in value)
        for item in kinds:
            if item not in known:
                raise ConfigError(f"{field.name} has {brief(item)}: the kinds are {' and '.join(known)}")
        return kinds

    return fields.checked_field(check, default)


def kinds_of(given: Sequence[str] | None, count: Any, usual: Callable[[int], str]) -> tuple[str, ...]:
    """Returns the kind of each of `count` layers: as given, or else `usual(index)`. Raises ConfigError if the list has
    another length."""
    number = whole(count, "num_hidden_layers")
    if given is None:
        return tuple(map(usual, range(number)))
    if len(given) != number:
        raise ConfigError(f"layer_types names {len(given)} layers, num_hidden_layers is {number}: they have to agree")
    return tuple(given)
