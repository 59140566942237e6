"""The search for the size at which an answer changes: doubling, then halving, over whole numbers.

A size may be refused (heads that do not divide): then it has no answer and is skipped. Sizes that are accepted mostly
lie on a lattice, the multiples of the number of heads, which is found around the model's own size and searched first.
At the border itself every whole number is tried, so that no accepted size between the two neighbours is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

NEAR = 8
"""How many accepted sizes beyond a border are tried: an answer that changes back there is found."""
WALK = 4096
"""The most whole numbers that are tried one after the other."""
FEW = 64
FURTHER = 160
"""How many whole numbers are tried after one beyond which none is accepted on the lattice: divisors are on none."""
SMALL = 16
"""Up to this, the model's own size and the one below it may both divide something: 3 and 4 divide 12."""
PATIENCE = 12
"""How often the smallest size is doubled to find one whose answer is True, where the largest such size is wanted."""


@attrs.frozen
class Border:
    """Two neighbouring sizes with different answers.

    Attributes:
        low: The smaller one; None if already the smallest size gives the answer of `high`.
        high: The larger one; None if every size up to the end of the search gives the answer of `low`.
        monotone: Whether all sizes that were tried below `high` answer as `low`, and all others as `high`.
    """

    low: int | None
    high: int | None
    monotone: bool = True


