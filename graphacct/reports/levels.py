"""How many levels of scopes are shown: all of a small model, and of a large one as many as fit in a table."""

from __future__ import annotations

from collections.abc import Iterable

from graphacct.errors import ConfigError
from graphacct.reports.report import Report

DEPTH = 3
LINES = 30
"""By default a table shows up to three levels of scopes, as many as fit in 30 lines: GPT-2 XL takes 15."""


def levels(reports: Iterable[Report], depth: int | None) -> int:
    """Returns the levels of scopes to show: `depth`, or up to 3, as many as fit in 30 lines for each report."""
    check_depth(depth)
    if depth is not None:
        return depth
    depths = [[row.depth for row in report.by_scope] for report in reports]
    fitting = [level for level in range(1, DEPTH + 1) if all(sum(d < level for d in each) <= LINES for each in depths)]
    return max(fitting, default=1)


def check_depth(depth: int | None) -> None:
    """Raises ConfigError for a depth below 1."""
    if depth is not None and depth < 1:
        raise ConfigError(f"depth must be at least 1, not {depth}")
