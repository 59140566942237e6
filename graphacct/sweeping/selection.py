"""What becomes of a slab's figures: which points are rows, which columns they have, and which come closest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import inf
from typing import Any

import attrs
import numpy

from graphacct.errors import ConfigError, brief
from graphacct.expressions.expression import Expression, Part
from graphacct.solving.asked import Figure
from graphacct.sweeping.columns import Columns, Refusal
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.pareto import front

Array = numpy.ndarray[Any, Any]


@attrs.frozen(eq=False)
class Closest:
    """The point that comes closest to meeting the conditions, of those that do not.

    Attributes:
        distance: By how much it misses them: the sum over comparisons, each as a fraction of the larger side.
        point: Its sizes and words.
        missed: The comparisons that do not hold there, with their values.
    """

    distance: float
    point: Mapping[str, Any]
    missed: tuple[str, ...]


@attrs.frozen(eq=False)
class Rows:
    """The rows of a slab.

    Attributes:
        columns: The values of each column, all of one length: sizes of int64, figures of float64 or Python ints, words
            as Python has them.
        goals: What a Pareto front is of, likewise; none without one.
        points: How many points the slab has.
        refusals: Those of them that the model refuses.
        closest: The point that comes closest to being a row, if there is none and it was asked for.
        seconds: How long the slab took.
        error: The largest relative error of the figures.
    """

    columns: Mapping[str, Array]
    goals: tuple[Array, ...]
    points: int
    refusals: tuple[Refusal, ...]
    closest: Closest | None = None
    seconds: float = 0.0
    error: float = 0.0

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values())))

    def chosen(self, which: Any) -> Rows:
        """Returns some of the rows, by an array of places or of booleans."""
        columns = {name: values[which] for name, values in self.columns.items()}
        return attrs.evolve(self, columns=columns, goals=tuple(values[which] for values in self.goals))


@attrs.frozen(eq=False)
class Selection:
    """What is asked of every point, as parsed.

    Attributes:
        where: Conditions, which all are to hold.
        keep: The columns besides sizes and words, by name.
        pareto: What is minimised; none without a front.
        figures: What each name and call of the expressions stands for, by its text.
        axes: The axis that a figure is, by the figure's name.
        exact: Whether figures are Python ints.
    """

    where: tuple[Expression, ...]
    keep: Mapping[str, Expression]
    pareto: tuple[Expression, ...]
    figures: Mapping[str, Figure]
    axes: Mapping[str, str]
    exact: bool

    def rows(self, slab: Slab, columns: Columns, closest: bool = False) -> Rows:
        """Returns the rows of a slab; `closest` asks for the closest point if there is none."""
        known = _Known(self, slab, columns)
        shape = slab.shape
        met = None if columns.refused is None else numpy.broadcast_to(~columns.refused, shape)
        with numpy.errstate(divide="raise", invalid="raise", over="ignore", under="ignore"):
            for condition in self.where:
                holds = numpy.broadcast_to(numpy.asarray(known.value(condition), dtype=bool), shape)
                met = holds if met is None else met & holds
            flat = None if met is None else numpy.flatnonzero(met)
            count = slab.points if flat is None else len(flat)

            def column(value: Any) -> Array:
                full = numpy.broadcast_to(value, shape).reshape(-1)
                return full if flat is None else full[flat]

            found: dict[str, Array] = {name: _words(word, count) for name, word in slab.words.items()}
            found |= {name: column(values) for name, values in slab.sizes.items()}
            if count:
                found |= {name: column(known.number(expression)) for name, expression in self.keep.items()}
                goals = tuple(column(known.number(expression)) for expression in self.pareto)
            else:
                found |= {name: numpy.empty(0, dtype=known.kind) for name in self.keep}
                goals = tuple(numpy.empty(0, dtype=known.kind) for _ in self.pareto)
            near = known.closest() if closest and not count and self.where else None
        rows = Rows(found, goals, slab.points, columns.refusals, near)
        return rows.chosen(front(goals)) if goals and count else rows


class _Known:
    """The values of names and calls on one slab."""

    def __init__(self, selection: Selection, slab: Slab, columns: Columns) -> None:
        self.selection, self.slab, self.columns = selection, slab, columns
        self.kind: Any = object if selection.exact else numpy.float64
        self.axes = slab.arrays(selection.exact)

    def value(self, expression: Expression) -> Any:
        """Returns an expression's value: an array, a number, or whether a condition holds."""
        try:
            return expression.value(self._name, self._call, None if self.selection.exact else _float)
        except (ZeroDivisionError, FloatingPointError) as error:
            raise ConfigError(f"{brief(expression.text)}: {error}, at a point of the grid") from error

    def number(self, expression: Expression) -> Any:
        """Returns an expression's value as an array of float64, or of Python ints, and floats for what is no whole
        number."""
        value = self.value(expression)
        if not self.selection.exact:
            return numpy.asarray(value, dtype=numpy.float64)
        if expression.root.kind in ("name", "call"):
            return _objects(value)
        return numpy.frompyfunc(_plain, 1, 1)(_objects(value))

    def closest(self) -> Closest | None:
        """Returns the point that misses the conditions by least; None if they are not all comparisons, or if the model
        refuses every point."""
        parts = [part for condition in self.selection.where for part in condition.comparisons]
        if not parts or not all(condition.comparisons for condition in self.selection.where):
            return None
        sides = [[self._side(inner) for inner in part.parts] for part in parts]
        distance = numpy.zeros(self.slab.shape)
        for part, (left, right) in zip(parts, sides, strict=True):
            distance = distance + _missed(part.kind, left, right)
        if self.columns.refused is not None:
            distance = numpy.where(self.columns.refused, inf, distance)
        place = int(numpy.argmin(distance))
        least = float(distance.reshape(-1)[place])
        if not least < inf:
            return None
        missed = []
        for part, (left, right) in zip(parts, sides, strict=True):
            if float(numpy.broadcast_to(_missed(part.kind, left, right), self.slab.shape).reshape(-1)[place]):
                values = [numpy.broadcast_to(side, self.slab.shape).reshape(-1)[place] for side in (left, right)]
                typed = [_said(text, float(value)) for text, value in zip(part.typed, values, strict=True)]
                missed.append(f"{typed[0]} {part.kind} {typed[1]}")
        return Closest(least, self.slab.point(place), tuple(missed))

    def _side(self, part: Part) -> Array:
        return numpy.asarray(self.value(Expression("", part)), dtype=numpy.float64)

    def _name(self, name: str) -> Any:
        figure = self.selection.figures[name]
        axis = self.selection.axes.get(figure.name)
        return self._figure(figure) if axis is None else self.axes[axis]

    def _call(self, name: str, argument: str) -> Any:
        return self._figure(Figure(name, argument))

    def _figure(self, figure: Figure) -> Any:
        """Returns a figure's values. Those of refused points are 1, so that they may be divided by."""
        value = self.columns.values[figure.text]
        return value if self.columns.refused is None else numpy.where(self.columns.refused, 1, value)


