"""The report of a model whose blocks are written out."""

from __future__ import annotations

from graphacct.costs.annotate import annotate
from graphacct.hooks.manager import Plugins, default
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup


def unrolled(report: Report, plugins: Plugins | None = None) -> Report:
    """Returns the report of the same model with every repetition of its blocks written out, under the same convention
    and with the same quantities.

    Raises GraphError when a block repeats a symbolic number of times.
    """
    annotated, plugins = report.annotated, plugins or default()
    names = [item.name for item in (*report.quantities, *report.ratios)]
    graph = annotated.graph.unroll(plugins.operators)
    flat = annotate(graph, annotated.convention, unknown="report", plugins=plugins)
    if annotated.training:
        from graphacct.costs.step_quantities import memory_columns
        from graphacct.reports.step import train

        flat = train(flat, annotated.training, plugins, "report", memory_columns(names, plugins.quantities))
    return rollup(flat, plugins, names)
