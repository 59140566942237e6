"""Slack: what guards say of sums, as sizes written in variables that are 0 or more.

Each atom has a variable, what it has above its least value. Where a guard says that a sum is 0 or more, what the sum
has above 0 takes the place of one of its variables, and where k // 2 is rounded down, the rest takes the place of k's:

    k - 1 = 2 p + r   of p = (k - 1) // 2, so that k is 1 + 2 p + r
    h + 2 p - k ≥ 0   a convolution's output: h is w + 1 + r, so that its width h + 2 p - k + 1 is w + 1

A formula in these variables without a coefficient below 0 is never below 0 where the guards hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil

from graphacct.formulas.signs import lowest_powers, never_changing, without_divisors
from graphacct.formulas.terms import BITS, Number, Terms, added, multiplied, powers, scaled, whole

_ONE_ATOM = (1 << BITS) - 1


class Slack:
    """What is known of sums. It changes only by atoms that are added: what is learned makes another one.

    Attributes:
        forms: Each atom in the variables, which have the places of atoms.
        opaque: The bits of the atoms that may be below 0, and are no variables.
        says_more: Whether it is more than the least values of sizes.
    """

    def __init__(self) -> None:
        self.forms: list[Terms] = []
        self.opaque = 0
        self.says_more = False
        self._sizes: set[int] = set()
        self._parts: set[int] = set()  # the places of variables that may be no whole numbers
        self._ratios: set[int] = set()
        self._products: dict[int, Terms] = {}

    def add(self, least: int | None, size: bool = False, ratio: bool = False) -> None:
        """Adds an atom with its least value, None for one that may be below 0; `ratio` if it may be no whole number."""
        place = len(self.forms)
        self.forms.append({1 << (BITS * place): 1, 0: least} if least else {1 << (BITS * place): 1})
        if least is None:
            self.opaque |= _ONE_ATOM << (BITS * place)
        if size:
            self._sizes.add(place)
        if ratio:
            self._ratios.add(place)
            self._parts.add(place)

    def expanded(self, product: int) -> Terms:
        """Returns a product without divisors in the variables."""
        if product not in self._products:
            found: Terms = {0: 1}
            for place, power in powers(product):
                for _ in range(power):
                    found = multiplied(found, self.forms[place])
            self._products[product] = found
        return self._products[product]

    def of(self, terms: Mapping[int, Number]) -> Terms | None:
        """Returns a formula, multiplied with its divisors, in the variables; None if one of these may be below 0."""
        if not all(map(self.is_never_below_0, lowest_powers(terms))):
            return None
        found: Terms = {}
        for product, number in without_divisors(terms).items():
            for each, some in self.expanded(product).items():
                found[each] = found.get(each, 0) + number * some
        return {product: number for product, number in found.items() if number}

    def always(self, kind: str, terms: Mapping[int, Number]) -> bool | None:
        """Returns whether a formula is 0 (`==`) or below 0 (`<`) wherever the guards hold; None if it is not known."""
        found = self.of(terms)
        return None if found is None or self._open(found) else never_changing(kind, found)

    def never_negative(self, terms: Mapping[int, Number]) -> bool:
        """Returns whether a formula is known to be 0 or more wherever the guards hold."""
        found = self.of(terms)
        return found is not None and not self._open(found) and all(number >= 0 for number in found.values())

    def is_never_below_0(self, place: int) -> bool:
        """Returns whether an atom is known to be 0 or more."""
        return not self.opaque >> (BITS * place) & 1 and min(self.forms[place].values()) > 0

    def decided(self, kind: str, terms: Mapping[int, Number], holds: bool) -> Slack:
        """Returns what is known after a guard."""
        if kind != "<":
            return self
        return self.learned(added(scaled(terms, -1), {0: 1}, -self._step(terms)) if holds else terms)

    def learned(self, terms: Mapping[int, Number]) -> Slack:
        """Returns what is known if a formula is 0 or more."""
        found = self.of(terms)
        if found is None:
            return self
        open_ = self._open(found)
        above = open_ or [product for product, number in found.items() if number > 0]
        place = _single(above)
        if place is None or found[above[0]] < 0 or _is_in(place, found.keys() - set(above)):
            return self
        factor = found.pop(above[0])
        if not open_ and not found:
            return self
        form: Terms
        if found.keys() == {0} and place not in self._parts:
            form = {1 << (BITS * place): 1, 0: ceil(-Fraction(found[0]) / factor)}
            trivial = place in self._sizes and self.forms[place].keys() <= {0, 1 << (BITS * place)}
            return self._replaced(place, form, trivial)
        form = added({1 << (BITS * place): 1}, found, -1)
        return self._replaced(place, {each: whole(Fraction(number) / factor) for each, number in form.items()})

    def rounded_down(self, place: int, above: Mapping[int, Number], divisor: int) -> Slack:
        """Returns what is known if an atom, which is never below 0, is a formula divided by a number and rounded down:
        that the formula is the divisor times the atom, and a rest."""
        found = self.of(above)
        if found is None or self._open(found) or lowest_powers(above):
            return self
        old = _single([*found])
        if old is None:
            return self
        factor = Fraction(found[1 << (BITS * old)])
        form = {1 << (BITS * place): whole(divisor / factor), 1 << (BITS * old): whole(1 / factor)}
        return self._replaced(old, form)

    def _replaced(self, place: int, form: Terms, trivial: bool = False) -> Slack:
        """Returns the same with a variable written in others."""
        other = Slack()
        other.forms = [_with(each, place, form) for each in self.forms]
        other.opaque = self.opaque & ~(_ONE_ATOM << (BITS * place))
        other.says_more = self.says_more or not trivial
        other._sizes, other._ratios = self._sizes, self._ratios
        is_whole = place not in self._parts and all(type(number) is int for number in form.values())
        other._parts = self._parts if is_whole else self._parts | {place}
        return other

    def _open(self, found: Iterable[int]) -> list[int]:
        """Returns the products with an atom that may be below 0."""
        return [product for product in found if product & self.opaque] if self.opaque else []

    def _step(self, terms: Mapping[int, Number]) -> int:
        """Returns 1 for a formula that is a whole number for all sizes: below 0 it is -1 or less; 0 for another."""
        there = {place for product in terms for place, _ in powers(product)}
        is_whole = all(type(number) is int for number in terms.values()) and not lowest_powers(terms)
        return int(is_whole and not there & self._ratios)


def _single(products: Sequence[int]) -> int | None:
    """Returns the place of an atom if it, to the power of 1, is the only product."""
    found = [each for product in products for each in powers(product)]
    return found[0][0] if len(products) == len(found) == 1 and found[0][1] == 1 else None


def _is_in(place: int, products: Iterable[int]) -> bool:
    return any(place in dict(powers(product)) for product in products)


def _with(terms: Terms, place: int, form: Terms) -> Terms:
    """Returns a formula with another one in an atom's place."""
    found: Terms = {}
    for product, number in terms.items():
        each: Terms = {product: number}
        power = dict(powers(product)).get(place, 0)
        if power:
            each = {product - (power << (BITS * place)): number}
            for _ in range(power):
                each = multiplied(each, form)
        found = added(found, each)
    return found
