"""Scaling exponents: by how many per cent a figure grows when a size grows by one, at one point.

The exponent of a size x in a figure F is x · ∂F/∂x / F, from the exact derivatives of the terms. Of several of which
the largest counts, it is that of the one which is the largest at the point. A rounded quotient grows as the quotient.

    F = 24 · s · d² + 4 · s² · d at s = 1,024, d = 1,600:  1.096 in s, 1.904 in d
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.terms import Number, powers
from graphacct.formulas.traced_size import MAX, MIN, SIZE, Part, TracedSize


def exponents(figure: Part, sizes: Mapping[str, int]) -> dict[str, Fraction]:
    """Returns the exponent of each size in a figure at these sizes; none for a figure that is 0 there."""
    if not isinstance(figure, TracedSize):
        return dict.fromkeys(sizes, Fraction(0))
    at = Evaluation(figure.trace, sizes)
    value = Fraction(at.of(figure))
    if not value:
        return {}
    return {name: size * _Slope(at, name).of(figure) / value for name, size in sizes.items()}


class _Slope:
    """The derivatives by one size."""

    def __init__(self, at: Evaluation, name: str) -> None:
        self.at, self.name = at, name
        self._atoms: dict[int, Fraction] = {}

    def of(self, part: Part) -> Fraction:
        return self._of_terms(part.terms) if isinstance(part, TracedSize) else Fraction(0)

    def _of_terms(self, terms: Mapping[int, Number]) -> Fraction:
        found = Fraction(0)
        for product, number in terms.items():
            factors = [(Fraction(self.at.atom(place)), power, self._atom(place)) for place, power in powers(product)]
            for index, (value, power, slope) in enumerate(factors):
                if not slope:
                    continue
                each = Fraction(number) * power * value ** (power - 1) * slope
                for other, (factor, exponent, _) in enumerate(factors):
                    each *= factor**exponent if other != index else 1
                found += each
        return found

    def _atom(self, place: int) -> Fraction:
        if place not in self._atoms:
            atom: Any = self.at.trace.atoms[place]
            if atom.kind == SIZE:
                found = Fraction(int(atom.name == self.name))
            elif atom.kind in (MAX, MIN):
                values = [self.at.of(part) for part in atom.parts]
                found = self.of(atom.parts[values.index((max if atom.kind == MAX else min)(values))])
            else:
                a, b = (Fraction(self.at.of(part)) for part in atom.parts)
                found = (self.of(atom.parts[0]) - a / b * self.of(atom.parts[1])) / b
            self._atoms[place] = found
        return self._atoms[place]
