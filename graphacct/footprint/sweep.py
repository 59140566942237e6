"""The largest sizes that fit in several memories, found together.

One search in `fits.py` halves an interval for one memory. Here every total that is computed serves all memories, and
a parabola through the nearest known ones says where to look next. The totals of batches and sequences mostly lie on
few parabolas, so most memories take one or two totals: that of the largest size, and unless four known totals lie
exactly on one parabola, from which it follows, that of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import attrs

from graphacct.errors import GraphacctError
from graphacct.footprint.fits import MOST, unit_of

FIRST = 8
"""A search without an upper end tries 1, 8 and 64 before a parabola leads it."""
LEAP = 8
"""The most by which such a search multiplies a size at once."""
PATIENCE = 3
"""After so many guesses that did not halve an interval it is halved: a total that jumps misleads the parabola."""


@attrs.frozen
class LargestSize:
    """The largest size that fits in one memory.

    Attributes:
        size: The size; 0 if not even 1 fits.
        total: The total at that size; 0 for size 0.
        limit: The model's own limit, if that and not memory ended the search; empty otherwise.
    """

    size: int
    total: int = 0
    limit: str = ""


def largest_sizes(
    total: Callable[[int], int], budgets: Iterable[int], option: str, known: Mapping[int, int] | None = None
) -> dict[int, LargestSize]:
    """Returns for each budget in bytes the largest size, 1 or more, whose total is within it.

    `known` are totals that need not be computed. The total must grow with the size, or from one multiple of
    `unit_of(option)` to the next. The largest size was computed. The next larger one does not fit, or the model refuses
    it (GraphacctError), which is then the limit.
    """
    search = _Search(total, option, {} if known is None else known)
    return {budget: search.largest(budget) for budget in sorted(set(budgets))}


class _Search:
    """The totals that are known so far.

    Attributes:
        known: The total of each size that was tried; None for one that the model refuses.
        refused: Why it does.
        unit: The step in which totals surely grow.
        steps: Whether a size was found that takes more than a larger multiple of `unit`.
    """

    def __init__(self, total: Callable[[int], int], option: str, known: Mapping[int, int]) -> None:
        self.total = total
        self.option = option
        self.known: dict[int, int | None] = {**known}
        self.refused: dict[int, str] = {}
        self.unit = unit_of(option)
        self.steps = False

    def largest(self, budget: int) -> LargestSize:
        """Returns the largest size within a budget."""
        low, high = (0, 1) if self.steps else self._bracket(budget, 1)
        if self.steps or (self.unit > 1 and self._larger_multiple(low, high, budget)):
            low, _ = self._bracket(budget, self.unit)
            high = low + 1
            while high % self.unit and self._fits(high, budget):
                low, high = high, high + 1
        limit = f"no larger {self.option} was tried" if high > MOST else self.refused.get(high, "")
        return LargestSize(low, self.known[low] or 0 if low else 0, limit)

    def _larger_multiple(self, low: int, high: int, budget: int) -> bool:
        """Returns whether the next multiple of the unit fits, although `high`, which is smaller, does not."""
        if high > MOST or high in self.refused:
            return False
        if high not in self.known and len({not size % self.unit for size in self._nearest(budget, 1, 4)}) == 2:
            return False  # multiples and other sizes lie on one parabola
        return self._fits(self.unit * (high // self.unit + 1), budget)

    def _bracket(self, budget: int, unit: int) -> tuple[int, int]:
        """Returns two neighbours among the multiples of `unit`: one that fits (or 0), and the next, which does not. A
        search among all sizes ends early when totals turn out to step."""
        tried = {size // unit: total for size, total in self.known.items() if size % unit == 0}
        low = max((size for size, total in tried.items() if total is not None and total <= budget), default=0)
        high = min((size for size in tried if size > low), default=MOST + 1)
        width, guesses = high - low, 0
        while high - low > 1 and not (self.steps and unit < self.unit):
            guesses += 1
            if high - low <= width // 2:
                width, guesses = high - low, 0
            lost = guesses > PATIENCE and high <= MOST
            guess = (low + high) // 2 if lost else self._guess(low, high, budget, unit)
            if self._fits(guess * unit, budget):
                low = guess
                if self._next_is_known(low, budget, unit):
                    return low * unit, (low + 1) * unit
            else:
                high = guess
        return low * unit, high * unit

    def _next_is_known(self, low: int, budget: int, unit: int) -> bool:
        """Returns whether the multiple after `low` does not fit because four computed totals, that of `low` among
        them, lie on one parabola to the byte, which goes beyond the budget with the next."""
        exact = self._exact(budget, unit)
        return exact is not None and exact(low) == self.known[low * unit] and exact(low + 1) > budget

    def _exact(self, budget: int, unit: int) -> Callable[[int], Fraction] | None:
        """Returns the parabola that the four totals nearest to the budget lie on, or None if they lie on none."""
        points = [(Fraction(size, unit), Fraction(self.known[size] or 0)) for size in self._nearest(budget, unit, 4)]
        if len(points) < 4:
            return None
        *three, (size, total) = points
        fitted = _parabola(three)
        return fitted if fitted(size) == total else None

    def _apart(self, low: int, high: int, budget: int, unit: int) -> list[int]:
        """Returns up to three sizes to guess from: the two ends as far as they are known, then others near the budget.
        Others are apart from the ends, because small steps between close sizes bend a parabola."""
        ends = [size for size in (low * unit, high * unit) if self.known.get(size) is not None]
        gap = unit * ((high - low) // 8 if high <= MOST else low // 4)
        near = self._nearest(budget, unit, len(self.known))
        others = [size for size in near if all(abs(size - end) > gap for end in ends)]
        return [*ends, *others[: 3 - len(ends)]]

    def _nearest(self, budget: int, unit: int, count: int) -> list[int]:
        """Returns the sizes, multiples of `unit`, whose known totals are nearest to the budget."""
        distances = [
            (abs(total - budget), size) for size, total in self.known.items() if total is not None and size % unit == 0
        ]
        return [size for _, size in sorted(distances)[:count]]

    def _fits(self, size: int, budget: int) -> bool:
        """Returns whether a size is within a budget; one that the model refuses is not."""
        if size not in self.known:
            try:
                self.known[size] = self.total(size)
            except GraphacctError as error:
                self.known[size] = None
                self.refused[size] = str(error)
            self.steps = self.steps or self._stepped(size)
        total = self.known[size]
        return total is not None and total <= budget

    def _stepped(self, size: int) -> bool:
        """Returns whether a size takes more than a known larger multiple of the unit, or less than a smaller size."""
        total = self.known[size]
        if self.unit == 1 or total is None:
            return False
        others = ((other, taken) for other, taken in self.known.items() if taken is not None)
        if size % self.unit:
            return any(other > size and taken < total for other, taken in others)
        return any(other < size and taken > total for other, taken in others)

    def _guess(self, low: int, high: int, budget: int, unit: int) -> int:
        """Returns the largest multiple of `unit` between the two that the parabola has within the budget, or the one
        above `low`; without an upper end at most LEAP times `low`."""
        exact = self._exact(budget, unit)
        near = self._nearest(budget, unit, 3) if exact else self._apart(low, high, budget, unit)
        points = [(size / unit, float(self.known[size] or 0)) for size in near]
        if high > MOST and len(points) < 3:
            return min(FIRST * low, MOST) or 1
        if len(points) < 2:
            return (low + high) // 2
        fitted = _parabola(points)
        first, last = low, min(high, max(LEAP * low, 2))
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if fitted(middle) <= budget else (first, middle)
        if first == high - 1 and high * unit in self.refused:
            return (low + high) // 2  # memory does not end the search, and where the model's limit lies is unknown
        return max(first, low + 1)


def _parabola(points: Sequence[tuple[Any, Any]]) -> Callable[[Any], Any]:
    """Returns the polynomial through two or three points, in Newton's form. Floats guide the search, Fractions are
    exact."""
    (x0, y0), (x1, y1), *more = points
    slope = (y1 - y0) / (x1 - x0)
    bend = 0
    for x2, y2 in more:
        bend = ((y2 - y1) / (x2 - x1) - slope) / (x2 - x0)
    return lambda size: y0 + (size - x0) * (slope + bend * (size - x1))
