"""Whether a model fits in a device's memory, and the largest size that fits: exact numbers, no margin added."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import attrs

from graphacct.errors import ConfigError, GraphacctError, brief
from graphacct.footprint.memory import Memory

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")
_PREFIXES = "kmgtp"
UNITS = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate(_PREFIXES, 1)},
}
"""Bytes of each unit, spelt small."""
MOST = 2**40
"""The largest size that is tried; a model whose memory does not grow with it would never end."""


@attrs.frozen
class Fit:
    """Whether a total fits.

    Attributes:
        budget: The device's bytes.
        total: The bytes that the model needs.
    """

    budget: int
    total: int

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.total <= self.budget

    @property
    def headroom(self) -> int:
        """The bytes left; negative if it does not fit."""
        return self.budget - self.total


@attrs.frozen
class Largest:
    """The largest size that fits.

    Attributes:
        size: The size.
        memory: The memory at that size.
        limit: The model's own limit, if that and not memory ended the search; empty otherwise.
    """

    size: int
    memory: Memory
    limit: str = ""


def parse_bytes(text: str) -> int:
    """Returns the bytes of a size with its unit, `24GiB` or `24 GB`, rounded down. Raises ConfigError without a unit.

    >>> parse_bytes("24GiB"), parse_bytes("1.5 GB")
    (25769803776, 1500000000)
    """
    found = _SIZE.fullmatch(text)
    if found is None or found[2].lower() not in UNITS:
        number = re.fullmatch(r"\s*([0-9.]+)\s*([kKmMgGtTpP]?)\s*", text)
        if number is None:
            raise ConfigError(f"{brief(text)} is no size of a memory: write a number and its unit, 24GiB or 24GB")
        letter = number[2].upper() or "G"
        raise ConfigError(
            f"{brief(text)} has no unit: write {number[1]}{letter}iB (1024 bytes to the Ki) or {number[1]}{letter}B "
            "(1000 to the k)"
        )
    return int(Fraction(found[1]) * UNITS[found[2].lower()])


def fit(memory: Memory, budget: int) -> Fit:
    """Returns whether a model's total fits in `budget` bytes. Raises ConfigError if sizes are symbols or arrays."""
    if type(memory.total) is not int:
        raise ConfigError(f"whether {memory.model!r} fits needs numbers, and its total is a formula or an array")
    return Fit(budget, memory.total)


def largest(measure: Callable[[int], Memory], budget: int, option: str) -> Largest:
    """Returns the largest size, 1 or more, at which `measure` gives a total within `budget` bytes.

    The total must grow with the size: doubling, then halving finds it in few steps, and the next larger size was tried
    and does not fit. A size that the model refuses (beyond its context) ends the search too.

    Raises ConfigError, which names the size as `option`, if not even 1 fits.
    """
    best = measure(1)
    least = fit(best, budget)
    if not least.fits:
        raise ConfigError(
            f"not even {option} 1 of {best.model!r} fits: it needs {least.total:,} bytes of {budget:,}, "
            f"{-least.headroom:,} too many"
        )
    low, high, limit = 1, MOST, ""
    while high - low > 1:
        middle = min(2 * low, MOST) if high == MOST else (low + high) // 2
        if middle >= high:
            break
        try:
            found = measure(middle)
        except GraphacctError as error:
            high, limit = middle, str(error)
            continue
        if fit(found, budget).fits:
            low, best = middle, found
        else:
            high, limit = middle, ""
    if high == MOST and not limit:
        limit = f"no larger {option} was tried"
    return Largest(low, best, limit)
