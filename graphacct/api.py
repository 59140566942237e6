"""The verbs: what a user calls. They alone fill in the plugins that are installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphacct.costs.annotate import annotate
from graphacct.costs.conventions import Convention, find_convention
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins, default
from graphacct.models.build import build
from graphacct.models.find import Found
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup
from graphacct.training.options import check_no_training, resolved, separated

if TYPE_CHECKING:
    import graphviz
    import networkx

    from graphacct.explanations.explanation import Explanation
    from graphacct.operators.operator import Operator
    from graphacct.render.compare import Comparison


def account(
    model: str | os.PathLike[str] | Graph | Found,
    *,
    convention: str | Convention = "exact",
    unknown: str = "error",
    plugins: Plugins | None = None,
    **options: Any,
) -> Report:
    """The report of a model: build, annotate, roll up.

    Args:
        model: As for `build`.
        convention: What is counted: a convention or its name.
        unknown: What becomes of a node whose operator is not registered: `error`, or `report`, which leaves it out
            of every sum and names it in the coverage.
        plugins: Those in use; all that are installed unless given.
        options: Those of `build`, and in training those of `graphacct.training.options.TrainingOptions`: profile,
            freeze, recompute, optimizer, master, dp and zero.

    Raises what `build` raises; OperatorError for an operator that is not registered or states no gradient;
    ConfigError for an option of a training step in another phase.

    >>> account("gpt2-xl", seq_len=1024).total["params"]
    1557611200
    """
    plugins = plugins or default()
    asked, others = separated(options)
    graph = build(model, plugins=plugins, **others)
    annotated = annotate(graph, find_convention(convention, plugins.conventions), unknown=unknown, plugins=plugins)
    if graph.workload.get("phase") == "train":
        from graphacct.reports.step import train

        annotated = train(annotated, resolved(asked, plugins), plugins, unknown)
    else:
        check_no_training(asked)
    return rollup(annotated, plugins)


def explain(report: Report, node: str, quantity: str | None = None, **options: Any) -> Explanation:
    """Where the numbers of a node or scope come from: see `graphacct.explanations.explanation.explain`."""
    from graphacct.explanations.explanation import explain as explained

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


def load(path: str | os.PathLike[str], operators: Mapping[str, Operator] | None = None) -> Graph:
    """The graph of a saved JSON file; ReadError names what is wrong in it.

    `operators` are those that its nodes may name: those of all installed plugins unless given.
    """
    from graphacct.readers.graph_json import read

    return read(path, installed_operators() if operators is None else operators)


def installed_operators() -> Mapping[str, Operator]:
    """The operators of all installed plugins, by name."""
    return default().operators


def from_networkx(graph: networkx.Graph[Any], name: str, operators: Mapping[str, Operator] | None) -> Graph:
    """`Graph.from_nx`, with the operators of all installed plugins unless others are given."""
    from graphacct.graph.networkx_view import from_networkx as read

    return read(graph, name, installed_operators() if operators is None else operators)


def svg(graph: Graph) -> str:
    """The picture of a graph as SVG text, coloured by cost; operators without a cost are named as such."""
    from graphacct.render.picture import svg as drawn

    return drawn(account(graph, unknown="report"))
