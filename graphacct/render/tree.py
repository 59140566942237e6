"""The tree of scopes: which rows of a report a table shows, and which it shows as one.

A table has at most 36 lines. They go where the cost is: the scope with the largest share is opened first, and what is
less than a thousandth of everything is one line with what is beside it, which says how many they are and has their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import attrs

from graphacct.dims import Dim, same
from graphacct.graph.paths import last, parent
from graphacct.render.opening import Sizes, largest_first
from graphacct.reports.levels import check_depth
from graphacct.reports.report import Report
from graphacct.reports.rows import Row, adder

LINES = 36
"""The most lines of a table of default depth: a Llama takes 27, a Mixtral with its experts 36."""


@attrs.frozen
class Branch:
    """What one line of a tree shows.

    Attributes:
        row: A row of the report, or the sum of several.
        label: What the line is called.
        gathered: How many rows it stands for; 0 for a row.
    """

    row: Row
    label: str
    gathered: int = 0


def tree(report: Report, depth: int | None, chosen: Sequence[str] = ()) -> list[Branch]:
    """Returns the lines of a report's tree, in its order; those that stand for several rows after their neighbours.

    With a depth, these are all rows of so many levels. Without one they are what `_Tree` opens; of `chosen` columns,
    too, none loses a row that is not small.

    Raises ConfigError for a depth below 1.
    """
    repeats = {row.path: row.repeat for row in report.by_scope}
    if depth is None:
        return _Tree(report, repeats, chosen).branches("")
    check_depth(depth)
    return [_branch(row, repeats) for row in report.by_scope if row.depth < depth]


class _Tree:
    """A report's rows by scope, and which scopes are open: what has a line of its own in them, and what shares one."""

    def __init__(self, report: Report, repeats: dict[str, Dim], chosen: Sequence[str]) -> None:
        self.report, self.repeats = report, repeats
        self.sizes = Sizes(report, chosen)
        self.children: dict[str, list[Row]] = {}
        for row in report.by_scope:
            self.children.setdefault(parent(row.path), []).append(row)
        self.opened: dict[str, tuple[list[Row], list[Row]]] = {}
        self.left = LINES
        largest_first(self._open("") or (), self._share, lambda row: self._open(row.path))

    def _share(self, row: Row) -> float:
        return self.sizes.share(row.figures)

    def _open(self, path: str) -> list[Row] | None:
        """Opens a scope and returns the scopes that have a line of their own; None if there are too few lines left."""
        own, small = self._divided(path)
        needed = len(own) + bool(small)
        if path and needed > self.left:
            return None
        self.left -= needed
        self.opened[path] = own, small
        return [row for row in own if row.path in self.children]

    def _divided(self, path: str) -> tuple[list[Row], list[Row]]:
        """Returns the rows of a scope that have a line of their own, as those that lack a cost, and those that share
        one."""
        rows, uncosted = self.children.get(path, []), self.report.coverage.by_path
        small = {row.path for row in rows if row.path not in uncosted and self.sizes.is_small(row.figures)}
        if len(small) == len(rows):  # many equal ones
            small = set()
        if len(rows) - len(small) + bool(small) > LINES:
            largest = sorted((row for row in rows if row.path not in small), key=self._share, reverse=True)
            small |= {row.path for row in largest[LINES - 1 :]} - uncosted.keys()
        if len(small) == 1:
            small = set()
        return [row for row in rows if row.path not in small], [row for row in rows if row.path in small]

    def branches(self, path: str) -> list[Branch]:
        """Returns the lines of what is in an open scope."""
        own, small = self.opened[path]
        found: list[Branch] = []
        for row in own:
            found.append(_branch(row, self.repeats))
            if row.path in self.opened:
                found += self.branches(row.path)
        if small:
            largest = max(small, key=self._share)  # of equal ones the first
            found.append(_sum(largest, small, self.report))
        return found


def _branch(row: Row, repeats: dict[str, Dim]) -> Branch:
    label = last(row.path)
    if not same(row.repeat, repeats.get(parent(row.path), 1)):
        label = f"{label.removesuffix('.*')} ×{row.repeat}"
    return Branch(row, label)


def _sum(largest: Row, rows: Sequence[Row], report: Report) -> Branch:
    figures = reduce(adder(report.quantities), [row.figures for row in rows])
    shares = [row.share for row in rows]
    row = attrs.evolve(rows[0], operator="", figures=figures, share=sum(shares[1:], start=shares[0]))
    return Branch(row, f"{last(largest.path)} and {len(rows) - 1} more", len(rows))


def gathered_note(branches: Iterable[Branch]) -> tuple[str, ...]:
    """Returns what a reader must know of lines that stand for several rows; nothing if there are none."""
    if not any(branch.gathered for branch in branches):
        return ()
    return ("lines “and … more” are sums of what is less than 0.1 % each; give a depth to list each",)
