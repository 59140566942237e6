"""Sums over the decoding steps of a generation, each on a longer cache, without looking at every step.

The figures of a step are polynomials in the length of its cache, as long as its graph is made of the same nodes: a
step on a cache of c tokens reads so many bytes for each of them. Where a window fills up, the graph changes, and other
polynomials hold from there on. So the range of lengths is cut into pieces. In each piece all the sampled lengths (both
ends, their neighbours and the middle) must have the same nodes and lie on the same polynomials. If they do not, the
piece is cut where an attribute of a node (a window) is reached, or else in halves. Three samples make a polynomial of
degree 2, and Newton's forward differences add it up in integers.

    lengths 10 to 19, bytes 4 c:    samples 40, 44, 48 ... 72, 76: differences 4, 0; 10 · 40 + 45 · 4 = 580
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from math import comb
from typing import Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph

MOST = 600
"""The most lengths that are measured: a model whose figures follow no polynomial would need every one."""


@attrs.frozen(eq=False)
class Sample:
    """One step.

    Attributes:
        structure: What its graph is made of: equal for steps whose figures can lie on one polynomial.
        figures: Its figures, in an order that the structure gives.
        source: What it was measured on.
    """

    structure: Any
    figures: tuple[int, ...]
    source: Any = None


@attrs.frozen(eq=False)
class Steps:
    """The decoding steps on caches of `first` to `last` tokens.

    Attributes:
        measure: Returns the sample of a length.
        first: The fewest tokens in the cache.
        last: The most.
        samples: Those that were measured, by length.
    """

    measure: Callable[[int], Sample]
    first: int
    last: int
    samples: dict[int, Sample] = attrs.field(factory=dict, init=False)

    def sample(self, length: int) -> Sample:
        """Returns the sample of a length, measured once. Raises ConfigError if there are too many."""
        found = self.samples.get(length)
        if found is None:
            if len(self.samples) >= MOST:
                raise ConfigError(
                    f"the decoding steps on {self.first:,} to {self.last:,} cached tokens follow no few polynomials: "
                    'account for single steps with phase="decode"'
                )
            found = self.samples[length] = self.measure(length)
        return found

    def pieces(self, marks: Collection[int] = ()) -> Iterator[tuple[int, int]]:
        """Yields the first and the last length of each piece, in order; `marks` are lengths where the steps may
        change."""
        if self.first > self.last:
            return
        if self._even(self.first, self.last):
            yield self.first, self.last
            return
        starts = sorted({mark + step for mark in marks for step in (-2, -1, 0, 1, 2)})
        inside = [start for start in starts if self.first < start <= self.last]
        for start, stop in zip([self.first, *inside], [*(start - 1 for start in inside), self.last], strict=True):
            yield from self._halves(start, stop)

    def _halves(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        if self._even(first, last):
            yield first, last
            return
        middle = (first + last) // 2
        yield from self._halves(first, middle)
        yield from self._halves(middle + 1, last)

    def _even(self, first: int, last: int) -> bool:
        """Returns whether a piece's samples have one structure and lie on polynomials of degree 2."""
        lengths = sorted({*range(first, min(first + 3, last + 1)), (first + last) // 2, max(last - 1, first), last})
        samples = [self.sample(length) for length in lengths]
        if any(sample.structure != samples[0].structure for sample in samples):
            return False
        return all(
            sample.figures == tuple(_at(terms, length - first) for terms in self._terms(first, last))
            for sample, length in zip(samples, lengths, strict=True)
        )

    def _terms(self, first: int, last: int) -> Iterable[tuple[int, ...]]:
        """Returns the forward differences of each figure at the first length of a piece."""
        known = [self.sample(length).figures for length in range(first, min(first + 3, last + 1))]
        return [_differences(values) for values in zip(*known, strict=True)]

    def sums(self, first: int, last: int) -> list[int]:
        """Returns each figure's sum over a piece."""
        count = last - first + 1
        terms = self._terms(first, last)
        return [sum(term * comb(count, order) for order, term in enumerate(of, 1)) for of in terms]


def _differences(values: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the first of the values, of their differences, and of the differences of those."""
    found = []
    row = list(values)
    while row:
        found.append(row[0])
        row = [after - before for before, after in pairwise(row)]
    return tuple(found)


def _at(terms: tuple[int, ...], steps: int) -> int:
    return sum(term * comb(steps, order) for order, term in enumerate(terms))


def marks(graphs: Iterable[Graph]) -> set[int]:
    """Returns the numbers that all of these graphs have as attributes of nodes: a window is among them."""
    each = [
        {value for node in graph.walk() for value in node.attributes.values() if type(value) is int} for graph in graphs
    ]
    return set.intersection(*each) if each else set()
