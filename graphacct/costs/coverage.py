"""Coverage: how much of a graph the totals contain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from graphacct.dims import Dim, dim_text
from graphacct.graph.paths import outward, pattern

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.operators.operator import Operator

MOST_NAMED = 5
"""The most names of a list in a message."""


@attrs.frozen(repr=False)
class Coverage:
    """How much of the graph the totals contain.

    Attributes:
        costed: Nodes with a cost.
        total: All nodes; a block's body counts once.
        uncosted: Name and operator of each node without one.
        by_rule: What of another library is costed by a rule's estimate, and how often it runs.
    """

    costed: int
    total: int
    uncosted: tuple[tuple[str, str], ...] = ()
    by_rule: tuple[tuple[str, Dim], ...] = ()

    def __repr__(self) -> str:
        return f"<Coverage {self}>"

    def __str__(self) -> str:
        text = f"{self.costed} of {self.total} nodes costed"
        return f"{text}; no total contains {self.missing}" if self.uncosted else text

    @property
    def by_path(self) -> dict[str, int]:
        """How many nodes without a cost each scope and node holds, by path."""
        return _counts(path for name, _ in self.uncosted for path in outward(pattern(name)))

    @property
    def by_operator(self) -> dict[str, int]:
        """How many nodes without a cost each operator has."""
        return _counts(operator for _, operator in self.uncosted)

    @property
    def missing(self) -> str:
        """The first nodes without a cost, and how many more there are; empty when there is none."""
        named = [f"{name} ({operator})" for name, operator in self.uncosted[:3]]
        more = f" and {len(self.uncosted) - 3} more" if len(self.uncosted) > 3 else ""
        return ", ".join(named) + more

    @property
    def estimated(self) -> str:
        """What is costed by rule, most of it first, as `25 of aten.erfinv, 2 of aten.logit`; empty if nothing is."""
        named = [f"{dim_text(times)} of {what}" for what, times in self.by_rule[:MOST_NAMED]]
        more = f" and {len(self.by_rule) - MOST_NAMED} others" if len(self.by_rule) > MOST_NAMED else ""
        return ", ".join(named) + more


def _counts(names: Iterable[str]) -> dict[str, int]:
    """Returns how often each name occurs."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def coverage(records: Iterable[NodeCost], operators: Mapping[str, Operator]) -> Coverage:
    """Returns how much of a graph these costs contain."""
    costed = total = 0
    uncosted: list[tuple[str, str]] = []
    by_rule: dict[str, Dim] = {}
    for record in records:
        total += 1
        node = record.node
        if record.cost is None:
            uncosted.append((node.name, node.operator))
            continue
        costed += 1
        if "of" in node.attributes:
            operator = operators.get(node.operator)
            if operator is not None and operator.by_rule:
                what = str(node.attributes["of"])
                by_rule[what] = by_rule.get(what, 0) + record.times
    most_first = sorted(by_rule.items(), key=lambda item: (-item[1] if type(item[1]) is int else 0, item[0]))
    return Coverage(costed, total, tuple(uncosted), tuple(most_first))
