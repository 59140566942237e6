"""The verb that explains a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.decisions import recording
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import ReportKeywords, checked
from graphacct.reports.report import Report
from graphacct.verbs.model import Model
from graphacct.verbs.reported import reported

if TYPE_CHECKING:
    from graphacct.explanations.explanation import Explanation


@checked(ReportKeywords)
def explain(
    report: Report | Model,
    node: str,
    quantity: str | None = None,
    *,
    plugins: Plugins | None = None,
    **options: Unpack[ReportKeywords],
) -> Explanation:
    """Returns where the numbers of a node or scope come from: formula, values, convention and source.

    Args:
        report: A report, or a model.
        node: A path as reports show it, one with an index in place of `*`, or the end of one that only one node has.
        quantity: The one quantity to explain; all of them unless given.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report; UnknownNameError for a node or quantity that the
    report does not have, with the closest one.
    """
    from graphacct.explanations.explanation import explain as explained

    plugins = plugins or default()
    with recording() as conditions:
        found = reported(report, plugins, options)
        conditions.add(found.conditions)
        return explained(found, node, quantity, plugins)
