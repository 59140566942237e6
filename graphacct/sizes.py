"""Sizes as people write them: 4096, 4_096, 4k, 128k, 1e9; and of memory: 24GB, 24G, 24GiB, 1e9."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphacct.errors import ConfigError, brief

if TYPE_CHECKING:
    from fractions import Fraction

LONGEST = 1000
"""The most characters of a number that is read; no size has more than 19 digits."""
LARGEST_EXPONENT = 300
"""Of 1e9 and the like; a larger one would only cost time before the size is refused."""
FORMS = "4096, 4_096, 4k (4 x 1024) or 1e9"
COUNTS = {"": 1, "k": 1024, "m": 1024**2}
"""Tokens, sequences and layers: 128k is 131,072 and 1m is 1,048,576, as models' context lengths are called."""
_PREFIXES = "kmgtp"
BYTES = {
    "b": 1,
    **{f"{prefix}{ending}": 1000**power for power, prefix in enumerate(_PREFIXES, 1) for ending in ("", "b")},
    **{f"{prefix}{ending}": 1024**power for power, prefix in enumerate(_PREFIXES, 1) for ending in ("i", "ib")},
}
"""Bytes of each unit, spelt small: 24G is 24GB."""
LEAST_BARE = 10**6
"""The fewest bytes that may be written without a unit: `24` is nearly always 24 GB, and 24 bytes hold no model."""
_NUMBER = r"(?i)([0-9]+(?:_[0-9]+)*)(\.[0-9]+)?(?:e\+?([0-9]+))?"
_UNIT = r"(?is)(.*?)\s*([a-df-z][a-z]*)?"


def parse_size(text: str) -> int:
    """Returns a number of tokens, sequences or the like. Raises ConfigError, which says how sizes are written.

    A comma is refused: `1,024` may be a list, a thousand or a decimal.

    >>> parse_size("4k"), parse_size("1.5K"), parse_size("1m"), parse_size("4_096"), parse_size("1e9")
    (4096, 1536, 1048576, 4096, 1000000000)
    """
    if len(text) > LONGEST:
        length = f"{len(text):,} characters"
        digits = text.replace("_", "").removeprefix("-")
        if digits.isascii() and digits.isdigit():
            raise ConfigError(f"{brief(text)} is an integer of {length}, and no size is as large")
        raise ConfigError(f"{brief(text)} is no integer")
    if text.isascii() and text.isdigit():
        return int(text)
    if "," in text:
        plain = text.replace(",", "")
        raise ConfigError(
            f"{brief(text)} has a comma, which may stand between thousands or between two sizes: write one size"
            + (f", {plain}" if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", text) else f", as {FORMS}")
        )
    sign = -1 if text.startswith("-") else 1
    number, unit = _split(text.removeprefix("-"))
    if number is None or unit not in COUNTS:
        raise ConfigError(f"{brief(text)} is no integer: write {FORMS}")
    size = number * COUNTS[unit]
    if size.denominator != 1:
        raise ConfigError(f"{brief(text)} is no integer" + (f" (it is {float(size)})" if unit else ""))
    return sign * int(size)


def parse_bytes(text: str) -> int:
    """Returns the bytes of a size of memory, rounded down. Raises ConfigError, which says how they are written.

    Case says nothing (24gb is 24GB), but in 24Gb, which are gigabits to many.

    >>> parse_bytes("24GiB"), parse_bytes("1.5 GB"), parse_bytes("24G"), parse_bytes("1e9")
    (25769803776, 1500000000, 24000000000, 1000000000)
    """
    number, unit = _split(text)
    if number is None or (unit and (unit not in BYTES or "e" in text.lower())):
        raise ConfigError(f"{brief(text)} is no size of a memory: write a number and its unit, 24GiB or 24GB")
    if unit:
        typed = text.strip()[-len(unit) :]
        if typed.endswith("b") and typed != unit:
            full, eighth = (f"{float(each):g}{typed[:-1]}B" for each in (number, number / 8))
            raise ConfigError(f"{brief(text)} may mean bits: write {full} for bytes, or {eighth} for as many bits")
        return int(number * BYTES[unit])
    if number < LEAST_BARE:
        shown = text.strip()
        raise ConfigError(
            f"{brief(text)} has no unit: write {shown}GiB (1024 bytes to the Ki) or {shown}GB (1000 to the k)"
        )
    return int(number)


def bytes_text(text: str) -> str:
    """Returns a size of memory with its unit written out, for answers: `24G` is "24 GB", `1e9` is "1,000,000,000
    bytes"; a full unit stays as it was typed."""
    typed = text.strip()
    number, unit = _split(typed)
    if number is None:
        return typed
    if not unit:
        return f"{int(number):,} bytes"
    if unit.endswith("b"):
        return typed
    prefix = "k" if unit == "k" else unit[0].upper()
    return f"{typed[: -len(unit)].rstrip()} {prefix}{unit[1:]}B"


def _split(text: str) -> tuple[Fraction | None, str]:
    """Returns the number that a text begins with (None if it is none), and its unit in small letters."""
    from fractions import Fraction  # and decimal with it: 3 % of the CPU of a plain report

    found = re.fullmatch(_UNIT, text.strip()) if len(text) <= LONGEST else None
    number = re.fullmatch(_NUMBER, found[1]) if found is not None else None
    if found is None or number is None or len((number[3] or "").lstrip("0")) > 3:
        return None, ""
    exponent = int(number[3] or 0)
    if exponent > LARGEST_EXPONENT:
        return None, ""
    return Fraction((number[1] + (number[2] or "")).replace("_", "")) * 10**exponent, (found[2] or "").lower()
