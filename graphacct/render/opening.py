"""How large the scopes of a report are: tables and pictures of default depth open the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct.dims import Dim, same
from graphacct.reports.report import Report

MEASURES = ("params", "flops", "step_flops", "activation_bytes", "saved_bytes")
"""The quantities by which something is small: if it is in each of them, and in those that were chosen."""
WORK = ("step_flops", "flops")
"""The quantities by whose share scopes are opened: the first that a report has."""
SMALL = 0.001
"""The share below which something is small."""


class Sizes:
    """How large a part of a report is, which its figures say."""

    def __init__(self, report: Report, chosen: Sequence[str] = ()) -> None:
        measured = {*MEASURES, *chosen}
        self._measures = [
            (place, report.total[item.name])
            for place, item in enumerate(report.quantities)
            if item.name in measured and item.adds_up and not same(report.total[item.name], 0)
        ]
        names = [item.name for item in report.quantities]
        work = [names.index(name) for name in WORK if name in names][:1]
        self._work = [pair for pair in self._measures if pair[0] in work] or self._measures

    def share(self, figures: Sequence[Dim]) -> float:
        """Returns the share of the work; 1 where it is no number, as in a report of symbols."""
        return max((_part(figures[place], whole) for place, whole in self._work), default=1.0)

    def is_small(self, figures: Sequence[Dim]) -> bool:
        """Returns whether it is less than a thousandth of everything."""
        return all(same(figures[place], 0) or _part(figures[place], whole) < SMALL for place, whole in self._measures)


def _part(part: Any, whole: Any) -> float:
    if isinstance(part, (int, float)) and isinstance(whole, (int, float)):
        return abs(part / whole)
    return 1.0
