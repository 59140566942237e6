"""A partition of a grid: the points at which every decision of one trace is as it was, with their figures as functions.

The functions are made of formulas (`formulas/source.py`) and take the axes of a slab as arrays that broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from math import prod
from operator import and_
from typing import Any

import attrs
import numpy

from graphacct.formulas.guards import Guard
from graphacct.formulas.source import Source
from graphacct.formulas.terms import Number, powers
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import MAX, MIN, SIZE, Atom, Part, TracedSize

Array = numpy.ndarray[Any, Any]
Function = Callable[..., Sequence[Any]]
WHOLE = 2**53
"""float64 has every whole number up to it."""
MOST_KNOWN = 512
"""The most pieces of axes whose points are remembered."""
EVERYWHERE = numpy.ones((), dtype=bool)
"""The points of a partition without conditions."""
HALF_UNIT = 2.0**-53
"""The relative error of one operation in float64."""


@attrs.frozen(eq=False)
class Condition:
    """The guards that are of the same axes.

    Attributes:
        axes: The places of these axes.
        in_floats: Which of their values meet the guards, as a function of the axes' arrays of floats.
        in_ints: The same of arrays of Python ints.
        largest: The largest number in a guard, by the largest value of each axis.
    """

    axes: tuple[int, ...]
    in_floats: Function
    in_ints: Function
    largest: Callable[[tuple[int, ...]], Number]
    _known: dict[Any, Array] = attrs.field(factory=dict, init=False)

    def met(self, values: Sequence[Sequence[int]], arrays: Sequence[Array]) -> Array:
        """Returns which values of a slab's axes meet the guards, an array that broadcasts to the slab's shape.

        The axes of a slab are pieces of the grid's axes, so that the first value and the count tell them apart.
        """
        key = tuple((values[place][0], len(values[place])) for place in self.axes)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            given = [arrays[place] for place in self.axes]
            most = tuple(max(values[place]) for place in self.axes)
            in_ints = self.largest(most) >= WHOLE or any(array.dtype == object for array in given)
            met = self._met(given, in_ints)
            found = reduce(and_, [numpy.asarray(each, dtype=bool) for each in met])
            alike = found.all() or not found.any()
            self._known[key] = found[(slice(1),) * found.ndim] if alike else found
        return self._known[key]

    def _met(self, axes: Sequence[Array], in_ints: bool) -> Sequence[Any]:
        """Returns what each guard says. Where one would divide by zero, another one says that the point is no part."""
        with numpy.errstate(all="ignore"):
            if not in_ints:
                return self.in_floats(*axes)
            try:
                return self.in_ints(*map(_objects, axes))
            except ZeroDivisionError:
                return self.in_floats(*(array.astype(numpy.float64) for array in axes))


@attrs.frozen(eq=False)
class Partition:
    """The points that one trace speaks for.

    Attributes:
        conditions: What is true at them.
        figures: Their figures, as a function of the axes; None if the model refuses them.
        reason: Why it does.
        error: The largest relative error of a figure without differences.
        whole: Whether all figures are sums of whole numbers.
        sums: Of each figure with differences the sum of its terms without signs, as a function of the axes: as often as
            it is larger than the figure, the error is.
    """

    conditions: tuple[Condition, ...]
    figures: Function | None
    reason: str = ""
    error: float = 0.0
    whole: bool = False
    sums: Function | None = None

    def holds(self, values: Sequence[Sequence[int]], arrays: Sequence[Array]) -> Array:
        """Returns which points of a slab are of the partition: an array of booleans that broadcasts to the slab's
        shape.

        Args:
            values: The values of each axis.
            arrays: The same as arrays that broadcast.
        """
        found = EVERYWHERE
        for condition in self.conditions:
            found = found & condition.met(values, arrays)
            if not found.any():
                break
        return found


def partition_of(
    trace: Trace, names: Sequence[str], figures: Sequence[Part] | None, exact: bool, reason: str = ""
) -> Partition:
    """Returns the points that a trace speaks for.

    Args:
        trace: What was recorded.
        names: The sizes of the grid, in its order: the functions' arguments.
        figures: What was computed; None if the model refuses the points, for a `reason`.
        exact: Whether figures are computed in Python ints, and not in floats.
        reason: Why the model refuses the points.
    """
    conditions = tuple(_conditions(trace, names))
    if figures is None:
        return Partition(conditions, None, reason)
    source = Source(trace, exact, _variables(names))
    computed = _compiled(source, names, [source.of(figure) for figure in figures])
    if exact:
        return Partition(conditions, computed)
    error = max((HALF_UNIT * _depth(figure) for figure in figures), default=0.0)
    differences = [figure for figure in figures if isinstance(figure, TracedSize) and min(figure.terms.values()) < 0]
    sums = None
    if differences:
        source = Source(trace, exact, _variables(names))
        ratios = [f"({source.of(_unsigned(each))}) / ({source.of(each)})" for each in differences]
        sums = _compiled(source, names, ratios)
    return Partition(conditions, computed, "", error, not differences and all(map(_is_sum, figures)), sums)


def _unsigned_number(number: Number) -> Number:
    return number if number >= 0 else -number


def _is_sum(figure: Part) -> bool:
    """Returns whether a figure is a sum of products of sizes, nothing divided."""
    if not isinstance(figure, TracedSize):
        return type(figure) is int
    atoms = figure.trace.atoms
    return all(
        type(number) is int and all(power > 0 and atoms[place].kind == SIZE for place, power in powers(product))
        for product, number in figure.terms.items()
    )


def _unsigned(figure: TracedSize) -> TracedSize:
    terms = {product: _unsigned_number(number) for product, number in figure.terms.items()}
    return TracedSize(figure.trace, terms, figure.value)


def _depth(part: Part) -> int:
    """Returns the operations on the longest way through a formula, each of which may be off by half a unit."""
    if not isinstance(part, TracedSize):
        return 1
    atoms = part.trace.atoms
    inner = [
        sum(abs(power) * _depth_of(atoms[place]) for place, power in powers(product)) + 1 for product in part.terms
    ]
    return max(inner) + len(inner)


def _depth_of(atom: Atom) -> int:
    return 1 if atom.kind == SIZE else 1 + max(map(_depth, atom.parts))


def _conditions(trace: Trace, names: Sequence[str]) -> Iterator[Condition]:
    """Yields the guards by the axes that they are of, those of one axis first."""
    places = {name: place for place, name in enumerate(names)}
    by_axes: dict[tuple[int, ...], list[Guard]] = {}
    for guard in trace.decisions:
        axes = tuple(sorted({places[name] for name in _sizes(trace, guard.terms)}))
        by_axes.setdefault(axes, []).append(guard)
    for axes, guards in sorted(by_axes.items(), key=lambda item: len(item[0])):
        own = [names[place] for place in axes]
        sources = (Source(trace, exact, _variables(own)) for exact in (False, True))
        in_floats, in_ints = (_compiled(source, own, [*map(source.condition, guards)]) for source in sources)
        yield Condition(axes, in_floats, in_ints, partial(_largest, trace, own, guards))


def _sizes(trace: Trace, terms: Mapping[int, Number]) -> Iterator[str]:
    """Yields the sizes in a formula, those inside of operations too."""
    for product in terms:
        for place, _ in powers(product):
            atom = trace.atoms[place]
            if atom.kind == SIZE:
                yield atom.name
            for part in atom.parts:
                if isinstance(part, TracedSize):
                    yield from _sizes(trace, part.terms)


def _compiled(source: Source, names: Sequence[str], expressions: Sequence[str]) -> Function:
    lines = [*source.lines, f"return ({''.join(f'{each}, ' for each in expressions)})"]
    text = f"def function({', '.join(_variables(names).values())}):\n    " + "\n    ".join(lines)
    made: dict[str, Any] = {"maximum": numpy.maximum, "minimum": numpy.minimum}
    exec(compile(text, "<formulas>", "exec"), made)  # written by Source, of numbers and the names here
    function: Function = made["function"]
    return function


def _variables(names: Sequence[str]) -> dict[str, str]:
    return {name: f"size_{place}" for place, name in enumerate(names)}


def _largest(trace: Trace, names: Sequence[str], guards: Sequence[Guard], most: Sequence[int]) -> Number:
    """Returns a bound of all sums in guards, term by term, with each size at its largest value."""

    def of_sum(terms: Mapping[int, Number]) -> Number:
        return sum(
            _unsigned_number(number) * prod(of_atom(place) ** max(power, 1) for place, power in powers(product))
            for product, number in terms.items()
        )

    def of_atom(place: int) -> Number:
        atom = trace.atoms[place]
        if atom.kind == SIZE:
            return most[names.index(atom.name)]
        parts = [of_sum(part.terms) if isinstance(part, TracedSize) else _unsigned_number(part) for part in atom.parts]
        return max(1, max(parts) if atom.kind in (MAX, MIN) else parts[0] + 1)

    return max((of_sum(guard.terms) for guard in guards), default=0)


def _objects(array: Array) -> Array:
    return array if array.dtype == object else array.astype(numpy.int64).astype(object)
