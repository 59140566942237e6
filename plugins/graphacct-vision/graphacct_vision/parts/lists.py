"""Keys of a configuration that are lists: one value for each stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from graphacct import ConfigError, brief, fields, same


def _listed(what: str, fits: Callable[[Any], bool], default: tuple[Any, ...] | None, *, optional: bool = False) -> Any:
    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Any, ...] | None:
        if value is None and optional:
            return None
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(map(fits, value)):
            raise ConfigError(f"{field.name} is a list of {what}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, default, metadata=fields.OPTIONAL if optional else None)


def flags(default: tuple[bool, ...]) -> Any:
    """Returns a key that is a list of true and false."""
    return _listed("true and false", lambda value: isinstance(value, bool), default)


def naturals(default: tuple[int, ...] | None, *, optional: bool = False) -> Any:
    """Returns a key that is a list of integers from 0, or null where it is `optional`."""
    return _listed("integers from 0", lambda value: type(value) is int and value >= 0, default, optional=optional)


def integers(default: tuple[int, ...]) -> Any:
    """Returns a key that is a list of integers."""
    return _listed("integers", lambda value: type(value) is int, default)


def numbers(default: tuple[float, ...] | None, *, optional: bool = False) -> Any:
    """Returns a key that is a list of numbers from 0, or null where it is `optional`."""
    return _listed(
        "numbers from 0", lambda value: type(value) in (int, float) and value >= 0, default, optional=optional
    )


def indices(default: tuple[int, ...] = ()) -> Any:
    """Returns a key that is a list of indices, which may be empty."""
    return _listed("indices of blocks", lambda value: type(value) is int, default)


def words(default: tuple[str, ...], options: Sequence[str]) -> Any:
    """Returns a key that is a list of some of the options."""
    return _listed(f"{' or '.join(options)}", lambda value: value in options, default)


def check_stages(count: int, **lists: Sequence[Any]) -> None:
    """Raises ConfigError for a list that does not have one value for each of `count` stages."""
    for key, found in lists.items():
        if len(found) != count:
            raise ConfigError(f"{key} has {len(found)} values for {count} stages: one for each")


def check_blocks(config: Any, keys: Sequence[str]) -> None:
    """Raises ConfigError for a list that does not have one number for each of `num_encoder_blocks` stages."""
    for key in keys:
        found = len(getattr(config, key))
        if not same(found, config.num_encoder_blocks):
            raise ConfigError(f"{key} has {found} stages, num_encoder_blocks is {config.num_encoder_blocks}")
