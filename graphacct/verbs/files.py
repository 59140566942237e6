"""The verbs that save and load a graph, with the operators of all installed plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphacct.errors import ConfigError, brief
from graphacct.graph.graph import Graph
from graphacct.graph.networkx_view import is_networkx
from graphacct.hooks.manager import default

if TYPE_CHECKING:
    import networkx

    from graphacct.operators.operator import Operator


def save(graph: Graph | networkx.Graph[Any], path: str | os.PathLike[str]) -> None:
    """Saves a graph, or a networkx graph that `Graph.from_nx` reads, as JSON (docs/graph-json.md)."""
    from graphacct.readers.graph_json import write

    if not isinstance(graph, Graph):
        if not is_networkx(graph):
            raise ConfigError(f"save takes a Graph, not {brief(graph)}: graphacct.build gives that of a model")
        graph = from_networkx(graph, "", None)
    write(graph, path)


def load(path: str | os.PathLike[str], operators: Mapping[str, Operator] | None = None) -> Graph:
    """Returns the graph of a saved JSON file. Raises ReadError, which names the fault in the file.

    `operators` are those that its nodes may use, by name; those of all installed plugins unless given.
    """
    from graphacct.readers.graph_json import read

    return read(path, installed_operators() if operators is None else operators)


def installed_operators() -> Mapping[str, Operator]:
    """Returns the operators of all installed plugins, by name."""
    return default().operators


def from_networkx(graph: networkx.Graph[Any], name: str, operators: Mapping[str, Operator] | None) -> Graph:
    """`Graph.from_nx`, with the operators of all installed plugins unless others are given."""
    from graphacct.graph.networkx_view import from_networkx as read

    return read(graph, name, installed_operators() if operators is None else operators)
