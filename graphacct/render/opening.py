"""Which scopes of a report are opened where there is room for some: those where the cost is, the largest first.

Tables and pictures of default depth ask this. They say themselves what there is room for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from graphacct.dims import Dim, same
from graphacct.reports.report import Report

Thing = TypeVar("Thing")

MEASURES = ("params", "flops", "step_flops", "activation_bytes", "saved_bytes")
"""The quantities by which something is small: if it is in each of them, and in those that were chosen."""
WORK = ("step_flops", "flops")
"""The quantities by whose share scopes are opened: the first that a report has."""
SMALL = 0.001
"""The share below which something is small."""
LARGE = 0.01
"""The share from which on a scope is worth opening."""
LESS = 10
"""How much smaller a scope is than one that there was no room for, if it stays closed for that reason alone."""


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


def largest_first(
    shown: Iterable[Thing], share: Callable[[Thing], float], opened: Callable[[Thing], Iterable[Thing] | None]
) -> None:
    """Asks for scope after scope whether there is room for what is in it, the one with the largest share first.

    `opened` opens a scope and returns the scopes that it shows, which may be opened next; None if there is no room for
    them. Where there was none for a large one, much smaller ones stay closed too: they would look like what matters.
    """
    waiting, least = list(shown), LARGE
    while waiting:
        scope = max(waiting, key=share)  # of equal ones the first
        if share(scope) < least:
            return
        waiting.remove(scope)
        inner = opened(scope)
        if inner is None:
            least = max(least, share(scope) / LESS)
        else:
            waiting += inner


def _part(part: Any, whole: Any) -> float:
    if isinstance(part, (int, float)) and isinstance(whole, (int, float)):
        return abs(part / whole)
    return 1.0
