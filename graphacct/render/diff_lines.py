"""The lines of a diff's table: of what differs, the scopes and nodes where most of the difference is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from graphacct.dims import maximum
from graphacct.graph.paths import depth as depth_of
from graphacct.graph.paths import outward
from graphacct.render.folding import Fold, folded
from graphacct.render.opening import SMALL

if TYPE_CHECKING:
    from graphacct.reports.diff import Change, Diff, Side

LINES = 30
"""The most lines of a diff of default depth."""


def diff_lines(found: Diff, paths: Sequence[str], depth: int | None) -> list[Fold]:
    """Returns the lines that show `paths`, scopes and nodes that differ: with a depth, all of so many levels.

    Without one they are all if they are few. Else the scope with the largest differences is opened first, and what is
    less than a thousandth of all differences shares a line with its neighbours.
    """
    if depth is not None or len(paths) <= LINES:
        return [Fold((path,)) for path in paths if depth is None or depth_of(path) < depth]
    moved = moved_by(found)
    most = max(moved.values())

    def share(path: str) -> float:
        return moved[path] / most

    return folded(paths, share, lambda path: share(path) < SMALL, (), LINES)


def moved_by(found: Diff) -> dict[str, int]:
    """Returns by how much what is in each scope differs; if nothing does in the compared figure, how many changes it
    holds."""
    moved = _moved(found.changes, lambda change: abs(_figure(change.other, found) - _figure(change.first, found)))
    return moved if any(moved.values()) else _moved(found.changes, lambda change: 1)


def inside_of(changes: Iterable[Change]) -> dict[str, dict[str, int]]:
    """Returns how many changes of each kind each scope and node holds."""
    found: dict[str, dict[str, int]] = {}
    for change in changes:
        for path in outward(change.path):
            kinds = found.setdefault(path, {})
            kinds[change.kind] = kinds.get(change.kind, 0) + 1
    return found


def kinds_of(line: Fold, inside: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Returns how many changes of each kind a line holds."""
    found: dict[str, int] = {}
    for path in line.paths:
        for kind, count in inside[path].items():
            found[kind] = found.get(kind, 0) + count
    return found


def figure_of(line: Fold, figures: Mapping[str, Any], combine: str) -> Any:
    """Returns the figure of a line in one model, `sum` or `max`; None if the model has nothing of it."""
    there = [figures[path] for path in line.paths if path in figures]
    return reduce(maximum if combine == "max" else add, there) if there else None


def _moved(changes: Iterable[Change], by: Callable[[Change], int]) -> dict[str, int]:
    """Returns by how much what is in each scope differs, whatever the direction."""
    moved: dict[str, int] = {}
    for change in changes:
        for path in outward(change.path):
            moved[path] = moved.get(path, 0) + by(change)
    return moved


def _figure(side: Side | None, found: Diff) -> int:
    """Returns the compared figure of one side; 0 if it is not there, has no cost or no number."""
    value = None if side is None or side.values is None else side.values[found.quantity]
    return value if isinstance(value, int) else 0
