"""The values of an axis: whole numbers, listed or in steps. A range of any length takes no memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import gcd
from typing import Any

import attrs

from graphacct.dims import MAX_DIM
from graphacct.errors import ConfigError, brief
from graphacct.models.size import sizes_of
from graphacct.sizes import parse_size

MOST_LISTED = 65_536
"""The most values that are listed one by one."""
FORMS = "START:STOP:STEP with STOP included, or sizes with commas between: 512:8192:128, or 1k,4k,16k"


@attrs.frozen
class Values:
    """Whole numbers, each once, in the order given.

    Attributes:
        parts: Ranges, one after the other; a single number is a range of one.
    """

    parts: tuple[range, ...]

    @property
    def count(self) -> int:
        """How many there are, which may be more than `len` can say."""
        return sum(map(_length, self.parts))

    def __iter__(self) -> Iterator[int]:
        for part in self.parts:
            yield from part

    def between(self, start: int, stop: int) -> list[int]:
        """Returns the values from one place up to, but not including, another."""
        found: list[int] = []
        for part in self.parts:
            found += part[max(start, 0) : max(stop, 0)]
            start, stop = start - _length(part), stop - _length(part)
        return found

    def text(self) -> str:
        """Returns them as they are typed: `1024, 2048, 4096:16384:4096`."""
        return ", ".join(
            str(part.start) if _length(part) == 1 else f"{part.start}:{part[-1]}:{part.step}" for part in self.parts
        )


def parse_values(text: str) -> Values:
    """Returns the values of a text. Raises ConfigError, which says how they are written, for any other text.

    >>> list(parse_values("1k,2k,4k:16k:4k"))
    [1024, 2048, 4096, 8192, 12288, 16384]
    """
    typed = text.split(",")
    if len(typed) > MOST_LISTED:
        raise ConfigError(f"{len(typed):,} values are listed, and the most are {MOST_LISTED:,}: write {FORMS}")
    parts = []
    for part in map(str.strip, typed):
        if not part:
            raise ConfigError(f"{brief(text)} has an empty value: write {FORMS}")
        parts.append(sizes_of(part) if ":" in part else _one(parse_size(part)))
    return _checked(parts)


def values_of(given: Iterable[Any]) -> Values:
    """Returns the values of a range of Python, a sequence of numbers, or an array of whole ones."""
    if isinstance(given, range) and given.step > 0:
        return _checked([given])
    listed: Sequence[Any] = getattr(given, "tolist", lambda: list(given))()
    if len(listed) > MOST_LISTED:
        raise ConfigError(f"{len(listed):,} values are listed, and the most are {MOST_LISTED:,}: give a range")
    return _checked([_one(_whole(value)) for value in listed])


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ConfigError(f"{brief(value)} is no size: give whole numbers")
    return int(value.__index__())


def _one(value: int) -> range:
    return range(value, value + 1)


def _checked(parts: Sequence[range]) -> Values:
    """Returns the values of ranges. Raises ConfigError for none, one that no size can be, and one that comes twice."""
    parts = [part for part in parts if part]
    if not parts:
        raise ConfigError(f"it has no values: write {FORMS}")
    for part in parts:
        if part.start < 0 or part[-1] > MAX_DIM:
            raise ConfigError(f"{brief(part.start if part.start < 0 else part[-1])} is no size: 0 to 2**63 - 1 are")
    singles = [part.start for part in parts if _length(part) == 1]
    long = [part for part in parts if _length(part) > 1]
    counts = Counter(singles)
    twice = next((value for value in singles if counts[value] > 1), None)
    for place, part in enumerate(long):
        inside = (value for value in singles if value in part)
        shared = (common(part, other) for other in long[:place])
        twice = next((value for value in (twice, *inside, *shared) if value is not None), None)
    if twice is not None:
        raise ConfigError(f"{twice} is there twice: each value makes rows of its own")
    return Values(tuple(parts))


def common(one: range, other: range) -> int | None:
    """Returns the smallest number in two ranges that go up; None if they share none.

    Numbers of the first are `a` modulo its step, those of the second `b` modulo its own: the remainder theorem.

    >>> common(range(1, 100, 6), range(3, 100, 4)), common(range(0, 10**15, 2), range(1, 10**15, 2))
    (7, None)
    """
    factor = gcd(one.step, other.step)
    apart = other.start - one.start
    if apart % factor:
        return None
    step = other.step // factor
    first = one.start + one.step * (apart // factor * pow(one.step // factor, -1, step) % step if step > 1 else 0)
    period = one.step * step
    least = max(one.start, other.start)
    first += -(-(least - first) // period) * period
    return first if first in one and first in other else None


def _length(part: range) -> int:
    return max(0, -((part.start - part.stop) // part.step))