class Search:
    """A search among the sizes from `least` to `most`.

    Attributes:
        known: The answer for each size that was tried; None for one that is refused.
    """

    def __init__(
        self, answer: Callable[[int], bool | None], least: int, most: int, own: int | None = None, step: int = 0
    ) -> None:
        """`step` is the distance between the sizes that may be answers; 0 for all whole numbers."""
        self.answer, self.least, self.step = answer, least, step
        self.most = most - (most - least) % (step or 1)
        self.known: dict[int, bool | None] = {}
        self.own = own
        self.unit = step or self._found_unit(own)

    def smallest(self) -> int | None:
        """Returns the smallest size that is accepted; None if none of the first is."""
        first = range(self.least, min(self.least + max(self.unit * FEW, FEW), self.most + 1), self.step or 1)
        return next((size for size in first[:WALK] if self.at(size) is not None), None)

    def last_true(self) -> Border:
        """Returns the border between the largest size whose answer is True, and the next one."""
        low, high = None, None
        for place, size in enumerate(self._rising()):
            if self.at(size):
                low = size
            elif low is not None or place > PATIENCE:
                high = size
                break
        if low is None:
            return Border(None, None)
        if high is None and not self._refused_above(low):
            return Border(low, high)
        end = high if high is not None else min(self._refused_above(low))
        while True:
            low, end = self._halved(low, end)
            further = [size for size in self._beyond(end, 1) if self.at(size)]
            further += [size for size, found in self.known.items() if found and size > end]
            if not further and self.at(end) is None:
                another = self._accepted_near(low, end)
                if another is not None:
                    low, end = (another, self._doubled(another)) if self.at(another) else (low, another)
                    continue
            if not further:
                break
            low = max(further)
            above = [size for size, found in self.known.items() if found is False and size > low]
            end = min(above, default=self._doubled(low))
        return self._border(low, end if self.at(end) is False else None)

    def first_true(self) -> Border:
        """Returns the border between the smallest size whose answer is True, and the one before it."""
        low, high = None, None
        for size in self._rising():
            if self.at(size):
                high = size
                break
            low = size
        if high is None or low is None:
            return Border(low, high)
        while True:
            low, high = self._halved(low, high)
            earlier = [size for size in self._beyond(low, -1) if self.at(size)]
            if not earlier:
                break
            high = min(earlier)
            low = max((size for size, found in self.known.items() if found is False and size < high), default=low)
            if low > high:
                return self._border(None, high)
        return self._border(low, high)

    def at(self, size: int) -> bool | None:
        """Returns the answer for a size; None if it is refused."""
        if size not in self.known:
            self.known[size] = self.answer(size)
        return self.known[size]

    def _border(self, low: int | None, high: int | None) -> Border:
        for size, sign in ((low, -1), (high, 1)):
            if size is not None:
                self._beyond(size, sign)  # so that a saw is seen from either side
        edge = low if low is not None else -1
        before = {found for size, found in self.known.items() if found is not None and size <= edge}
        after = {found for size, found in self.known.items() if found is not None and size > edge}
        return Border(low, high, len(before) < 2 and len(after) < 2)

    def _found_unit(self, own: int | None) -> int:
        """Returns the distance from the model's own size to the accepted one below it; 1 without an own size."""
        if own is None or self.answer(own) is None:
            return 1
        below = range(own - 1, max(own - WALK, 0), -1)
        return next((own - size for size in below if self.answer(size) is not None), own)

    def _lattice(self, size: int) -> int:
        """Returns the largest multiple of the unit up to a size; with a step, the size of the range."""
        if self.step:
            return self.least + (size - self.least) // self.step * self.step
        return size // self.unit * self.unit

    def _rising(self) -> Iterator[int]:
        """Yields the smallest size and accepted ones that double, the last one that is allowed too."""
        size = self.smallest()
        while size is not None:
            yield size
            if size < self._lattice(self.most):
                size = self._accepted_near(size, self._doubled(size))
            else:  # between the last multiple and the end
                left = range(self.most, size, -(self.step or 1))
                size = next((other for other in left[:WALK] if self.at(other) is not None), None)

    def _doubled(self, size: int) -> int:
        return min(max(self._lattice(2 * size), self._lattice(size + self.unit)), self._lattice(self.most))

    def _accepted_near(self, low: int, size: int) -> int | None:
        """Returns an accepted size above `low`: the one nearest below another size, or above that; else the model's
        own, or the next whole number that is. None if all of them are refused."""
        if self.step:
            tried = [*range(size, low, -self.step)[:FEW], *range(size + self.step, self.most + 1, self.step)[:FEW]]
        else:
            down, up = range(size, low, -self.unit)[:FEW], range(size + self.unit, self.most + 1, self.unit)[:FEW]
            tried = [*down, *up[: FEW if self.unit > 1 else 0], 2 * low, self.own or 0]
            if self.unit > 1 or (self.own or 1) <= SMALL:
                tried += range(low + 1, low + FURTHER)
        return next((other for other in tried if low < other <= self.most and self.at(other) is not None), None)

    def _refused_above(self, low: int) -> list[int]:
        return [size for size, found in self.known.items() if found is None and size > low]

    def _halved(self, low: int, high: int) -> tuple[int, int]:
        """Returns two neighbours of which the first answers as `low` and the second as `high`, or is refused as it."""
        while True:
            middle = self._between(low, high)
            if middle is None:
                return low, high
            low, high = (middle, high) if self.at(middle) == self.at(low) else (low, middle)

    def _between(self, low: int, high: int) -> int | None:
        """Returns a size between two, the nearest to their middle that is accepted, or, if that is none and the upper
        one is refused too, a refused one; None if there is none."""
        inside = range(self._lattice(low) + self.unit, high, self.unit)
        centre = len(inside) // 2
        places = [centre + sign * distance for distance in range(NEAR) for sign in (-1, 1)]
        near = dict.fromkeys(inside[place] for place in places if 0 <= place < len(inside))
        found = next((size for size in near if self.at(size) is not None), None)
        if found is not None:
            return found
        if near and self.at(high) is None:
            return min(near) if min(near) > low else None
        every = range(low + (self.step or 1), high, self.step or 1)
        return next((size for size in every[:WALK] if self.at(size) is not None), None)

    def _beyond(self, size: int, sign: int) -> list[int]:
        """Returns some accepted sizes after one, or with a sign of -1 before it."""
        others = [size + sign * place * self.unit for place in range(1, NEAR + 1)]
        return [other for other in others if self.least <= other <= self.most and self.at(other) is not None]
