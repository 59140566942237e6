"""The rows of a comparison's table: of its scopes those that matter in any of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import same
from graphacct.graph.paths import parent
from graphacct.render.folding import folded, gathered_note
from graphacct.render.opening import SMALL
from graphacct.render.tree import gather
from graphacct.reports.comparison import SCOPE
from graphacct.reports.rows import share as share_of

if TYPE_CHECKING:
    from graphacct.render.folding import Fold
    from graphacct.reports.comparison import Comparison


@attrs.frozen
class CompareRow:
    """A row of a comparison, or several of one scope.

    Attributes:
        path: The scope's or node's path, the operator or the role; of several that with the largest share.
        scope: The row that it stands below; None if it stands below none.
        others: How many more rows it stands for.
        values: For each column the quantity; None if the model has no such row.
        shares: For each column the part of the model's total, 0 to 1; None if there is none.
        uncosted: For each column the number of nodes without a cost.
    """

    path: str
    scope: str | None
    others: int
    values: tuple[Any, ...]
    shares: tuple[Any, ...]
    uncosted: tuple[int, ...]

    @property
    def heading(self) -> str:
        """The path, and how many share the row."""
        return f"{self.path} and {self.others} more" if self.others else self.path

    @property
    def label(self) -> str:
        """The heading below the row of its scope."""
        return self.heading if self.scope is None else self.heading[len(self.scope) + bool(self.scope) :]


def compare_rows(found: Comparison, lines: int) -> tuple[list[CompareRow], int, tuple[str, ...]]:
    """Returns the rows of a comparison's table, how many of 0 are left out, and what a reader must know of the others.

    Rows in which every model has 0 are left out. Scopes are opened until there are so many `lines`, unless a depth was
    asked for: what is less than a thousandth of each model shares a line.
    """
    rows = {
        row[0]: row
        for row in zip(found.paths, found.values, found.shares, found.uncosted, strict=True)
        if any(row[3]) or not all(value is None or same(value, 0) for value in row[1])
    }
    empty = len(found.paths) - len(rows)
    if found.by != SCOPE or found.depth is not None:
        return [_row(found.by, rows, path) for path in rows], empty, ()

    def share(path: str) -> float:
        parts = [part for part in rows[path][2] if part is not None]
        return max((float(part) if isinstance(part, (int, float)) else 1.0 for part in parts), default=1.0)

    uncosted = {path for path, row in rows.items() if any(row[3])}
    shown = folded(rows, share, lambda path: share(path) < SMALL, uncosted, lines)
    found_rows = [_together(found, line) if line.gathered else _row(SCOPE, rows, line.path) for line in shown]
    return found_rows, empty, gathered_note(shown)


def _row(by: str, rows: Mapping[str, tuple[Any, ...]], path: str) -> CompareRow:
    scope = parent(path) if by == SCOPE and parent(path) in rows else None
    return CompareRow(path, scope, 0, *rows[path][1:])


def _together(found: Comparison, line: Fold) -> CompareRow:
    """Returns the row of several scopes: in each column the sum of those that the model has."""
    values, shares = [], []
    for report in found.reports:
        there = {row.path: row for row in report.by_scope}
        rows = [there[path] for path in line.paths if path in there]
        value = report.figure(found.quantity, gather(rows, report).values) if rows else None
        values.append(value)
        sums = report.quantity(found.quantity).adds_up and value is not None
        shares.append(share_of(value, report.figure(found.quantity)) if sums else None)
    others, nothing = line.gathered - 1, (0,) * len(values)
    return CompareRow(line.path, parent(line.path), others, tuple(values), tuple(shares), nothing)
