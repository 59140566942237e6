"""What conditions ask of a model: the figures behind their names and calls, in one report after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import attrs

from graphacct.costs.quantities import Quantity, forward_alone, not_there
from graphacct.dims import is_traced
from graphacct.errors import ConfigError, UnknownNameError
from graphacct.expressions.expression import COMPARISONS, Expression
from graphacct.footprint.memory import total_of
from graphacct.hooks.manager import Plugins
from graphacct.models.near_keys import other_spelling
from graphacct.models.size import unknown_name
from graphacct.phases import FORWARD, GENERATE
from graphacct.reports.parts import Parts
from graphacct.reports.report import Report

MEMORY = "memory_bytes"
"""The total of `graphacct memory`, which is no sum over nodes and so no quantity of a report."""


@attrs.frozen
class Side:
    """A comparison at one size.

    Attributes:
        left: Its left side, as typed.
        sign: What compares them.
        right: Its right side.
        left_value: What the left side is.
        right_value: What the right side is.
        holds: Whether the comparison is true.
    """

    left: str
    sign: str
    right: str
    left_value: Any
    right_value: Any
    holds: bool


@attrs.frozen
class Figure:
    """What a name or a call of an expression stands for.

    Attributes:
        name: A quantity, or a size of the workload or the configuration.
        argument: Of a call: the role, or the glob of scopes; empty for the whole model.
    """

    name: str
    argument: str = ""

    @property
    def text(self) -> str:
        """The figure as messages and columns call it."""
        return f"{self.name}({self.argument})" if self.argument else self.name


class Asked:
    """The figures that some expressions ask for.

    Attributes:
        conditions: The expressions.
        quantities: The quantities in them, without which nothing else need be counted.
        forward_alone: Those of them that are of a training step's forward pass alone, each with that of the step.
        figures: What each name and call in them stands for, by its text.
    """

    def __init__(self, conditions: Sequence[Expression], sizes: Sequence[str], phase: str, plugins: Plugins) -> None:
        """`sizes` are those of the workload and the configuration that may be named.

        Raises UnknownNameError or ConfigError for a name that is neither a quantity of the phase nor a size.
        """
        self.conditions, self.plugins, self.sizes = conditions, plugins, sizes
        self.phase = phase or FORWARD
        found: dict[str, None] = {}
        self.figures: dict[str, Figure] = {}
        for condition in conditions:
            for name in condition.names:
                if name == MEMORY:
                    self._check_memory()
                    self.figures[name] = Figure(name)
                    continue
                if name in plugins.quantities:
                    found[self._quantity(name).name] = None
                    self.figures[name] = Figure(name)
                    continue
                size = name if name in sizes else other_spelling(name, sizes)
                if not size:
                    raise self._unknown(name)
                self.figures[name] = Figure(size)
            for name, argument in condition.calls:
                quantity = self._quantity(name)
                if self.phase == GENERATE:
                    raise ConfigError(f"{name}({argument}) of a generation: it is many steps; ask for one of them")
                if quantity.of_row is not None:
                    raise ConfigError(f"{name}({argument}): {name} is a ratio, which parts of a model have no sum of")
                found[name] = None
                self.figures[Figure(name, argument).text] = Figure(name, argument)
        self.quantities = tuple(found)
        self.forward_alone = forward_alone([plugins.quantities[name] for name in found], self.phase)

    def sides(self, report: Report, sizes: Mapping[str, int]) -> tuple[Side, ...]:
        """Returns every comparison of the conditions for one report; a condition with `or` is one, with `true`."""
        figures = Figures(report, sizes, self.plugins)
        found = []
        for condition in self.conditions:
            for part in condition.comparisons:
                left, right = (Expression("", side).value(figures.name, figures.call) for side in part.parts)
                found.append(
                    Side(part.typed[0], part.kind, part.typed[1], left, right, COMPARISONS[part.kind](left, right))
                )
            if not condition.comparisons:
                holds = bool(condition.value(figures.name, figures.call))
                found.append(Side(condition.text, "is", "true", holds, True, holds))
        return tuple(found)

    def _quantity(self, name: str) -> Quantity:
        quantity = self.plugins.quantities.get(name)
        if quantity is None:
            raise self._unknown(name)
        if not quantity.in_phase(self.phase):
            raise not_there(name, (), self.plugins.quantities)
        return quantity

    def _check_memory(self) -> None:
        if self.phase == GENERATE:
            raise ConfigError(f"{MEMORY} of a generation: `memory` has it; ask here for one of its steps")

    def _unknown(self, name: str) -> UnknownNameError:
        there = [item.name for item in self.plugins.quantities.values() if item.in_phase(self.phase)]
        return unknown_name("name", name, {"quantities": [*there, MEMORY], "sizes": self.sizes})


class Figures:
    """What names and calls are worth in one report."""

    def __init__(self, report: Report, sizes: Mapping[str, int], plugins: Plugins) -> None:
        self.report, self.sizes, self.plugins = report, sizes, plugins

    @cached_property
    def parts(self) -> Parts:
        """The report's parts; that of a generation has none."""
        return Parts(self.report, self.plugins.operators)

    def value(self, figure: Figure) -> Any:
        """Returns what a figure is worth. Raises ConfigError if it is no number, or if the model has no such part."""
        return self.call(figure.name, figure.argument) if figure.argument else self.name(figure.name)

    def name(self, name: str) -> Any:
        """Returns a quantity of the whole model, or a size."""
        if name == MEMORY:
            return self._number(name, total_of(self.report.annotated, self.plugins))
        if name in self.plugins.quantities:
            value: Any = self.report.figure(name)
            if value is None:
                raise ConfigError(f"{name} of {self.report.model!r} divides by zero")
        else:
            value = self.sizes.get(name if name in self.sizes else other_spelling(name, self.sizes))
            if value is None:
                raise ConfigError(f"{self.report.model!r} has no {name} here: its sizes are {', '.join(self.sizes)}")
        return self._number(name, value)

    def call(self, name: str, argument: str) -> Any:
        """Returns a quantity of a role, or of the scopes that a glob matches."""
        return self._number(f"{name}({argument})", self.parts.figure(name, argument))

    def _number(self, name: str, value: Any) -> Any:
        if isinstance(value, bool) or not (isinstance(value, (int, float, Fraction)) or is_traced(value)):
            raise ConfigError(f"{name} of {self.report.model!r} is no number but {value}: give every size as a number")
        return value
