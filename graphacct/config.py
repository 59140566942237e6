"""Fields of configuration classes: each checks its value and names its key when it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct.dims import Dim, check_dim
from graphacct.errors import ConfigError, suggest


def size(default: Any = attrs.NOTHING, *, minimum: int = 1) -> Any:
    """A dimension or a count: a positive int, a sympy expression or a numpy array."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim:
        return check_dim(value, field.name, minimum)

    return _field(default, check)


def optional_size(default: Any = None) -> Any:
    """A dimension that may be left out (None)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        return None if value is None else check_dim(value, field.name)

    return _field(default, check)


def probability(default: float) -> Any:
    """A dropout probability, from 0 up to but not including 1."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ConfigError(f"{field.name} is a probability from 0 up to (not including) 1, not {value!r}")
        return value

    return _field(default, check)


def flag(default: bool) -> Any:
    """True or false."""

    def check(value: Any, field: attrs.Attribute[Any]) -> bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{field.name} is true or false, not {value!r}")
        return value

    return _field(default, check)


def choice(default: str, options: Sequence[str]) -> Any:
    """One of a few names."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if value not in options:
            raise ConfigError(f"{field.name} cannot be {value!r}{suggest(str(value), options)}")
        return value

    return _field(default, check)


def _field(default: Any, check: Any) -> Any:
    return attrs.field(default=default, converter=attrs.Converter(check, takes_field=True))
