"""Guards: what was decided on sizes while something was computed of them, as comparisons of formulas with 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs

from graphacct.formulas.signs import Signs
from graphacct.formulas.slack import Slack
from graphacct.formulas.terms import BITS, Number, Terms, powers, scaled


@attrs.frozen
class Guard:
    """A comparison of a formula with 0.

    Attributes:
        kind: `==` or `<`.
        terms: The formula.
        holds: Whether it is so.
    """

    kind: str
    terms: Mapping[int, Number]
    holds: bool


class Guards:
    """The decisions of one computation.

    Attributes:
        signs: What is known of signs after what was decided: of each atom by itself.
        slack: What is known of sums.
        sizes: The value of each atom that is a size, by its place.
    """

    def __init__(self) -> None:
        self.signs = Signs()
        self.slack = Slack()
        self.sizes: dict[int, int] = {}
        self._asked: set[tuple[str, frozenset[tuple[int, Number]]]] = set()
        self._found: dict[tuple[str, frozenset[tuple[int, Number]]], Guard] = {}

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Keeps nothing of what is decided inside."""
        signs, slack, found = self.signs, self.slack, dict(self._found)
        try:
            yield
        finally:
            signs.least.extend(self.signs.least[len(signs.least) :])  # of the atoms that came up
            while len(slack.forms) < len(signs.least):
                slack.add(None)
            self.signs, self.slack, self._found = signs, slack, found

    def add(self, least: int | None, size: int | None = None, ratio: bool = False) -> None:
        """Adds an atom; `size` is its value if it is a size, and `ratio` if it may be no whole number."""
        if size is not None:
            self.sizes[len(self.signs.least)] = size
        self.signs.add(least)
        self.slack.add(least, size is not None, ratio)

    def never_negative(self, terms: Terms) -> bool:
        """Returns whether a formula is known to be 0 or more wherever the guards hold."""
        return self.signs.never_negative(terms) or (self.slack.says_more and self.slack.never_negative(terms))

    @property
    def found(self) -> tuple[Guard, ...]:
        """The guards, the lower bounds of sizes first."""
        bounds = [
            Guard("<", {0: least - 1, 1 << (BITS * place): -1}, True)
            for place in self.sizes
            if (least := self.signs.least[place]) is not None and least > 1
        ]
        return (*bounds, *self._found.values())

    def decide(self, kind: str, terms: Terms, value: Number) -> bool:
        """Returns whether a formula is 0 (`==`) or below 0 (`<`) at its value, and keeps it, unless it is so for all
        sizes.

        A guard on one size is kept in place of one on several where it is enough: `h s > s` for `h > 1`.
        """
        truth = value == 0 if kind == "==" else value < 0
        asked = (kind, frozenset(terms.items()))
        if asked in self._asked:
            return truth
        self._asked.add(asked)
        terms = self.signs.reduced(terms) if terms else terms
        if self.signs.always(kind, terms) is not None:
            return truth
        key = (kind, frozenset(terms.items()))
        if key in self._found or (self.slack.says_more and self.slack.always(kind, terms) is not None):
            return truth
        before = self.signs
        if not self._raised(kind, terms) and not self._bound(kind, terms, truth):
            self._found[key] = guard = self._bounded(Guard(kind, terms, truth))
            self.slack = self.slack.decided(guard.kind, guard.terms, guard.holds)
        for place in self.sizes if self.signs is not before else ():
            least = self.signs.least[place]
            if least is not None and least != before.least[place]:
                self.slack = self.slack.learned({1 << (BITS * place): 1, 0: -least})
        return truth

    def _bounded(self, guard: Guard) -> Guard:
        """Returns a guard that a formula is not 0 as the one that it is above 0, if it is never below."""
        for sign in (1, -1) if guard.kind == "==" and not guard.holds else ():
            if self.slack.never_negative(scaled(guard.terms, sign)):
                return Guard("<", scaled(guard.terms, -sign), True)
        return guard

    def _raised(self, kind: str, terms: Terms) -> bool:
        """Decides a comparison by raising the least values of its sizes by one, those that are above it."""
        there = {place for product in terms for place, _ in powers(product)}
        free = [
            place for place in sorted(there & self.sizes.keys()) if self.sizes[place] > (self.signs.least[place] or 0)
        ]
        for places in [[place] for place in free] + ([free] if len(free) > 1 else []):
            raised = list(self.signs.least)
            for place in places:
                raised[place] = (raised[place] or 0) + 1
            signs = Signs(raised)
            if signs.always(kind, terms) is not None:
                self.signs = signs
                return True
        return False

    def _bound(self, kind: str, terms: Terms, truth: bool) -> bool:
        """Keeps a lower bound of one size as its least value."""
        if kind != "<" or len(terms) != 2 or 0 not in terms:
            return False
        (place, power), *more = powers(max(terms))
        factor, constant = terms[max(terms)], terms[0]
        if more or power != 1 or place not in self.sizes or factor not in (1, -1) or type(constant) is not int:
            return False
        if truth == (factor > 0):  # an upper bound
            return False
        least = constant + 1 if truth else -constant
        if least > (self.signs.least[place] or 0):
            self.signs = Signs((*self.signs.least[:place], least, *self.signs.least[place + 1 :]))
        return True
