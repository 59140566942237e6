"""Collecting a formula the way a person writes it: what the terms share comes first, then what a block costs times the
number of blocks, then the ends.

    12 · n_layer · d² + 13 · n_layer · d + vocab · d + 2 · d  is  d · (n_layer · (12 · d + 13) + vocab + 2)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from graphacct.formulas.forms import Form, Name, Operation, Product, Sum, product
from graphacct.formulas.terms import Number, powers, whole
from graphacct.formulas.traced_size import MAX, MIN, SIZE, Atom, Part, TracedSize

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

    def __init__(self, atoms: Sequence[Atom], first: Iterable[int] = (), order: Sequence[int] = ()) -> None:
        """`first` are the places of atoms that are collected before others: how often blocks repeat; `order` are the
        places of those that are written before the others in a product."""
        self.atoms, self.first = atoms, tuple(first)
        self._rank = {place: rank for rank, place in enumerate(order)}
        self._forms: dict[int, Form] = {}

    def of(self, figure: Part) -> Form:
        """Returns the form of a figure."""
        if not isinstance(figure, TracedSize):
            return product(figure)
        return self.of_terms(figure.terms)

    def of_terms(self, terms: Mapping[int, Number]) -> Form:
        """Returns the form of a sum of products."""
        if not terms:
            return product(0)
        found = [(dict(powers(each)), number) for each, number in terms.items()]
        factor = _content([number for _, number in found])
        return self._collected([(each, whole(Fraction(number) / factor)) for each, number in found], factor)

    def flat(self, terms: Mapping[int, Number]) -> Form:
        """Returns the form of a sum of products, with nothing collected."""
        return self._sum([(dict(powers(each)), number) for each, number in terms.items()])

    def _collected(self, terms: list[Term], factor: int = 1) -> Form:
        """Returns `factor` times a sum: what all terms share, times the rest."""
        shared = _shared(terms)
        if len(terms) == 1:
            return self._product(terms[0][1] * factor, shared)
        rest = [(_without(each, shared), number) for each, number in terms]
        inner = self._parts(rest)
        return inner if not shared and factor == 1 else self._product(factor, shared, inner)

    def _parts(self, terms: list[Term]) -> Form:
        """Returns a sum whose terms share nothing: one part collected, and then the others."""
        chosen = self._chosen(terms)
        if chosen is None:
            return self._sum(terms)
        mine = [term for term in terms if _has(term[0], chosen)]
        rest = [term for term in terms if not _has(term[0], chosen)]
        one = self._collected(mine)
        return _added(one, self._parts(rest)) if rest else one

    def _chosen(self, terms: list[Term]) -> dict[int, int] | None:
        """Returns the powers to collect next; None for a sum that is best left as it is."""
        candidates: dict[tuple[tuple[int, int], ...], dict[int, int]] = {}
        for index, (one, _) in enumerate(terms):
            for other, _ in terms[index + 1 :]:
                common = {p: min(n, other[p]) for p, n in one.items() if n > 0 and other.get(p, 0) > 0}
                if common:
                    candidates[tuple(sorted(common.items()))] = common
        counted = [(sum(_has(each, common) for each, _ in terms), common) for common in candidates.values()]
        saving = {tuple(sorted(common.items())): (n - 1) * sum(common.values()) for n, common in counted}

        def worth(item: tuple[int, dict[int, int]]) -> Any:
            key = tuple(sorted(item[1].items()))
            return saving[key], item[0], [-place for place, _ in key]

        nearly = [item for item in counted if item[0] >= NEARLY_ALL * len(terms)]
        best = max(nearly, key=worth, default=None)
        if best is not None and len(terms) > 2 and saving[tuple(sorted(best[1].items()))] >= WORTH:
            return best[1]
        for place in self.first:
            if sum(place in each for each, _ in terms) > 1:
                return {place: 1}
        best = max(counted, key=worth, default=None)
        if len(terms) > FLAT and best is not None and saving[tuple(sorted(best[1].items()))] >= WORTH:
            return best[1]
        return None

    def _sum(self, terms: Iterable[Term]) -> Form:
        ordered = sorted(terms, key=self._size, reverse=True)
        parts = [self._product(number, each) for each, number in ordered]
        return _sum_of(parts)

    def _size(self, term: Term) -> Any:
        """Returns what orders the terms of a sum: those of the highest degree first, and then the largest."""
        each, number = term
        value = abs(Fraction(number))
        for place, power in each.items():
            value *= Fraction(self.atoms[place].value or 1) ** power
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
        return Operation(atom.kind, tuple(map(self.of, parts)))

    def _alternative(self, part: Part) -> Form:
        """Returns one of several that a largest one is taken of: without a factor in front, which others may lack."""
        if not isinstance(part, TracedSize):
            return product(part)
        return self._collected([(dict(powers(each)), number) for each, number in part.terms.items()])


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


def _content(numbers: Sequence[Number]) -> int:
    """Returns the largest number that divides all of these, below 0 if all of them are."""
    if not all(isinstance(number, int) for number in numbers):
        return 1
    factor = gcd(*map(int, numbers)) or 1
    return -factor if len(numbers) > 1 and all(number < 0 for number in numbers) else factor


def _added(one: Form, other: Form) -> Form:
    return _sum_of([part for form in (one, other) for part in (form.parts if isinstance(form, Sum) else (form,))])


def _sum_of(parts: Sequence[Form]) -> Form:
    if len(parts) == 1:
        return parts[0]
    return Sum(tuple(part if isinstance(part, Product) else Product(1, ((part, 1),)) for part in parts))
