"""Branches: of the guards of a formula, those that a reader has to know.

Code compares sizes to take one of two ways (as many groups as heads), to refuse operands that do not fit, or for
another figure's sake. The first alone limits a formula. Which one it is, is tried: at other sizes, where the guard is
not as it was, the same code gives another formula, or refuses them, or gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any

from graphacct.errors import GraphacctError
from graphacct.formulas.conditions import held, names_in
from graphacct.formulas.guards import Guard
from graphacct.formulas.terms import Number, powers
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, SIZE, Part, TracedSize


class Branches:
    """The guards of figures that were computed at some sizes, and what the figures are at others."""

    def __init__(self, trace: Trace, again: Callable[[Mapping[str, int]], Any]) -> None:
        """`again` computes the figures once more, with some sizes changed."""
        self.trace, self.again = trace, again
        self._known: dict[tuple[str, int], Any] = {}

    def limits(self, guard: Guard, name: str, written: Callable[[Any], str], formula: str) -> bool:
        """Returns whether a figure is `written` as this formula only where a guard is as it was."""
        broken = False
        for size, value in self._others(guard):
            if _holds(self.trace, guard, {**self.trace.sizes, size: value}):
                continue
            broken = True
            figures = self._figures(size, value)
            if figures is not None and written(getattr(figures, name)) != formula:
                return True
        return not broken

    def _others(self, guard: Guard) -> Iterator[tuple[str, int]]:
        """Yields other values of the sizes in a guard, one at a time: near, double, and those of the others in it."""
        counted_out = held(self.trace, guard)
        if counted_out is not None:  # far more of them would take as much longer
            yield counted_out[0], counted_out[1] + 1
            return
        names = names_in(self.trace, guard.terms)
        values = {name: self.trace.sizes[name] for name in sorted(names)}
        for name, value in values.items():
            for other in dict.fromkeys((1, value + 1, 2 * value, *values.values())):
                if other != value:
                    yield name, other

    def _figures(self, size: str, value: int) -> Any:
        """Returns the figures with one size changed; None if that is refused."""
        if (size, value) not in self._known:
            try:
                self._known[size, value] = self.again({size: value})
            except (GraphacctError, ArithmeticError):
                self._known[size, value] = None
        return self._known[size, value]


def _holds(trace: Trace, guard: Guard, sizes: Mapping[str, int]) -> bool:
    """Returns whether a guard is as it was at some sizes."""
    worth = _worth(trace, guard.terms, sizes)
    return (worth == 0 if guard.kind == "==" else worth < 0) == guard.holds


def _worth(trace: Trace, terms: Mapping[int, Number], sizes: Mapping[str, int]) -> Fraction:
    """Returns a formula at some sizes."""
    found = Fraction(0)
    for product, number in terms.items():
        each = Fraction(number)
        for place, power in powers(product):
            each *= _atom(trace, place, sizes) ** power
        found += each
    return found


def _atom(trace: Trace, place: int, sizes: Mapping[str, int]) -> Fraction:
    atom = trace.atoms[place]
    if atom.kind == SIZE:
        return Fraction(sizes[atom.name])

    def worth(part: Part) -> Fraction:
        return _worth(trace, part.terms, sizes) if isinstance(part, TracedSize) else Fraction(part)

    values = [worth(part) for part in atom.parts]
    if atom.kind in (MAX, MIN):
        return max(values) if atom.kind == MAX else min(values)
    quotient = values[0] / values[1]
    rounded = {FLOOR: floor, CEIL: ceil}.get(atom.kind)
    return quotient if rounded is None else Fraction(rounded(quotient))
