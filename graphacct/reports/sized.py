"""A report of symbols at sizes: its formulas as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.dims import is_symbol
from graphacct.errors import ConfigError, brief, unknown
from graphacct.reports.report import Report


def sized(report: Report, sizes: Mapping[str, int]) -> Report:
    """Returns a report with numbers in place of symbols, by their names; the others stay.

    Raises UnknownNameError for a name that no figure has, and ConfigError for a size that is no positive integer or of
    which the report says that it does not hold.
    """
    figures = [*report.total.values(), *(figure for figures in report.values for figure in figures)]
    symbols = {symbol.name: symbol for figure in (*figures, *report.conditions) for symbol in _symbols(figure)}
    for name, size in sizes.items():
        if name not in symbols:
            raise unknown("symbol", name, symbols)
        if type(size) is not int or size < 1:
            raise ConfigError(f"{name} {brief(size)} is no positive integer, as a size is")
    put = {symbols[name]: size for name, size in sizes.items()}
    known: dict[Any, Any] = {}

    def at(value: Any) -> Any:
        if not is_symbol(value):
            return value
        if value not in known:
            found = value.subs(put)
            known[value] = int(found) if found.is_Integer else found
        return known[value]

    conditions = [(condition, condition.subs(put)) for condition in report.conditions]
    for condition, found in conditions:
        if found == False:  # noqa: E712  sympy's own
            raise ConfigError(
                f"the figures hold for {condition}, which {', '.join(f'{n}={s}' for n, s in sizes.items())} is not: "
                "ask for the model with numbers"
            )
    graph = report.annotated.graph
    workload = {name: at(value) for name, value in graph.workload.items()} | sizes
    return attrs.evolve(
        report,
        annotated=attrs.evolve(report.annotated, graph=attrs.evolve(graph, workload=workload)),
        total={name: at(value) for name, value in report.total.items()},
        values=tuple(tuple(map(at, figures)) for figures in report.values),
        conditions=tuple(found for _, found in conditions if found != True),  # noqa: E712  sympy's own
    )


def _symbols(value: Any) -> Any:
    return getattr(value, "free_symbols", ())
