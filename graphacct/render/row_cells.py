"""The values of a column of rows as text has them: whole numbers with all their digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EXACT = 2.0**63
"""Floats below it are written by way of an integer."""


def cells(values: Any, other: Callable[[Any], Any]) -> list[Any]:
    """Returns the values of a column for text: whole numbers as ints, other floats as floats, and what is no number as
    `other` makes it."""
    if values.dtype.kind in "iu":
        return list(values.tolist())
    if values.dtype.kind == "f":
        if bool(((values % 1 == 0) & (abs(values) < EXACT)).all()):
            return list(
                values.astype("int64").tolist()
            )  # an integer of 64 bits prints all digits, and nothing is computed
        return [_number(value, other) for value in values.tolist()]
    return [_number(value, other) for value in values.tolist()]


def _number(value: Any, other: Callable[[Any], Any]) -> Any:
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() else value if value - value == 0 else other(None)
    return other(value)
