"""A value of graphacct's from another one: the same, but for some of its fields."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from graphacct.errors import ConfigError, brief, suggest

Value = TypeVar("Value")


def evolve(value: Value, **changes: Any) -> Value:
    """Returns a value like another one, a graph, a node or a parameter, with other fields; it is checked as a new one
    is. Raises ConfigError for what is no such value, and for a field that it has not."""
    kind = type(value)
    if not attrs.has(kind):
        raise ConfigError(f"{brief(value)} is no value of graphacct's with fields to change")
    names = [field.name for field in attrs.fields(kind) if field.init]
    strange = next((name for name in changes if name not in names), None)
    if strange is not None:
        raise ConfigError(f"a {kind.__name__} has no field {strange!r}{suggest(strange, names)}")
    found: Value = attrs.evolve(value, **changes)  # type: ignore[misc]
    return found
