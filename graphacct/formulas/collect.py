"""Collecting a formula the way a person writes it: what the terms share comes first, then what a block costs times the
number of blocks, then the ends.

    12 · n_layer · d² + 13 · n_layer · d + vocab · d + 2 · d  is  d · (n_layer · (12 · d + 13) + vocab + 2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from graphacct.formulas.forms import Form, Name, Operation, Product, Sum, product
from graphacct.formulas.terms import Number, Terms, powers, product_of, quotient, whole
from graphacct.formulas.traced_size import MAX, MIN, RATIO, SIZE, Atom, Part, TracedSize

FLAT = 5
"""A sum of so many terms is read at a glance, and stays as it is."""
WORTH = 3
"""How many factors collecting must save."""
NEARLY_ALL = 0.75
"""What so many of the terms share is written once, before anything else."""

Term = tuple[dict[int, int], Number]
"""The powers of a product, by the atom's place, and its coefficient."""


class Collector:
    """Makes forms of the formulas of one trace."""

    def __init__(
        self, atoms: Sequence[Atom], first: Iterable[int] = (), prepared: Callable[[Terms], Terms] | None = None
    ) -> None:
        """`first` are the places of atoms that are collected before others and written first: how often blocks repeat.
        `prepared` rewrites each sum of products before it is collected."""
        self.atoms, self.first = atoms, tuple(first)
        self._rank = {place: rank for rank, place in enumerate(self.first)}
        self._prepared = prepared
        self._forms: dict[int, Form] = {}
        self._last: tuple[int, list[Term], list[tuple[int, int, dict[int, int]]]] = (0, [], [])

    def of(self, figure: Part) -> Form:
        """Returns the form of a figure."""
        if not isinstance(figure, TracedSize):
            return product(figure)
        return self.of_terms(figure.terms)

    def of_terms(self, terms: Mapping[int, Number]) -> Form:
        """Returns the form of a sum of products."""
        found = self._terms(terms)
        if not found:
            return product(0)
        factor = _content([number for _, number in found])
        if factor != 1:
            found = [(each, quotient(number, factor)) for each, number in found]
        return self._collected(found, factor)

    def flat(self, terms: Mapping[int, Number]) -> Form:
        """Returns the form of a sum of products, with nothing collected."""
        return self._sum([(dict(powers(each)), number) for each, number in terms.items()])

    def _collected(self, terms: list[Term], factor: Number = 1) -> Form:
        """Returns `factor` times a sum: what all terms share, times the rest; or what nearly all share, plus the rest,
        if that is more."""
        shared = _shared(terms)
        divisors = {number.denominator for _, number in terms}
        if len(terms) > 1 and len(divisors) == 1 and divisors != {1}:
            (divisor,) = divisors
            return self._collected([(each, number.numerator) for each, number in terms], factor * Fraction(1, divisor))
        if len(terms) == 1:
            each, number = self._numbers_in(terms[0])
            return self._product(number * factor, each)
        nearly = self._nearly_all(terms)
        saved = (len(terms) - 1) * sum(max(power, 0) for power in shared.values())
        if nearly is not None and factor > 0 and nearly[0] > saved:
            return self._split([(each, number * factor) for each, number in terms], nearly[1])
        inner = self._parts([(_without(each, shared), number) for each, number in terms])
        if factor != 1:
            shared, number = self._numbers_in((shared, factor))
            return self._product(number, shared, inner)
        return self._product(1, shared, inner) if shared else inner

    def _parts(self, terms: list[Term]) -> Form:
        """Returns a sum whose terms share nothing: one part collected, and then the others."""
        chosen = self._chosen(terms)
        return self._sum(terms) if chosen is None else self._split(terms, chosen)

    def _split(self, terms: list[Term], common: Mapping[int, int]) -> Form:
        """Returns the terms that have these powers, collected, and the others."""
        mine = [term for term in terms if _has(term[0], common)]
        rest = [term for term in terms if not _has(term[0], common)]
        one = self._collected(mine)
        return _added(one, self._parts(rest)) if rest else one

    def _chosen(self, terms: list[Term]) -> dict[int, int] | None:
        """Returns the powers to collect next; None for a sum that is best left as it is."""
        nearly = self._nearly_all(terms)
        if nearly is not None and len(terms) > 2 and nearly[0] >= WORTH:
            return nearly[1]
        for place in self.first:
            if sum(place in each for each, _ in terms) > 1:
                return {place: 1}
        if len(terms) <= FLAT:
            return None
        best = max(self._common(terms), key=_worth, default=None)
        return best[2] if best is not None and best[0] >= WORTH else None

    def _nearly_all(self, terms: list[Term]) -> tuple[int, dict[int, int]] | None:
        """Returns the powers in nearly all terms that save most, with how many factors they save."""
        found = [item for item in self._common(terms) if item[1] >= NEARLY_ALL * len(terms)]
        best = max(found, key=_worth, default=None)
        return None if best is None else (best[0], best[2])

    def _common(self, terms: list[Term]) -> list[tuple[int, int, dict[int, int]]]:
        """Returns the powers that any two terms share: how many factors they save, in how many terms they are."""
        key = id(terms)
        if self._last[0] != key:
            shared: dict[tuple[tuple[int, int], ...], dict[int, int]] = {}
            for index, (one, _) in enumerate(terms):
                for other, _ in terms[index + 1 :]:
                    common = {p: min(n, other[p]) for p, n in one.items() if n > 0 and other.get(p, 0) > 0}
                    if common:
                        shared[tuple(sorted(common.items()))] = common
            found = []
            for common in shared.values():
                count = sum(_has(each, common) for each, _ in terms)
                found.append(((count - 1) * sum(common.values()), count, common))
            self._last = key, terms, found
        return self._last[2]

    def _sum(self, terms: Iterable[Term]) -> Form:
        summed: dict[frozenset[tuple[int, int]], Term] = {}
        for each, number in map(self._numbers_in, terms):
            key = frozenset(each.items())
            before = summed[key][1] if key in summed else 0
            summed[key] = each, before + number
        ordered = sorted(summed.values(), key=self._size, reverse=True)
        return _sum_of([self._product(number, each) for each, number in ordered])

    def _numbers_in(self, term: Term) -> Term:
        """Returns a term with the numbers among its atoms in its coefficient: how often blocks repeat."""
        each, number = term
        left = {}
        for place, power in each.items():
            if place in self.first and self.atoms[place].name[:1].isdigit():
                number *= self.atoms[place].value ** power
            else:
                left[place] = power
        return left, number

    def _size(self, term: Term) -> Any:
        """Returns what orders the terms of a sum: those of the highest degree first, and then the largest."""
        each, number = term
        value: Any = abs(number)
        for place, power in each.items():
            base = self.atoms[place].value or 1
            value = value * (base**power if power > 0 else Fraction(base) ** power)
        return number > 0, sum(each.values()), value

    def _product(self, number: Number, each: Mapping[int, int], inner: Form | None = None) -> Form:
        places = sorted(each, key=lambda place: (self._rank.get(place, len(self._rank)), place))
        above = [(self._form(place), each[place]) for place in places if each[place] > 0]
        below = [(self._form(place), -each[place]) for place in places if each[place] < 0]
        return product(number, (*above, *([(inner, 1)] if inner is not None else [])), tuple(below))

    def _form(self, place: int) -> Form:
        if place not in self._forms:
            atom = self.atoms[place]
            self._forms[place] = Name(atom.name) if atom.kind == SIZE else self._operation(atom)
        return self._forms[place]

    def _operation(self, atom: Atom) -> Form:
        parts: Sequence[Part] = atom.parts
        if atom.kind in (MAX, MIN):
            parts = sorted(parts, key=lambda part: part.value if isinstance(part, TracedSize) else part, reverse=True)
            return Operation(atom.kind, tuple(map(self._alternative, parts)))
        if atom.kind == RATIO:
            return Operation(RATIO, tuple(map(self.of_terms, _reduced(*map(_terms_of, parts)))))
        return Operation(atom.kind, tuple(map(self.of, parts)))

    def _alternative(self, part: Part) -> Form:
        """Returns one of several that a largest one is taken of: without a factor in front, which others may lack."""
        if not isinstance(part, TracedSize):
            return product(part)
        return self._collected(self._terms(part.terms))

    def _terms(self, terms: Mapping[int, Number]) -> list[Term]:
        prepared = terms if self._prepared is None else self._prepared(dict(terms))
        return [(dict(powers(each)), number) for each, number in prepared.items()]


