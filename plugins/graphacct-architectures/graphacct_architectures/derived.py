"""Keys that a class makes of a file's other keys, and that a file may state as well.

The library takes what a file states over what the class makes. A model in which they disagree has parts that do not
fit, or other ones than the keys beside them say, so it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from graphacct import ConfigError, brief, fields


def derived() -> Any:
    """Returns a key that may be left out (None); `agree` compares it with what the class makes."""
    return fields.checked_field(_kept, None)


def _kept(value: Any, field: attrs.Attribute[Any]) -> Any:
    return _frozen(value)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def agree(name: str, stated: Any, made: Any) -> None:
    """Raises ConfigError if a file states something else than the class makes; symbols are not compared."""
    if stated is None or not _plain(made) or _frozen(stated) == _frozen(made):
        return
    raise ConfigError(
        f"{name} is {brief(_listed(stated))}, and the other keys make {brief(_listed(made))}: leave it out"
    )


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    return isinstance(value, (int, float, str))


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, Iterable) and not isinstance(value, str) else value
