"""Coverage: how much of a graph the totals contain."""

from __future__ import annotations

import attrs


@attrs.frozen(repr=False)
class Coverage:
    """How much of the graph the totals contain.

    Attributes:
        costed: Nodes with a cost.
        total: All nodes; a block's body counts once.
        uncosted: Name and operator of each node without one.
    """

    costed: int
    total: int
    uncosted: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Coverage {self}>"

    def __str__(self) -> str:
        text = f"{self.costed} of {self.total} nodes costed"
        return f"{text}; no total contains {self.missing}" if self.uncosted else text

    @property
    def missing(self) -> str:
        """The first nodes without a cost, and how many more there are; empty when there is none."""
        named = [f"{name} ({operator})" for name, operator in self.uncosted[:3]]
        more = f" and {len(self.uncosted) - 3} more" if len(self.uncosted) > 3 else ""
        return ", ".join(named) + more
