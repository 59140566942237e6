"""Sizes that record what is computed of them, and every decision that is taken on them: a trace.

A traced size has a value and a formula. What is computed of it has both too, and where code compares two sizes their
values decide, as they would without a trace, and the trace keeps the comparison as a guard. So whatever the code does,
its results are the figures of these values, and their formulas hold for all sizes at which each guard is as it was.

    trace = Trace()
    seq_len = trace.size("seq_len", 1024)
    rows = -(-seq_len // 8)  # 128, ceil(seq_len / 8)
    if seq_len > 1:          # True, and from now on seq_len > 1
        ...
    list(range(seq_len))     # 1,024 numbers, and from now on seq_len == 1024

A guard that holds for all sizes is not kept: sizes are whole numbers from 1 on. Formulas are sums of products
(`terms.py`); a rounded quotient, a largest or a smallest of several is an atom in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from graphacct.formulas.guards import Guard, Guards
from graphacct.formulas.largest import Extremes, LargestOf
from graphacct.formulas.terms import (
    BITS,
    Number,
    Terms,
    added,
    divided,
    multiplied,
    powers,
    scaled,
    whole,
)
from graphacct.formulas.text import text
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, SIZE, Atom, Part, TracedSize, value_of

LEAST = 1
"""The smallest value of a size."""


class Trace:
    """The sizes of one computation, what was made of them, and what was decided.

    Attributes:
        atoms: Sizes and operations in the order in which they came up: each has this place in every product.
        guards: The decisions.
        extremes: The places of the atoms that are the largest of several, and of those that are the smallest.
    """

    def __init__(self, as_values: bool = False) -> None:
        """`as_values` writes sizes as their values, in messages say, and not as formulas."""
        self.as_values = as_values
        self.atoms: list[Atom] = []
        self.guards = Guards()
        self._known: dict[Any, TracedSize] = {}
        self.extremes: dict[str, list[int]] = {MAX: [], MIN: []}
        self._extremes = Extremes(self)
        self._rests: dict[Any, Terms] = {}  # what a // b is if the rest is 0, by the formula of the rest
        self._whole: list[Terms] = []  # quotients that were decided to be whole

    def size(self, name: str, value: int) -> TracedSize:
        """Returns the size of a name, with its value."""
        return self._atom(("", name), Atom(SIZE, name, value=value), LEAST)

    @property
    def sizes(self) -> dict[str, int]:
        """The value of each size."""
        return {atom.name: int(atom.value) for atom in self.atoms if atom.kind == SIZE}

    @property
    def decisions(self) -> tuple[Guard, ...]:
        """The guards that were kept."""
        return self.guards.found

    @property
    def whole_quotients(self) -> tuple[Terms, ...]:
        """The quotients that are whole numbers wherever the guards hold."""
        return tuple(self._whole)

    def decide(self, kind: str, terms: Terms, value: Number) -> bool:
        """Returns whether a formula is 0 (`==`) or below 0 (`<`), which its value says, and keeps it as a guard."""
        truth = self.guards.decide(kind, terms, value)
        if kind == "==" and truth and (quotient := self._rests.get(frozenset(terms.items()))) is not None:
            self._whole.append(quotient)
        return truth

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Keeps nothing of what is decided inside: for what only looks at figures, and computes none."""
        count = len(self._whole)
        with self.guards.forgetting():
            yield
        del self._whole[count:]

    def terms_of(self, value: Any) -> Terms | None:
        """Returns the terms of a formula or of a plain number; None for what is neither, or of another trace."""
        if type(value) is int:
            return {0: value} if value else {}
        if isinstance(value, TracedSize):
            return value.terms if value.trace is self else None
        if isinstance(value, (int, float, Fraction)):
            number = whole(Fraction(value))
            return {0: number} if number else {}
        if hasattr(value, "__index__"):  # numpy's integers
            return self.terms_of(value.__index__())
        return None

    def made(self, terms: Terms, value: Number) -> Any:
        """Returns a formula with its value; a plain number if it has no sizes."""
        if not terms:
            return 0
        if len(terms) == 1 and 0 in terms:
            return whole(terms[0])
        return TracedSize(self, terms, value if type(value) is int else whole(value))

    def quotient(self, a: Part, b: Part) -> Any:
        """Returns a / b, not rounded."""
        above, below = self._divided(a, b)
        value = whole(Fraction(value_of(a)) / Fraction(value_of(b)))
        terms = divided(above, below)
        return self._operation(RATIO, (a, b), value) if terms is None else self.made(terms, value)

    def rounded_down(self, a: Part, b: Part) -> Any:
        """Returns a // b: a sum of products if b divides a, for all sizes or by a guard; else with an atom."""
        above, below = self._divided(a, b)
        terms = divided(above, below)
        if terms is not None and self._is_whole(terms):
            return self.made(terms, value_of(a) // value_of(b))
        quotient = divided(above, below) if below.keys() == {0} else None
        even = {product: number for product, number in (quotient or {}).items() if self._is_whole({product: number})}
        rest = added(above, multiplied(even, below), -1)
        negative = 2 * sum(number < 0 for number in rest.values()) > len(rest)
        parts = [self.made(scaled(rest, -1 if negative else 1), self.worth(rest) * (-1 if negative else 1)), b]
        if isinstance(parts[0], TracedSize) or isinstance(b, TracedSize):
            above_value, below_value = value_of(parts[0]), value_of(b)
            value = -(-above_value // below_value) if negative else above_value // below_value
            found = self._operation(CEIL if negative else FLOOR, parts, value)
            found = -found if negative else found
        else:  # (512 s + 3) // 512 is s
            found = (-parts[0] if negative else parts[0]) // b
        return found + self.made(even, self.worth(even)) if even else found

    def rest(self, a: Part, b: Part) -> Any:
        """Returns a % b. Where that turns out to be 0, b divides a from then on."""
        found = a - b * self.rounded_down(a, b)
        if isinstance(found, TracedSize):
            terms = divided(*self._divided(a, b))
            if terms is not None:
                self._rests[found.key] = terms
        return found

    def largest(self, *parts: Part) -> Any:
        """Returns the largest of several. What another one is never below is left out."""
        return self._extreme(MAX, parts)

    def largest_of(self, parts: Sequence[Part]) -> Any:
        """Returns the largest of several, whose formula is found when it is first asked for."""
        return LargestOf(self, parts)

    def smallest(self, *parts: Part) -> Any:
        """Returns the smallest of several."""
        return self._extreme(MIN, parts)

    def text(self, size: Part) -> str:
        """Returns how a size is written: as a formula in the names of its sizes, or as its value."""
        return str(value_of(size)) if self.as_values else text(size)

    def worth(self, terms: Terms) -> Number:
        """Returns the value of a formula."""
        found: Number = 0
        for product, number in terms.items():
            each: Number = number
            for place, power in powers(product):
                value = self.atoms[place].value
                each = each * value**power if power > 0 else Fraction(each) / value**-power
            found += each
        return whole(found)

    def _extreme(self, kind: str, parts: Iterable[Part]) -> Any:
        kept = self._extremes.of(kind, parts)
        return kept[0] if len(kept) == 1 else self._operation(kind, kept, value_of(kept[0]))

    def _divided(self, a: Part, b: Part) -> tuple[Terms, Terms]:
        above, below = self.terms_of(a), self.terms_of(b)
        if above is None or below is None:
            raise TypeError(f"{a!r} and {b!r} are no sizes of one trace")
        if not below or self.decide("==", below, value_of(b)):
            raise ZeroDivisionError("division by zero")
        return above, below

    def _is_whole(self, terms: Terms) -> bool:
        """Returns whether a formula is a whole number for all sizes that the guards leave."""
        left = {
            product: number
            for product, number in terms.items()
            if not (type(number) is int and _no_divisor(product))
            and not any(_is_multiple(product, number, quotient) for quotient in self._whole)
        }
        return not left or self._is_even(left)

    def _is_even(self, halves: Terms) -> bool:
        """Returns whether a sum of halves is whole for all sizes: `s² / 2 + s / 2` is, since s² is odd where s is.

        So a power counts as its base, and each product must be there an even number of times.
        """
        odd: set[frozenset[int]] = set()
        for product, number in halves.items():
            if number.denominator != 2 or not _no_divisor(product):
                return False
            places = frozenset(place for place, _ in powers(product))
            if any(self.atoms[place].kind == RATIO for place in places):
                return False
            odd ^= {places}
        return not odd

    def _operation(self, kind: str, parts: Sequence[Part], value: Number) -> Any:
        key = (kind, *map(_key, parts))
        if kind in (MAX, MIN):
            key = (kind, frozenset(key[1:]))
        terms = [self.terms_of(part) or {} for part in parts]
        positive = all(map(self.guards.never_negative, terms))
        least = int(kind == CEIL and self.guards.never_negative(added(terms[0], {0: 1}, -1))) if positive else None
        count = len(self.atoms)
        found = self._atom(key, Atom(kind, parts=tuple(parts), value=value), least)
        if kind == FLOOR and positive and type(parts[1]) is int and len(self.atoms) > count:
            self.guards.slack = self.guards.slack.rounded_down(count, terms[0], parts[1])
        return found

    def _atom(self, key: Any, atom: Atom, least: int | None) -> TracedSize:
        if key not in self._known:
            self._known[key] = TracedSize(self, {1 << (BITS * len(self.atoms)): 1}, atom.value)
            if atom.kind in self.extremes:
                self.extremes[atom.kind].append(len(self.atoms))
            self.atoms.append(atom)
            self.guards.add(least, int(atom.value) if atom.kind == SIZE else None, atom.kind == RATIO)
        return self._known[key]


def _key(part: Part) -> Any:
    return part.key if isinstance(part, TracedSize) else part


def _is_multiple(product: int, number: Number, quotient: Terms) -> bool:
    """Returns whether a product is a whole number of times a quotient that is one product."""
    if len(quotient) != 1:
        return False
    ((base, factor),) = quotient.items()
    return _no_divisor(product - base) and type(whole(Fraction(number) / factor)) is int


def _no_divisor(product: int) -> bool:
    return all(power > 0 for _, power in powers(product))
