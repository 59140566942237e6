"""The names by which a transform's globs ask for nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphacct.graph.globs import closest, matching, names, written_out
from graphacct.graph.graph import Graph, Node


class NodeNames:
    """What the nodes of a graph can be asked for by.

    Attributes:
        graph: The graph, written out where one of the globs names single repetitions of a block.
    """

    def __init__(self, graph: Graph, of: Callable[[Node], Iterable[str]], globs: Sequence[str] = ()) -> None:
        """`of` gives the names of a node: none for one that cannot be asked for."""
        self.graph = written_out(graph, globs, of)
        self._names = names(self.graph, of)

    def matching(self, glob: str) -> list[str]:
        """Returns the names that a glob matches."""
        return matching(glob, self._names)

    def closest(self, glob: str) -> str:
        """Returns the end of a message about a glob that matches nothing: `; did you mean …?`, or empty."""
        return closest(glob, self._names)
