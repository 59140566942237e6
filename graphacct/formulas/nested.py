"""Sums of products as source code, nested: `(p * x + q) * x + r`, outermost in the size of the lowest power."""

from __future__ import annotations

from abc import ABC, abstractmethod

from graphacct.formulas.terms import BITS, Number, Terms, powers


class Nested(ABC):
    """What writes sums of products in a language that has `+` and `*`."""

    @abstractmethod
    def variable(self, place: int) -> str:
        """Returns the name of an atom's value."""

    @abstractmethod
    def literal(self, number: Number) -> str:
        """Returns a number."""

    def sum(self, terms: Terms) -> str:
        """Returns a sum of products of powers above 0."""
        places: dict[int, list[int]] = {}
        for product in terms:
            for place, power in powers(product):
                places.setdefault(place, []).append(power)
        if not places:
            return self.literal(terms.get(0, 0))
        outer = min(places, key=lambda place: (max(places[place]), -len(places[place]), place))
        by_power: dict[int, Terms] = {}
        for product, number in terms.items():
            power = dict(powers(product)).get(outer, 0)
            by_power.setdefault(power, {})[product - (power << (BITS * outer))] = number
        found, before = "", 0
        for power in sorted(by_power, reverse=True):
            inner = self.sum(by_power[power])
            found = f"{self._times(found, outer, before - power)} + {inner}" if found else inner
            before = power
        return self._times(found, outer, before) if before else found

    def _times(self, expression: str, place: int, power: int) -> str:
        variable = " * ".join([self.variable(place)] * power)
        if expression == self.literal(1):
            return variable
        return f"({expression}) * {variable}" if " " in expression else f"{expression} * {variable}"
