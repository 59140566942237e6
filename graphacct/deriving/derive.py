"""The formulas of a model: of its quantities, in whole, of one part, or by scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.costs.columns import total
from graphacct.costs.quantities import Quantity, forward_alone
from graphacct.costs.ratios import ratio
from graphacct.deriving.blocks import depths, in_blocks
from graphacct.deriving.collecting import not_collecting
from graphacct.deriving.formula import TOTAL, Formula
from graphacct.deriving.reading import Readings
from graphacct.deriving.scopes import scopes
from graphacct.deriving.symbols import Symbol, by_cache, chosen, symbols_of
from graphacct.errors import ConfigError, UnknownNameError, brief, suggest
from graphacct.explanations.lookup import resolve
from graphacct.formulas.conditions import condition_text, names_in
from graphacct.formulas.traced_size import TracedSize, value_of
from graphacct.graph.paths import depth as depth_of
from graphacct.graph.paths import pattern
from graphacct.models.find import ModelChoice
from graphacct.operators.operator import Operator
from graphacct.phases import DECODE
from graphacct.progress import steps
from graphacct.reports.parts import Parts
from graphacct.reports.report import Report

QUANTITIES = ("params", "flops")
BY = ("scope",)

Rows = Sequence[tuple[NodeCost, tuple[Any, ...]]]
"""The nodes with a cost, and their figures."""


def derive(
    account: Callable[..., Report],
    again: Callable[..., Report],
    completed: Callable[[Report], Report],
    found: Any,
    options: Mapping[str, Any],
    quantities: Sequence[str],
    node: str | None = None,
    by: str | None = None,
    depth: int | None = None,
    symbols: Sequence[str] | None = None,
    operators: Mapping[str, Operator] | None = None,
) -> tuple[Formula, ...]:
    """Returns the formula of each quantity. `account` returns the report of the model for some options, `again` does so
    for a model that it returned one of already, and `completed` returns that report with all quantities: those that
    take long may be left out of it at first.

    Raises what `account` raises; ConfigError for a model without sizes, and for a size that cannot be a symbol;
    UnknownNameError for a node, a quantity or a size that the model has not.
    """
    if by is not None and by not in BY:
        raise UnknownNameError(f"unknown grouping {brief(by)}{suggest(by, BY)}; known: {', '.join(BY)}")
    if not quantities:
        raise ConfigError("no quantity is given: params, flops or another one")
    if not isinstance(found, ModelChoice):
        symbols_of(found, options, {})
    plain = account(**{**options, "quantities": ("params",)})
    plain.check_one_step("a formula")
    known = symbols_of(found, options, plain.workload)
    options = by_cache(options, plain.workload)
    if plain.workload.get("phase") == DECODE:
        known = tuple(symbol for symbol in known if symbol.name != "seq_len")
    asked = tuple(symbol.name for symbol in chosen(found, symbols, known)) if symbols is not None else ()
    traced = [symbol for symbol in known if symbols is None or symbol.name in asked]
    with not_collecting():
        derivation = _Derivation(again, completed, found.architecture.aliases, options, traced, asked)
        return tuple(derivation.formula(name, node, by, depth, operators or {}) for name in quantities)


class _Derivation:
    """The traced reports of one model, and the formulas in them."""

    def __init__(
        self,
        account: Callable[..., Report],
        completed: Callable[[Report], Report],
        aliases: Mapping[str, str],
        options: Mapping[str, Any],
        symbols: Sequence[Symbol],
        asked: Sequence[str],
    ) -> None:
        self.aliases = aliases
        self.readings = Readings(account, completed, options, symbols, asked)
        self.report = next(iter(self.readings)).report

    def formula(
        self, name: str, node: str | None, by: str | None, depth: int | None, operators: Mapping[str, Operator]
    ) -> Formula:
        """Returns the formula of a quantity: of the whole model, or of a part."""
        quantity = self.report.quantity(name)
        path = TOTAL if node is None else self._path(node)
        chosen = _chooser(self.report, path, operators)
        whole = self._formula(quantity, path, chosen)
        if by is None:
            return whole
        if quantity.of_row is not None:
            raise ConfigError(f"{name} is a ratio, which scopes have no sum of: leave by={by!r} out")
        report = self.readings.last.report
        place = [item.name for item in report.quantities].index(name)
        figures = [
            (pattern(record.node.name), value_of(values[place]))
            for record, values in _rows(report)
            if chosen(record.node.name)
        ]
        around = 0 if path == TOTAL or any(each in path for each in "?[") else depth_of(path) + 1
        order = {row.path: index for index, row in enumerate(report.by_scope)}
        paths = sorted(scopes(figures, quantity.combine, around, depth), key=lambda each: order.get(each, len(order)))
        parts = tuple(
            self._formula(quantity, each, _chooser(self.report, each, operators)) for each in steps(paths, "scopes")
        )
        return attrs.evolve(whole, parts=tuple(part for part in parts if not part.is_zero))

    def _formula(self, quantity: Quantity, path: str, chosen: Callable[[str], bool]) -> Formula:
        def figure_of(report: Report) -> Any:
            return _figure(report, quantity, path, chosen)

        reading = next((each for each in self.readings if each.holds_at_own(figure_of)), None)
        everywhere, reading = reading is not None, reading or self.readings.last
        trace, figure = reading.trace, figure_of(reading.report)
        names = names_in(trace, figure.terms) if isinstance(figure, TracedSize) else set()
        point = reading.own if everywhere else reading.sizes
        open_ = reading.workload - names
        guards = [
            guard
            for guard in reading.guards(everywhere)
            if (mine := names_in(trace, guard.terms)) & names and not mine & open_
        ]
        blocks = None
        if isinstance(figure, TracedSize) and quantity.of_row is None and quantity.combine == "sum":
            place = [item.name for item in reading.report.quantities].index(quantity.name)
            rows = [(record, values[place]) for record, values in _rows(reading.report) if chosen(record.node.name)]
            blocks = in_blocks(figure.terms, rows, trace.atoms)
        return Formula(
            reading.report.model,
            quantity.name,
            quantity.unit,
            path,
            {name: point[name] for name in trace.sizes if name in names},
            tuple(condition_text(trace, guard) for guard in guards),
            reading.held,
            "" if everywhere else reading.note,
            {name: point[name] for name in trace.sizes},
            (),
            figure,
            trace,
            tuple(guards),
            blocks,
            depths(reading.report.annotated.costs, trace.atoms),
            self.aliases,
            forward_alone([quantity], reading.report.workload.get("phase")).get(quantity.name, ""),
        )

    def _path(self, node: str) -> str:
        """Returns the path of a node or scope, or a glob of scopes."""
        try:
            return resolve(self.report, node)
        except UnknownNameError as error:
            if not set("*?[") & set(node):
                raise
            chosen = Parts(self.report, {}).of_scopes(node)
            if isinstance(chosen, ConfigError):
                raise error from None
            return node


def _chooser(report: Report, path: str, operators: Mapping[str, Operator]) -> Callable[[str], bool]:
    """Returns the function that says whether a node is in a part of the model."""
    if path == TOTAL:
        return lambda name: True
    if any(row.path == path for row in report.by_scope):
        return lambda name: pattern(name) == path or pattern(name).startswith(f"{path}.")
    found = Parts(report, operators).of_scopes(path)
    if isinstance(found, ConfigError):
        raise found
    return found


def _rows(report: Report) -> Rows:
    costed = [record for record in report.annotated.costs if record.cost is not None]
    return list(zip(costed, report.values, strict=True))


def _figure(report: Report, quantity: Quantity, path: str, chosen: Callable[[str], bool]) -> Any:
    """Returns a quantity, or a ratio, of the nodes that are chosen: of the model, or of the part at a path."""
    figures: Mapping[str, Any] = report.total
    if path != TOTAL:
        rows = [values for record, values in _rows(report) if chosen(record.node.name)]
        figures = {
            item.name: total(item, [values[place] for values in rows])
            for place, item in enumerate(report.quantities)
            if quantity.of_row is not None or item.name == quantity.name
        }
    if quantity.of_row is None:
        return figures[quantity.name]
    found = ratio(quantity, report.origins.get(quantity.name, ""), figures)
    if found is None:
        raise ConfigError(f"{quantity.name} divides by zero here: it has no formula")
    return found
