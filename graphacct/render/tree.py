"""The tree of scopes: which rows of a report a table shows, and which it shows as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import attrs

from graphacct.dims import Dim, same
from graphacct.graph.paths import last, parent
from graphacct.reports.levels import DEPTH, LINES, check_depth
from graphacct.reports.report import Report
from graphacct.reports.rows import Row, adder

FEWEST = 3
"""The fewest operators in a row that a table shows on one line."""
SEVERAL = "…"
"""What such a line is called."""
WORK = ("FLOP", "parameter")
"""The units of what an operator has that keeps its own line."""


@attrs.frozen
class Branch:
    """What one line of a tree shows.

    Attributes:
        row: A row of the report, or the sum of several.
        label: What the line is called.
        gathered: How many operators it stands for; 0 for a row.
    """

    row: Row
    label: str
    gathered: int = 0


def tree(report: Report, depth: int | None, gathering: bool = True) -> list[Branch]:
    """Returns the lines of a report's tree, in its order.

    With a depth, these are all rows of so many levels. Without one there are up to three levels, as many as fit in 30
    lines, and at least three operators in a row of the same scope that have neither FLOPs nor parameters (views,
    masks, positions) are one line, `…`. A table whose columns were chosen gathers none.

    Raises ConfigError for a depth below 1.
    """
    repeats = {row.path: row.repeat for row in report.by_scope}
    if depth is not None:
        check_depth(depth)
        return [_branch(row, repeats) for row in report.by_scope if row.depth < depth]
    depths = [row.depth for row in report.by_scope]
    fitting = [level for level in range(1, _deepest(depths) + 1) if sum(d < level for d in depths) <= LINES]
    return _gathered(report, max(fitting, default=1), repeats, FEWEST if gathering else len(repeats) + 1)


def _deepest(depths: Sequence[int]) -> int:
    """Returns the most levels to show: three, and those of scopes around everything, which a wrapped model has."""
    around = 0
    while depths.count(around) == 1:
        around += 1
    return around + DEPTH


def _gathered(report: Report, depth: int, repeats: dict[str, Dim], fewest: int) -> list[Branch]:
    rows = [row for row in report.by_scope if row.depth < depth]
    uncosted = report.coverage.by_path
    working = [index for index, item in enumerate(report.quantities) if item.unit in WORK]
    found: list[Branch] = []
    run: list[Row] = []

    def close() -> None:
        if len(run) >= fewest:
            found.append(_sum(run, report))
        else:
            found.extend(_branch(row, repeats) for row in run)
        run.clear()

    for place, row in enumerate(rows):
        leaf = row.operator and (place + 1 == len(rows) or parent(rows[place + 1].path) != row.path)
        above = parent(row.path)
        idle = leaf and row.path not in uncosted and same(row.repeat, repeats.get(above, 1))
        if not idle or not all(same(row.figures[index], 0) for index in working):
            close()
            found.append(_branch(row, repeats))
            continue
        if run and parent(run[-1].path) != above:
            close()
        run.append(row)
    close()
    return found


def _branch(row: Row, repeats: dict[str, Dim]) -> Branch:
    label = last(row.path)
    if not same(row.repeat, repeats.get(parent(row.path), 1)):
        label = f"{label.removesuffix('.*')} ×{row.repeat}"
    return Branch(row, label)


def _sum(rows: Sequence[Row], report: Report) -> Branch:
    figures = reduce(adder(report.quantities), [row.figures for row in rows])
    row = attrs.evolve(rows[0], operator=f"{len(rows)} operators", figures=figures)
    return Branch(row, SEVERAL, len(rows))


def gathered_note(branches: Iterable[Branch]) -> tuple[str, ...]:
    """Returns what a reader must know of lines that stand for several operators; nothing if there are none."""
    if not any(branch.gathered for branch in branches):
        return ()
    return (f"a line {SEVERAL} is several operators in a row without FLOPs and parameters; give a depth to list each",)
