"""A report of a training step, first without the memory of the step and then with it: that takes most of the time."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from graphacct.costs.step_quantities import memory_columns, needs_memory
from graphacct.hooks.manager import Plugins
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup


def without_memory(quantities: Sequence[str], plugins: Plugins) -> Sequence[str]:
    """Returns the quantities to begin with: none if the memory of a step is among what is asked for."""
    return () if needs_memory(quantities, plugins.quantities) else quantities


def completed(report: Report, quantities: Sequence[str], plugins: Plugins) -> Report:
    """Returns a report of these quantities, of one that began without those of the memory of a step.

    Raises ConfigError for a quantity of another phase.
    """
    if not needs_memory(quantities, plugins.quantities):
        return report
    annotated = report.annotated
    if annotated.activations is not None:
        from graphacct.reports.step import with_memory

        columns = memory_columns(quantities, plugins.quantities)
        annotated = attrs.evolve(annotated, costs=tuple(with_memory(annotated.costs, annotated.activations, columns)))
    found = rollup(annotated, plugins, quantities)
    for name in quantities:
        found.quantity(name)
    return found
