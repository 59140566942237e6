"""Rolls annotations up: the totals, and each node's contribution to them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.costs.columns import column, no_number, owned, total
from graphacct.costs.coverage import coverage
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, is_symbol
from graphacct.errors import PluginError, failure
from graphacct.hooks.manager import Plugins, default
from graphacct.phases import FORWARD, TRAIN
from graphacct.reports.report import Report
from graphacct.reports.rows import SHARE_OF

ALWAYS = (SHARE_OF,)
"""The quantity that every report has: rows state their share of it."""


def rollup(
    annotated: AnnotatedGraph, plugins: Plugins | None = None, quantities: Collection[str] | None = None
) -> Report:
    """Returns the report of an annotated graph with the named `quantities` and `flops`, or with all of them. If a ratio
    is named, the report has all quantities, since the ratio may use any of them.

    Sums multiply by the repeats around a node, maxima do not; parameters count once per storage. Nodes without a
    cost are in no sum, and the coverage names them.
    """
    plugins = plugins or default()
    if plugins.analyses:
        from graphacct.costs.analyses import analysed

        annotated = analysed(annotated, plugins)
    phase = TRAIN if annotated.training else annotated.graph.workload.get("phase", FORWARD)
    asked: Collection[str] = plugins.quantities
    if quantities is not None and not any(name in asked and plugins.quantities[name].of_row for name in quantities):
        asked = {*quantities, *ALWAYS}
    columned: list[Quantity] = []
    ratios: list[Quantity] = []
    elsewhere: list[Quantity] = []
    for name, item in plugins.quantities.items():
        there = name in asked and (not item.phase or item.in_phase(phase))
        ((columned if item.of_row is None else ratios) if there else elsewhere).append(item)
    costed = [record for record in annotated.costs if record.cost is not None]
    times = [record.times for record in costed]
    parameters = owned(costed)
    columns: list[list[Dim]] = []
    totals: list[Any] = []
    for quantity in columned:
        try:
            columns.append(column(quantity, costed, times, parameters))
            totals.append(total(quantity, columns[-1] if quantity.combine == "max" else _symbols_added(columns[-1])))
        except Exception as error:
            who = f"quantity {quantity.name!r} of plugin {plugins.origin('quantities', quantity.name)}"
            raise PluginError(no_number(quantity, costed, who) or failure(who, error)) from error
    return Report(
        annotated,
        tuple(columned),
        dict(zip([quantity.name for quantity in columned], totals, strict=True)),
        coverage(annotated.costs, plugins.operators),
        tuple(zip(*columns, strict=True)) if costed else (),
        tuple(ratios),
        tuple(elsewhere),
        plugins.quantities.origins,
    )


def _symbols_added(values: Sequence[Dim]) -> Sequence[Dim]:
    """Returns values with the same sum, those with symbols as one: sympy adds many terms up at once in a fraction of
    the time that it takes for one after the other."""
    if {*map(type, values)} == {int}:  # most are
        return values
    symbolic = [value for value in values if is_symbol(value)]
    if not symbolic:
        return values
    return [*(value for value in values if not is_symbol(value)), sys.modules["sympy"].Add(*symbolic)]
