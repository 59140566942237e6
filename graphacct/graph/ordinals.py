"""Ordinals: a node's position among the nodes of the same operator in its layer, for rules such as "once per layer"."""

from __future__ import annotations

from graphacct.graph.graph import Node
from graphacct.graph.paths import repetition


class Ordinals:
    """The ordinals of nodes that come in schedule order."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, tuple[int, ...]], int] = {}

    def of(self, node: Node, starts: tuple[int, ...] = ()) -> int:
        """Returns how many nodes of the same operator came before this one in its repetition; `starts` are the first
        indices of the blocks around it."""
        key = (repetition(node.name), node.operator, starts)
        ordinal = self._last[key] = self._last.get(key, -1) + 1
        return ordinal
