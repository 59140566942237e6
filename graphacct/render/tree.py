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
from graphacct.render.folding import Fold, folded
from graphacct.render.opening import Sizes
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
        fold: What the line stands for.
    """

    row: Row
    label: str
    fold: Fold


def tree(report: Report, depth: int | None, chosen: Sequence[str] = ()) -> list[Branch]:
    """Returns the lines of a report's tree, in its order; those that stand for several rows after their neighbours.

    With a depth, these are all rows of so many levels. Without one they are at most 36, as long as something can
    share a line; of `chosen` columns, too, none loses a row that is not small.

    Raises ConfigError for a depth below 1.
    """
    repeats = {row.path: row.repeat for row in report.by_scope}
    check_depth(depth)
    if depth is not None:
        return [_branch(row, repeats) for row in report.by_scope if row.depth < depth]
    sizes, rows = Sizes(report, chosen), {row.path: row for row in report.by_scope}

    def share(path: str) -> float:
        return sizes.share(rows[path].figures)

    def small(path: str) -> bool:
        return sizes.is_small(rows[path].figures)

    lines = folded(rows, share, small, report.coverage.by_path, LINES)
    return [
        Branch(gather(map(rows.__getitem__, line.paths), report), line.label, line)
        if line.gathered
        else _branch(rows[line.path], repeats)
        for line in lines
    ]


def gather(rows: Iterable[Row], report: Report) -> Row:
    """Returns the sum of several rows of a report."""
    first, *more = rows
    figures = reduce(adder(report.quantities), [row.figures for row in (first, *more)])
    return attrs.evolve(first, operator="", figures=figures, share=sum((row.share for row in more), start=first.share))


def _branch(row: Row, repeats: dict[str, Dim]) -> Branch:
    label = last(row.path)
    if not same(row.repeat, repeats.get(parent(row.path), 1)):
        label = f"{label.removesuffix('.*')} ×{row.repeat}"
    return Branch(row, label, Fold((row.path,)))
