"""Graphviz source, as the graphviz package writes it."""

from __future__ import annotations

import graphviz
import pytest

from graphacct.render.picture.lines import DotSource, Literal

TEXTS = [
    "plain",
    "two words",
    "-4.2",
    "1.",
    "node",
    "",
    'a "quotation"',
    'escaped \\"',
    "<b>bold</b>",
    "n:e",
    "\\n",
    "é",
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_what_the_graphviz_package_writes(text: str) -> None:
    """Names, attributes in their order, quotation marks, labels in HTML, clusters inside each other."""
    literal = "<not HTML>"
    ours = DotSource("g", {"rankdir": text}, {}, {"color": "red"})
    theirs = graphviz.Digraph("g", graph_attr={"rankdir": text}, edge_attr={"color": "red"})
    for graph, plain in ((ours, Literal(literal)), (theirs, graphviz.nohtml(literal))):
        graph.attr(tooltip=plain, label=text)
        with graph.subgraph(name="cluster_a") as outer:
            outer.attr(label=text, bgcolor="white")
            with outer.subgraph(name="cluster_b") as inner:
                inner.node("n1", label=text, color=text, tooltip=plain)
        graph.edge("n1", "n2", weight="1", label=text)
    assert ours.source == theirs.source
    assert ours.digraph().source == theirs.source
