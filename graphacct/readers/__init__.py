"""Input formats: how a path becomes a graph. One format a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph import Graph
from graphacct.hookspecs import hookimpl
from graphacct.operators import Operator

if TYPE_CHECKING:
    from graphacct.architecture import Architecture
    from graphacct.plugins import Plugins


@attrs.frozen(eq=False)
class Reader:
    """One input format.

    Attributes:
        name: What `graphacct list readers` calls it.
        doc: One sentence.
        accepts: Whether an existing path looks like this format; it may read the file's beginning, no more.
        read: The graph, from the path and the registered operators by name; ReadError names the file and what is
            wrong in it. None for a format that describes a model rather than a graph.
        find: For such a format: the model's name, its architecture and its configuration, which is then built as a
            preset is, on any workload.
        replaces: Whether it takes the place of a reader of this name from another plugin.
    """

    name: str
    doc: str
    accepts: Callable[[str], bool]
    read: Callable[[str, Mapping[str, Operator]], Graph] | None = None
    find: Callable[[str, Plugins], tuple[str, Architecture, Any]] | None = None
    replaces: bool = False

    def __attrs_post_init__(self) -> None:
        if (self.read is None) == (self.find is None):
            raise ConfigError(f"reader {self.name!r} has either read= or find=: a format is of graphs or of models")


def _read_graph(path: str, operators: Mapping[str, Operator]) -> Graph:
    from graphacct.readers.graph_json import read

    return read(path, operators)


def _accepts_config(path: str) -> bool:
    from graphacct.readers.hf import accepts

    return accepts(path)


def _find_config(path: str, plugins: Plugins) -> tuple[str, Architecture, Any]:
    from graphacct.readers.hf import find

    return find(path, plugins)


CONFIG_JSON = Reader(
    "config-json",
    "Hugging Face's config.json, or a folder that has one.",
    _accepts_config,
    find=_find_config,
)
GRAPH_JSON = Reader(
    "graph-json",
    "A graph saved by graphacct (docs/graph-json.md).",
    lambda path: path.endswith(".json") and os.path.isfile(path),
    _read_graph,
)


@hookimpl
def graphacct_register_readers() -> Iterable[Reader]:
    return [CONFIG_JSON, GRAPH_JSON]
