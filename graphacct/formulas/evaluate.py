"""Figures of a trace at other sizes: exactly, or as formulas of another trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from graphacct.formulas.guards import Guard
from graphacct.formulas.terms import Number, Terms, powers, whole
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, RATIO, SIZE, Part, Recorder, TracedSize


class Evaluation:
    """One trace's formulas, with other sizes put in.

    Attributes:
        sizes: The size by each name: ints, or traced sizes of one other trace.
    """

    def __init__(self, trace: Recorder, sizes: Mapping[str, Any]) -> None:
        self.trace, self.sizes = trace, sizes
        self._atoms: dict[int, Any] = {}
        self._products: dict[int, Any] = {}

    def of(self, part: Part) -> Any:
        """Returns what a figure is at these sizes: an int if it is whole, or else a Fraction; a traced size if they
        are."""
        return self.of_terms(part.terms) if isinstance(part, TracedSize) else part

    def of_terms(self, terms: Mapping[int, Number]) -> Any:
        """Returns what a sum of products is at these sizes."""
        known = self._products
        plain: Any = 0
        value: Any = 0
        sums: Terms = {}  # in one go: to add one traced size after the other copies the sum each time
        trace = None
        for product, number in terms.items():
            each = known[product] if product in known else self._product(product)
            if isinstance(each, TracedSize):
                trace = each.trace
                value += number * each.value
                for other, factor in each.terms.items():
                    sums[other] = sums.get(other, 0) + number * factor
            else:
                plain += number * each
        if trace is None:
            return whole(plain) if isinstance(plain, Fraction) else plain
        sums[0] = sums.get(0, 0) + plain
        return trace.made({other: whole(number) for other, number in sums.items() if number}, value + plain)

    def _product(self, product: int) -> Any:
        """Returns what a product is at these sizes: many formulas have the same ones."""
        above: Any = 1
        below: Any = 1
        for place, power in powers(product):
            if power > 0:
                above = above * self.atom(place) ** power
            else:
                below = below * self.atom(place) ** -power
        self._products[product] = found = above if type(below) is int and below == 1 else _quotient(above, below)
        return found

    def holds(self, guard: Guard) -> bool:
        """Returns whether a guard is at these sizes as it was. One that would divide by 0 is not: where the model's
        rules come to it, another guard is as it was too, and there that one says that no 0 is met."""
        try:
            return self._is_as_it_was(guard)
        except ZeroDivisionError:
            return False

    def decide(self, guards: Iterable[Guard]) -> None:
        """Lets the trace whose sizes are put in know what the guards of this one say, where they hold. Raises
        ZeroDivisionError for a guard that divides by 0."""
        for guard in guards:
            self._is_as_it_was(guard)

    def _is_as_it_was(self, guard: Guard) -> bool:
        value = self.of_terms(guard.terms)
        return bool(value == 0 if guard.kind == "==" else value < 0) == guard.holds

    def atom(self, place: int) -> Any:
        """Returns what an atom is at these sizes."""
        if place not in self._atoms:
            atom = self.trace.atoms[place]
            self._atoms[place] = self.sizes[atom.name] if atom.kind == SIZE else self._operation(atom.kind, atom.parts)
        return self._atoms[place]

    def _operation(self, kind: str, parts: tuple[Part, ...]) -> Any:
        values = [self.of(part) for part in parts]
        if kind in (FLOOR, CEIL, RATIO):
            a, b = values
            return a // b if kind == FLOOR else -(-a // b) if kind == CEIL else _quotient(a, b)
        traced = next((value for value in values if isinstance(value, TracedSize)), None)
        if traced is not None:
            return traced.trace.largest(*values) if kind == MAX else traced.trace.smallest(*values)
        return max(values) if kind == MAX else min(values)


def _quotient(a: Any, b: Any) -> Any:
    if isinstance(a, TracedSize) or isinstance(b, TracedSize):
        return a / b
    return whole(Fraction(a) / Fraction(b))
