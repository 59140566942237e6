"""The verb that draws a model, and the picture with which a graph shows itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.errors import ConfigError
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
    orientation: str = "top-down",
    font_size: int = 9,
    grey: bool = False,
    fields: Sequence[str] | None = None,
    scope: str | None = None,
    width_cm: float | None = None,
    bare: bool = False,
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
        orientation: `top-down`, or `left-right`.
        font_size: The points of the text in the boxes, before `width_cm` scales the picture.
        grey: Whether greys stand for the colours.
        fields: The quantities in the boxes; parameters, FLOPs and `color_by` unless given.
        scope: The only scope that is drawn: its path, the end of it, or a glob, such as `model.layers.*`, repetitions
            summed; with an index, as `layers.0`, one repetition.
        width_cm: The width of the picture; its own unless given.
        bare: Whether title and legend are left out, for a figure whose caption says what they say.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report; RenderError or WriteError when it cannot be
    written, UnknownNameError for an unknown quantity.
    """
    from graphacct.render.picture import render
    from graphacct.render.picture.dot import draw as drawn
    from graphacct.render.picture.look import DEFAULTS

    plugins = plugins or default()
    how: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views}
    look: dict[str, Any] = {"orientation": orientation, "font_size": font_size, "grey": grey, "fields": fields}
    look |= {"scope": scope, "width_cm": width_cm, "bare": bare}
    if path is not None and os.fspath(path).lower().endswith(PAGES):
        given = [name for name, value in look.items() if value != DEFAULTS[name]]
        if given:
            raise ConfigError(f"{given[0]} is for pictures (.svg, .png, .pdf, .dot), not for a page")
        write(path, page(report, plugins=plugins, **how, **options))
        path = None
    report = reported(report, plugins, options)
    if path is None:
        return drawn(report, plugins=plugins, **how, **look)
    return render(report, path, plugins=plugins, **how, **look)


def svg(graph: Graph) -> str:
    """Returns the picture of a graph as SVG text, coloured by cost; nodes without a cost are marked."""
    from graphacct.render.picture import svg as drawn

    return drawn(account(graph, unknown="report"))
