"""The names of nodes that a transform's globs match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphacct.graph.globs import closest, matching, names, written_out
from graphacct.graph.graph import Graph, Node


class NodeNames:
    """The names of a graph's nodes.

    Attributes:
        graph: The graph, unrolled if one of the globs names single repetitions of a block.
    """

    def __init__(self, graph: Graph, of: Callable[[Node], Iterable[str]], globs: Sequence[str] = ()) -> None:
        """`of` returns the names of a node, or none for a node that globs cannot match."""
        self.graph = written_out(graph, globs, of)
        self._names = names(self.graph, of)

    def matching(self, glob: str) -> list[str]:
        """Returns the names that a glob matches."""
        return matching(glob, self._names)

    def closest(self, glob: str) -> str:
        """Returns the end of the message for a glob that matches nothing: `; did you mean …?`, or empty."""
        return closest(glob, self._names)
