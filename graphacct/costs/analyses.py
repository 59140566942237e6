"""Analyses: facts about each node that plugins find, for quantities to read (`NodeCost.analyses`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.errors import PluginError, brief, failure
from graphacct.hooks.manager import Plugins


@attrs.frozen(eq=False)
class Analysis:
    """An analysis of a whole graph that gives each node a value.

    A quantity sees one node. If a figure depends on other nodes (which comes before, what is alive), an analysis finds
    it once for the graph, and quantities read it as `record.analyses[name]`.

    Attributes:
        name: The key in `NodeCost.analyses`.
        of: Returns a value by node name, given the annotated graph. It may be anything, and stands for all repetitions
            of the node. Nodes may be left out.
        doc: One sentence.
        replaces: Whether it takes the place of an analysis of this name from another plugin.
    """

    name: str
    of: Callable[[AnnotatedGraph], Mapping[str, Any]]
    doc: str = ""
    replaces: bool = attrs.field(default=False, kw_only=True)


def analysed(annotated: AnnotatedGraph, plugins: Plugins) -> AnnotatedGraph:
    """Returns the annotated graph with the entries of every registered analysis.

    Raises PluginError, which names the analysis and its plugin, if it fails, gives no mapping, or names a node that
    the graph does not have.
    """
    for name, analysis in plugins.analyses.items():
        who = f"analysis {name!r} of plugin {plugins.origin('analyses', name)}"
        try:
            found = analysis.of(annotated)
        except Exception as error:
            raise PluginError(failure(who, error)) from error
        if not isinstance(found, Mapping):
            raise PluginError(f"{who} returned {brief(found)}, which is no mapping from nodes to values")
        nodes = {record.node.name for record in annotated.costs}
        for node in found:
            if node not in nodes:
                raise PluginError(f"{who} names the node {brief(node)}, which {annotated.graph.name!r} does not have")
        costs = [
            record.with_analysis(name, found[record.node.name]) if record.node.name in found else record
            for record in annotated.costs
        ]
        annotated = attrs.evolve(annotated, costs=tuple(costs))
    return annotated
