"""Signs: whether a formula is above, at or below 0 for all sizes from their least values on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import comb, gcd, lcm

from graphacct.formulas.terms import BITS, Number, Terms, powers, product_of, whole


class Signs:
    """What is known of the signs of formulas.

    Attributes:
        least: The least value of each atom; None for one that may be below 0.

    >>> signs, seq_len = Signs([1, 1]), 1 << 16  # batch and seq_len, from 1 on
    >>> signs.always("<", {1 + seq_len: 1, 0: 1}), signs.always("==", {1: 1, seq_len: -1})
    (False, None)
    """

    def __init__(self, least: Iterable[int | None] = ()) -> None:
        self.least = list(least)
        self._below_0 = None in self.least
        self._products: dict[int, Terms | None] = {}

    def add(self, least: int | None) -> None:
        """Adds an atom with its least value."""
        self.least.append(least)
        self._below_0 = self._below_0 or least is None

    def always(self, kind: str, terms: Mapping[int, Number]) -> bool | None:
        """Returns whether a formula is 0 (`==`) or below 0 (`<`) for all sizes; None if it is for some or not known."""
        if not terms:
            return kind == "=="
        if kind == "<" and self._is_sum(terms):
            return False
        above = self.above_least(terms)
        return None if above is None else never_changing(kind, above)

    def never_negative(self, terms: Mapping[int, Number]) -> bool:
        """Returns whether a formula is known to be 0 or more for all sizes."""
        if self._is_sum(terms):
            return True
        above = self.above_least(terms)
        return above is not None and all(number >= 0 for number in above.values())

    def _is_sum(self, terms: Mapping[int, Number]) -> bool:
        """Returns whether a formula adds and never subtracts: that is seen at a glance."""
        if any(number < 0 for number in terms.values()):
            return False
        return not self._below_0 or not any(self.least[place] is None for each in terms for place, _ in powers(each))

    def above_least(self, terms: Mapping[int, Number]) -> Terms | None:
        """Returns a formula in what each atom has above its least value: b s is (1 + p) (1 + q), which is 1 + p + q +
        p q. What has no negative coefficient is never below 0.

        A formula with quotients of sizes is multiplied with their divisors, which are positive. None if an atom may be
        below 0.
        """
        found: Terms = {}
        for product, number in without_divisors(terms).items():
            if product not in self._products:
                self._products[product] = self._expanded(product)
            expanded = self._products[product]
            if expanded is None:
                return None
            for each, some in expanded.items():
                found[each] = found.get(each, 0) + number * some
        return {product: number for product, number in found.items() if number}

    def _expanded(self, product: int) -> Terms | None:
        found: Terms = {0: 1}
        for place, power in powers(product):
            low = self.least[place]
            if low is None:
                return None
            if low == 0:
                found = {each + (power << (BITS * place)): some for each, some in found.items()}
                continue
            binomials = [(i << (BITS * place), comb(power, i) * low ** (power - i)) for i in range(power + 1)]
            found = {each + more: some * times for each, some in found.items() for more, times in binomials}
        return found

    def reduced(self, terms: Mapping[int, Number]) -> Terms:
        """Returns a formula of the same sign, as small as possible: without the sizes and the factor that all its terms
        share. `2 b s - 2 b` is `s - 1`."""
        cleared = without_divisors(terms)
        factor = product_of((place, power) for place, power in _shared(cleared).items() if self.least[place])
        numbers = list(cleared.values())
        if all(type(number) is int for number in numbers):
            divisor = gcd(*numbers)  # type: ignore[arg-type]
            return {product - factor: number // divisor for product, number in cleared.items()}
        content = Fraction(_content(numbers))
        return {product - factor: whole(number / content) for product, number in cleared.items()}


def never_changing(kind: str, above: Mapping[int, Number]) -> bool | None:
    """Returns whether a formula in variables that are 0 or more is 0 (`==`) or below 0 (`<`) for all of them; None if
    it is for some or not known."""
    constant = above.get(0, 0)
    if all(number >= 0 for number in above.values()):
        return False if kind == "<" or constant else None
    if constant and all(number <= 0 for number in above.values()):
        return kind == "<"
    return None


def without_divisors(terms: Mapping[int, Number]) -> Mapping[int, Number]:
    """Returns a formula multiplied with the divisors of its products."""
    lowest = lowest_powers(terms)
    if not lowest:
        return terms
    factor = product_of((place, -power) for place, power in lowest.items())
    return {product + factor: number for product, number in terms.items()}


def lowest_powers(terms: Iterable[int]) -> dict[int, int]:
    """Returns the lowest power of each atom that divides a product, which is below 0."""
    lowest: dict[int, int] = {}
    for product in terms:
        if product < 0 or product & _NEGATIVE:
            for place, power in powers(product):
                if power < lowest.get(place, 0):
                    lowest[place] = power
    return lowest


def _shared(products: Iterable[int]) -> dict[int, int]:
    """Returns the powers that products share."""
    shared: dict[int, int] | None = None
    for product in products:
        mine = dict(powers(product))
        before = mine if shared is None else shared
        shared = {place: min(power, mine[place]) for place, power in before.items() if place in mine}
        if not shared:
            break
    return shared or {}


_NEGATIVE = sum(1 << (BITS * place + BITS - 1) for place in range(256))
"""The bits that a power below 0 sets, for as many atoms as a formula may have."""


def _content(numbers: Sequence[Number]) -> Number:
    """Returns the largest number of which all these are whole multiples."""
    below = lcm(*[number.denominator for number in numbers])
    above = gcd(*[int(number * below) for number in numbers])
    return whole(Fraction(above, below))
