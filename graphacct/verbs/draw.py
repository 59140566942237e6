"""The verb that draws a model, and the picture with which a graph shows itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.files import write
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import ReportKeywords, checked
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model
from graphacct.verbs.page import page
from graphacct.verbs.reported import reported

if TYPE_CHECKING:
    import graphviz

PAGES = (".html", ".htm")


@checked(ReportKeywords)
def draw(
    report: Report | Model,
    path: str | os.PathLike[str] | None = None,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    plugins: Plugins | None = None,
    **options: Unpack[ReportKeywords],
) -> graphviz.Digraph:
    """Returns the picture of a report as a graphviz.Digraph, written to `path` too when one is given.

    Args:
        report: A report, or a model.
        path: A file; its ending, .svg, .png, .pdf or .dot, gives the format; .html writes a page (`page`).
        color_by: The quantity that colours the boxes.
        depth: Levels of scopes to open; what fits a screen unless given.
        unroll: Whether every repetition of a block is drawn.
        views: Whether views that cost nothing are drawn.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report; RenderError or WriteError when it cannot be
    written, UnknownNameError for an unknown quantity.
    """
    from graphacct.render.picture import render
    from graphacct.render.picture.dot import draw as drawn

    plugins = plugins or default()
    how: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views}
    if path is not None and os.fspath(path).lower().endswith(PAGES):
        write(path, page(report, plugins=plugins, **how, **options))
        path = None
    report = reported(report, plugins, options)
    if path is None:
        return drawn(report, plugins=plugins, **how)
    return render(report, path, plugins=plugins, **how)


def svg(graph: Graph) -> str:
    """Returns the picture of a graph as SVG text, coloured by cost; nodes without a cost are marked."""
    from graphacct.render.picture import svg as drawn

    return drawn(account(graph, unknown="report"))