def _missed(kind: str, left: Array, right: Array) -> Array:
    """Returns by how much a comparison is missed, as a fraction of the larger side; 0 where it holds."""
    apart = {"<=": left - right, "<": left - right, ">=": right - left, ">": right - left}.get(kind, abs(left - right))
    scale = numpy.maximum(numpy.maximum(abs(left), abs(right)), 1.0)
    wrong = {"<=": left > right, "<": left >= right, ">=": left < right, ">": left <= right, "==": left != right}
    return numpy.where(wrong.get(kind, left == right), numpy.maximum(apart / scale, 1e-300), 0.0)


def _float(number: int | Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf


def _plain(value: Any) -> Any:
    """Returns a quotient as an int if it is whole, or else as a float; any other value as it is."""
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else float(value)
    return value


def _objects(value: Any) -> Array:
    return value if isinstance(value, numpy.ndarray) else numpy.array(value, dtype=object)


def _words(word: Any, count: int) -> Array:
    found = numpy.empty(count, dtype=object)
    found[:] = [word] * count
    return found


def _said(typed: str, value: float) -> str:
    """Returns a side of a comparison with its value, unless that is what was typed."""
    text = f"{int(value):,}" if value.is_integer() else f"{value:,}"
    return typed if typed.replace("_", "").replace(",", "") == text.replace(",", "") else f"{typed} ({text})"


def joined(blocks: Sequence[Rows]) -> Rows:
    """Returns the rows of several slabs, one after the other."""
    first = blocks[0]
    return Rows(
        {name: numpy.concatenate([block.columns[name] for block in blocks]) for name in first.columns},
        tuple(numpy.concatenate([block.goals[place] for block in blocks]) for place in range(len(first.goals))),
        sum(block.points for block in blocks),
        (),
    )