def _terms_of(part: Part) -> Terms:
    return part.terms if isinstance(part, TracedSize) else {0: part}


def _reduced(above: Terms, below: Terms) -> tuple[Terms, Terms]:
    """Returns both sides of a quotient without the powers and the factor that all their terms share."""
    shared = _shared([(dict(powers(each)), 1) for each in (*above, *below)])
    product = product_of((place, power) for place, power in shared.items())
    factor = abs(Fraction(_content([*above.values(), *below.values()])))
    reduced = [
        {each - product: whole(Fraction(number) / factor) for each, number in side.items()} for side in (above, below)
    ]
    return reduced[0], reduced[1]


def _worth(item: tuple[int, int, dict[int, int]]) -> Any:
    """Returns what orders powers to collect: those that save most, in most terms, of the sizes that come first."""
    saved, count, common = item
    return saved, count, [-place for place in sorted(common)]


def _shared(terms: Sequence[Term]) -> dict[int, int]:
    """Returns the powers that all products share."""
    shared = dict(terms[0][0])
    for each, _ in terms[1:]:
        for place, power in list(shared.items()):
            other = each.get(place, 0)
            if power > 0 and other > 0:
                shared[place] = min(power, other)
            elif power < 0 and other < 0:
                shared[place] = max(power, other)
            else:
                del shared[place]
    return shared


def _without(each: Mapping[int, int], shared: Mapping[int, int]) -> dict[int, int]:
    left = {place: power - shared.get(place, 0) for place, power in each.items()}
    return {place: power for place, power in left.items() if power}


def _has(each: Mapping[int, int], common: Mapping[int, int]) -> bool:
    return all(each.get(place, 0) >= power for place, power in common.items())


def _content(numbers: Sequence[Number]) -> Number:
    """Returns the largest number that divides all of these, below 0 if all of them are; 1 if only some are whole."""
    divisors = {number.denominator for number in numbers}
    if len(divisors) > 1:
        return 1
    factor = whole(Fraction(gcd(*(number.numerator for number in numbers)) or 1, *divisors))
    return -factor if len(numbers) > 1 and all(number < 0 for number in numbers) else factor


def _added(one: Form, other: Form) -> Form:
    return _sum_of([part for form in (one, other) for part in (form.parts if isinstance(form, Sum) else (form,))])


def _sum_of(parts: Sequence[Form]) -> Form:
    if len(parts) == 1:
        return parts[0]
    return Sum(tuple(part if isinstance(part, Product) else Product(1, ((part, 1),)) for part in parts))
