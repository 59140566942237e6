"""A grid: the product of its axes, cut into slabs of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import attrs
import numpy

from graphacct.errors import ConfigError
from graphacct.sweeping.axis import Axis, WordAxis

MOST_WORDS = 4096
"""The most combinations of words: each is a graph of its own."""


@attrs.frozen(slots=False, eq=False)
class Slab:
    """A box of the grid: the product of some values of each axis, the first outermost and the last fastest.

    Attributes:
        axes: The values of each axis of sizes by its name.
        words: The one value of each axis of words.
    """

    axes: Mapping[str, Sequence[int]]
    words: Mapping[str, Any]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(map(len, self.axes.values()))

    @property
    def points(self) -> int:
        """How many points it has."""
        return prod(self.shape)

    def arrays(self, exact: bool) -> dict[str, numpy.ndarray[Any, Any]]:
        """Returns the values of each axis as an array that broadcasts to the slab's shape: of float64, or if `exact` of
        Python ints. int64 would wrap silently in products."""
        return self._arrays(object if exact else numpy.float64)

    @cached_property
    def sizes(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """The values of each axis as integers of 64 bits, for rows: nothing is computed with them."""
        return self._arrays(numpy.int64)

    def point(self, place: int) -> dict[str, Any]:
        """Returns the sizes and words of one of its points, counted from 0 in the grid's order."""
        where = numpy.unravel_index(place, self.shape) if self.shape else ()
        sizes = {name: values[int(at)] for (name, values), at in zip(self.axes.items(), where, strict=True)}
        return {**self.words, **sizes}

    def _arrays(self, kind: Any) -> dict[str, numpy.ndarray[Any, Any]]:
        found = {}
        for place, (name, values) in enumerate(self.axes.items()):
            shape = [1] * len(self.axes)
            shape[place] = len(values)
            found[name] = numpy.array(values, dtype=kind).reshape(shape)
        return found


@attrs.frozen(slots=False)
class Grid:
    """All points that are swept: those of words outermost, then the sizes in the order given.

    Attributes:
        words: The axes of words.
        sizes: The axes of sizes.
    """

    words: tuple[WordAxis, ...]
    sizes: tuple[Axis, ...]

    def __attrs_post_init__(self) -> None:
        combinations = prod(axis.count for axis in self.words)
        if combinations > MOST_WORDS:
            names = ", ".join(axis.name for axis in self.words)
            raise ConfigError(
                f"{names}: {combinations:,} combinations, each a graph of its own; at most {MOST_WORDS:,} are swept"
            )

    @property
    def axes(self) -> tuple[Axis | WordAxis, ...]:
        """Its axes, the outermost first: those of its columns."""
        return (*self.words, *self.sizes)

    @cached_property
    def points(self) -> int:
        """How many points it has."""
        return prod(axis.count for axis in self.axes)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yields the words of each graph."""
        for values in product(*(axis.values for axis in self.words)):
            yield dict(zip([axis.name for axis in self.words], values, strict=True))

    def slabs(self, words: Mapping[str, Any], most: int) -> Iterator[Slab]:
        """Yields the points of some words in the grid's order, in slabs of at most `most` points.

        The last axes are taken whole as long as they fit, the one before them is cut into even pieces, and those before
        that have one value a slab: 3 x 10 x 4 points at most 20 a time are six slabs of 1 x 5 x 4.
        """
        counts = [axis.count for axis in self.sizes]
        cut, inner = len(counts), 1
        while cut and inner * counts[cut - 1] <= most:
            cut -= 1
            inner *= counts[cut]
        whole = {axis.name: axis.values.between(0, axis.count) for axis in self.sizes[cut:]}
        if not cut:
            yield Slab(whole, words)
            return
        axis = self.sizes[cut - 1]
        pieces = -(-axis.count // max(1, most // inner))
        for outer in self._outer(cut - 1):
            for piece in range(pieces):
                values = axis.values.between(axis.count * piece // pieces, axis.count * (piece + 1) // pieces)
                yield Slab({**outer, axis.name: values, **whole}, words)

    def _outer(self, count: int) -> Iterator[dict[str, Sequence[int]]]:
        if not count:
            yield {}
            return
        axis = self.sizes[count - 1]
        for before in self._outer(count - 1):
            for value in axis.values:
                yield {**before, axis.name: [value]}
