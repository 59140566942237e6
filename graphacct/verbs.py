"""The verbs that end in a picture, a file or a table; each imports what it needs when it is called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from graphacct.graph import Graph
from graphacct.report import Report

if TYPE_CHECKING:
    import graphviz

    from graphacct.explanation import Explanation
    from graphacct.render.compare import Comparison


def explain(report: Report, node: str, quantity: str | None = None, **options: Any) -> Explanation:
    """Where the numbers of a node or scope come from: see `graphacct.explanation.explain`."""
    from graphacct.explanation import explain as explained

    return explained(report, node, quantity, **options)


def draw(report: Report, path: str | os.PathLike[str] | None = None, **options: Any) -> graphviz.Digraph:
    """The picture of a report as a graphviz.Digraph, written to `path` too when one is given.

    The options are those of `graphacct.render.picture.dot.draw` (color_by, depth, unroll, views); the path's suffix is
    .svg, .png, .pdf or .dot. Raises RenderError or WriteError when it cannot be written.
    """
    from graphacct.render.picture import render
    from graphacct.render.picture.dot import draw as drawn

    return drawn(report, **options) if path is None else render(report, path, **options)


def compare(*reports: Report, **options: Any) -> Comparison:
    """Several reports side by side: see `graphacct.render.compare.compare`."""
    from graphacct.render.compare import compare as compared

    return compared(reports, **options)


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Save a graph as JSON (docs/graph-json.md)."""
    from graphacct.readers.graph_json import write

    write(graph, path)


def load(path: str | os.PathLike[str], **options: Any) -> Graph:
    """The graph of a saved JSON file; ReadError names what is wrong in it."""
    from graphacct.readers.graph_json import read

    return read(path, **options)
