"""The values in a parsed JSON file, each checked for what it has to be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphacct.dims import check_dim
from graphacct.errors import ConfigError, ReadError, suggest


def object_of(content: Any, subject: str, keys: set[str]) -> Mapping[str, Any]:
    """Returns an object that has no keys but these; `subject` is what messages call it."""
    if not isinstance(content, dict):
        raise ReadError(f"{subject} is an object, not {shown(content)}")
    if not keys.issuperset(content):
        strange = next(key for key in content if key not in keys)
        raise ReadError(f"{subject} has an unknown key {strange!r}{suggest(strange, keys)}")
    return content


def list_in(item: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    """Returns the list under a key of an object."""
    value = item.get(key)
    if not isinstance(value, list):
        raise ReadError(f"{where}: {key!r} is a list, not {shown(value)}" if key in item else f"{where}: no {key!r}")
    return value


def text_of(value: Any, subject: str) -> str:
    """Returns a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ReadError(f"{subject} is a text, not {shown(value)}")
    return value


def size_of(value: Any, subject: str, minimum: int = 1) -> int:
    """Returns a whole number, of `minimum` or more."""
    if type(value) is not int:
        raise ReadError(f"{subject} is a positive integer, not {shown(value)}")
    try:
        return int(check_dim(value, subject, minimum))
    except ConfigError as error:
        raise ReadError(str(error)) from error


def with_tuples(value: Any) -> Any:
    """Returns lists as tuples, so that equal attributes compare equal and can be hashed."""
    if isinstance(value, dict):
        return {key: with_tuples(item) for key, item in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value


def shown(value: Any) -> str:
    """Returns a value as the file has it, shortened if it is long."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
