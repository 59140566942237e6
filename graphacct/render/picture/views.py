"""Views that cost nothing, which fold into the lines of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from graphacct.costs.annotate import NodeCost
from graphacct.dims import Dim, same
from graphacct.errors import GraphacctError
from graphacct.hooks.manager import Plugins
from graphacct.operators.operator import Operator
from graphacct.reports.report import Report


def free_view(operators: Mapping[str, Operator], record: NodeCost, summed: Iterable[Dim]) -> bool:
    """Returns whether a node is a view, and costs nothing: its quantities that add up are all 0."""
    if record.cost is None or not all(same(figure, 0) for figure in summed):
        return False
    node = record.node
    application = node.application
    if application is None:
        try:
            application = operators[node.operator].apply([item.spec for item in node.inputs], node.attributes)
        except (KeyError, GraphacctError):  # a plugin costs it without an operator
            return False
    return application.view


def free_views(report: Report, plugins: Plugins) -> Set[str]:
    """Returns the names of a report's nodes that are views and cost nothing."""
    summed = [index for index, item in enumerate(report.quantities) if item.combine == "sum"]
    costed = [record for record in report.annotated.costs if record.cost is not None]
    return {
        record.node.name
        for record, figures in zip(costed, report.values, strict=True)
        if free_view(plugins.operators, record, [figures[index] for index in summed])
    }
