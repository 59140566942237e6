"""The values of a column of rows as text has them: whole numbers with all their digits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

EXACT = 2.0**63
"""Floats below it are written by way of an integer."""


def cells(values: Any, other: Callable[[Any], Any]) -> Any:
    """Returns the values of a column for text: an array of integers of 64 bits if they are whole numbers and fit, or
    else a list of ints, of floats that are not whole, and of what is no number as `other` makes it."""
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "f" and bool(((values % 1 == 0) & (abs(values) < EXACT)).all()):
        return values.astype("int64")  # which prints all digits; nothing is computed of it
    known = cache(other)

    def number(value: Any) -> Any:
        if type(value) is int:
            return value
        if type(value) is float:
            return int(value) if value.is_integer() else value if value - value == 0 else known(None)
        return known(value)

    return [number(value) for value in values.tolist()]


def plain(values: Any, other: Callable[[Any], Any]) -> list[Any]:
    """Returns the same as a list of Python's numbers."""
    found = cells(values, other)
    return found if isinstance(found, list) else list(found.tolist())
