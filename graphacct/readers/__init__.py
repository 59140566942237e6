"""Input formats: how a path becomes a graph. One format a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

import attrs

from graphacct.graph import Graph
from graphacct.hookspecs import hookimpl
from graphacct.operators import Operator


@attrs.frozen(eq=False)
class Reader:
    """One input format.

    Attributes:
        name: What `graphacct list readers` calls it.
        doc: One sentence.
        accepts: Whether an existing path looks like this format; it may read the file's beginning, no more.
        read: The graph, from the path and the registered operators by name; ReadError names the file and what is
            wrong in it.
        replaces: Whether it takes the place of a reader of this name from another plugin.
    """

    name: str
    doc: str
    accepts: Callable[[str], bool]
    read: Callable[[str, Mapping[str, Operator]], Graph]
    replaces: bool = False


def _read_graph(path: str, operators: Mapping[str, Operator]) -> Graph:
    from graphacct.readers.graph_json import read

    return read(path, operators)


GRAPH_JSON = Reader(
    "graph-json",
    "A graph saved by graphacct (docs/graph-json.md).",
    lambda path: path.endswith(".json") and os.path.isfile(path),
    _read_graph,
)


@hookimpl
def graphacct_register_readers() -> Iterable[Reader]:
    return [GRAPH_JSON]
