"""Sums of products of powers, as plain dictionaries: what two formulas are made into by `+`, `*` and exact division.

A product of powers is one int, 16 bits for the power of each atom in the order of the trace's atoms, so that products
multiply by adding their ints: with batch, seq_len, d_model as atoms, `batch · d_model²` is 1 + (2 << 32). A power may
be below 0: d_model / n_head is a product too. Python's order of these ints agrees with multiplication.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

Number: TypeAlias = int | Fraction
Terms: TypeAlias = dict[int, Number]
"""The coefficient of each product; none is 0. The product 0 has no atoms: its coefficient is the constant."""
BITS = 16
_LOW = (1 << BITS) - 1
_HALF = 1 << (BITS - 1)
LARGEST_POWER = 1 << 8
"""Far below what 16 bits hold, so that no power runs into its neighbour."""
STEPS = 64
"""The most terms that an exact quotient of two sums may have."""


@lru_cache(maxsize=1 << 16)
def powers(product: int) -> tuple[tuple[int, int], ...]:
    """Returns the number of each atom in a product, and its power.

    >>> powers(1 + (2 << 32)), powers((1 << 16) - 1)
    (((0, 1), (2, 2)), ((0, -1), (1, 1)))
    """
    found = []
    place = 0
    while product:
        low = product & _LOW
        if low:
            power = low - (1 << BITS) if low >= _HALF else low
            found.append((place, power))
            product -= power
        product >>= BITS
        place += 1
    return tuple(found)


def product_of(found: Iterable[tuple[int, int]]) -> int:
    """Returns the product of powers, given as `powers` returns them."""
    return sum(power << (BITS * place) for place, power in found)


def added(a: Mapping[int, Number], b: Mapping[int, Number], factor: Number = 1) -> Terms:
    """Returns a + factor · b."""
    found = dict(a)
    for product, number in b.items():
        more = found.get(product, 0) + factor * number
        if more:
            found[product] = more
        else:
            found.pop(product, None)
    return found


def scaled(a: Mapping[int, Number], factor: Number) -> Terms:
    """Returns factor · a."""
    if type(factor) is int:
        if not factor:
            return {}
        return {
            product: number * factor if type(number) is int else whole(number * factor) for product, number in a.items()
        }
    return {product: whole(number * factor) for product, number in a.items()}


def multiplied(a: Mapping[int, Number], b: Mapping[int, Number]) -> Terms:
    """Returns a · b."""
    found: Terms = {}
    for left, first in a.items():
        for right, second in b.items():
            product = left + right
            found[product] = found.get(product, 0) + first * second
    return {product: number if type(number) is int else whole(number) for product, number in found.items() if number}


def divided(a: Mapping[int, Number], b: Mapping[int, Number]) -> Terms | None:
    """Returns a / b as a sum of products, whose powers may be below 0 if b is one product; None if it is no such sum.

    >>> s = 1 << 16  # with batch and seq_len as atoms, (batch · seq_len + seq_len²) / (batch + seq_len) = seq_len
    >>> divided({1 + s: 1, 2 * s: 1}, {1: 1, s: 1}) == {s: 1}
    True
    """
    lead = max(b)
    if len(b) == 1:
        return {product - lead: quotient(number, b[lead]) for product, number in a.items()}
    left, found = dict(a), Terms()
    for _ in range(STEPS):
        if not left:
            return found
        first = max(left)
        product, number = first - lead, quotient(left[first], b[lead])
        if any(power < 0 for _, power in powers(product)):
            return None
        found[product] = number
        left = added(left, {product + other: factor for other, factor in b.items()}, -number)
    return None


def quotient(a: Number, b: Number) -> Number:
    """Returns a / b, an int if it is one."""
    if type(a) is int and type(b) is int:
        above, below = divmod(a, b)
        return Fraction(a, b) if below else above
    return whole(Fraction(a) / Fraction(b))


def whole(number: Number) -> Number:
    """Returns a number as an int if it is one."""
    return number if type(number) is int else number.numerator if number.denominator == 1 else number
