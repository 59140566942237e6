"""The verb that makes a model a page to explore and to compute with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import ReportKeywords, checked
from graphacct.models.find import find_model
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model
from graphacct.verbs.reported import reported

if TYPE_CHECKING:
    from graphacct.deriving.branches import Branches
    from graphacct.render.page.page import Page


@checked(ReportKeywords)
def page(
    report: Report | Model,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    quantities: Sequence[str] | None = None,
    plugins: Plugins | None = None,
    **options: Unpack[ReportKeywords],
) -> Page:
    """Returns a model as one HTML document, which fetches nothing: its graph to open and close, and its sizes to
    change. In a notebook it shows itself.

    Args:
        report: A report, whose sizes are fixed, or a model.
        color_by: The quantity that colours it at first.
        depth: Levels of scopes that are open at first; what is readable unless given.
        unroll: Whether every repetition of a block is a part.
        views: Whether views that cost nothing are parts.
        quantities: As for `account`, of a model: fewer make the page of a training step smaller.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report; UnknownNameError for an unknown quantity;
    RenderError for figures that are no numbers.
    """
    from graphacct.render.page.page import page as written

    plugins = plugins or default()
    how: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views, "plugins": plugins}
    given: dict[str, Any] = {**options} if quantities is None else {**options, "quantities": quantities}
    if isinstance(report, Report):
        return written(reported(report, plugins, given), **how)
    found = find_model(report, plugins, options.get("set") or {})
    how["branches"] = partial(branches_of, found, given, plugins)
    if plugins is default():  # a command would load the installed ones
        from graphacct.render.page.command import command_of

        how["command"] = command_of(report, given)
    return written(account(found, plugins=plugins, **given), **how)


def branches_of(
    model: Model,
    options: Mapping[str, Any],
    plugins: Plugins,
    report: Report,
    rewrite: Callable[[Report], Report],
) -> Branches:
    """Returns a report with its sizes left open: that of a model with the `options` of `account`, rewritten."""
    from graphacct.deriving.branches import branches

    found = find_model(model, plugins, options.get("set") or {})
    return branches(lambda **given: rewrite(account(found, plugins=plugins, **given)), found, options, report, plugins)
