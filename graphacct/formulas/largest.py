"""The largest or the smallest of several sizes: without those that another one always stands for.

A peak is the largest of thousands of sums, one for each kernel. Nearly all of them are never above another one:

    2 b s + 3 s  is never above  2 b s + 4 s, whose every coefficient is as large
    b s          is never above  2 b s - s, since b is 1 or more: with b = 1 + p that is 2 p s + s against p s + s
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from graphacct.formulas.guards import Guards
from graphacct.formulas.packed import Packed
from graphacct.formulas.terms import BITS, Number, Terms, added, powers
from graphacct.formulas.traced_size import MAX, Part, Recorder, TracedSize, value_of

FEW = 20
"""Of more sizes than this those are left out first that have no more of any product: nearly all."""


class LargestOf(TracedSize):
    """The largest of several sizes, whose formula is found when it is first asked for.

    A report has the peak of each node, and mostly only the largest of these is read.

    Attributes:
        of: The sizes.
    """

    __slots__ = ("of",)

    def __init__(self, trace: Recorder, of: Sequence[Part]) -> None:
        self.trace, self.value, self._hash = trace, max(map(value_of, of)), None
        self.of = of

    def __getattr__(self, name: str) -> Any:
        """Finds the formula; every other name is there, or none of a size."""
        if name != "terms":
            raise AttributeError(f"a size has no {name}")
        self.terms: Terms = self.trace.terms_of(self.trace.largest(*self.of)) or {}
        return self.terms


class Traced(Recorder, Protocol):
    """What is asked of a trace here."""

    @property
    def guards(self) -> Guards:
        """Its decisions."""

    @property
    def extremes(self) -> Mapping[str, Sequence[int]]:
        """The places of its atoms that are the largest of several, and of those that are the smallest."""

    def worth(self, terms: Terms) -> Number:
        """Returns the value of a formula."""


class Extremes:
    """Finds which of several sizes of one trace count, where the largest or the smallest is taken."""

    def __init__(self, trace: Traced) -> None:
        self.trace = trace

    def of(self, kind: str, parts: Iterable[Part]) -> list[Part]:
        """Returns those that count, flat: `max(a, max(b, c) + d)` is of a, b + d and c + d."""
        different = {id(other): other for part in parts for other in self._alternatives(kind, part)}
        each = [*different.values()]  # kernels that make and free nothing have the same size one after the other
        each.sort(key=value_of, reverse=kind == MAX)  # the first ones cover most of the others
        return self._uncovered(kind, self._uncovered(kind, each, False) if len(each) > FEW else each, True)

    def _uncovered(self, kind: str, each: Sequence[Part], expanded: bool) -> list[Part]:
        """Returns those that none before them stands for."""
        packed = Packed([self.trace.terms_of(part) or {} for part in each], self.trace.guards.slack, expanded)
        ints, signs = (packed.ints if kind == MAX else [-number for number in packed.ints]), packed.signs
        kept: list[Part] = []
        tried: list[int] = []  # the same ones: what stands for one stands for the next, most of the time
        for new, mine in zip(each, ints, strict=True):
            found = next((place for place, old in enumerate(tried) if (old - mine) & signs == signs), None)
            if found is None:
                kept.append(new)
                tried.insert(0, mine + signs)
            elif found:
                tried.insert(0, tried.pop(found))
        return kept

    def _alternatives(self, kind: str, part: Part) -> Sequence[Part]:
        """Returns what a formula is the largest (or smallest) of."""
        if not isinstance(part, TracedSize):
            return (part,)
        if isinstance(part, LargestOf) and kind == MAX:
            return [other for each in part.of for other in self._alternatives(kind, each)]
        trace = self.trace
        for place in trace.extremes[kind]:
            product = 1 << (BITS * place)
            number = part.terms.get(product, 0)
            if number > 0:
                rest = added(part.terms, {product: number}, -1)
                if not any(place in dict(powers(other)) for other in rest):
                    others = trace.made(rest, trace.worth(rest))
                    return [number * each + others for each in trace.atoms[place].parts]
        return (part,)
