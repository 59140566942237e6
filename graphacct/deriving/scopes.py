"""The scopes that have a formula of their own, and whose sum is the whole."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.formulas.terms import Number
from graphacct.graph.paths import depth as depth_of
from graphacct.graph.paths import outward
from graphacct.reports.opening import largest_first

LINES = 30
"""Unless a depth is given, scopes are opened as long as they are so many lines, those that cost most first."""


def scopes(figures: Sequence[tuple[str, Number]], combine: str, around: int, depth: int | None) -> list[str]:
    """Returns scopes, and nodes above them, each node in one of them.

    Args:
        figures: Each node's path and its figure.
        combine: How figures combine: `sum` or `max`.
        around: How many scopes stand around all of them.
        depth: Levels of scopes below those; unless given, scopes are opened where most of the quantity is.

    >>> scopes([("h.*.ln", 2), ("h.*.mlp.up", 50), ("h.*.mlp.down", 50), ("head", 40)], "sum", 0, None)
    ['h.*.ln', 'h.*.mlp.up', 'h.*.mlp.down', 'head']
    >>> scopes([("h.*.ln", 2), ("h.*.mlp.up", 50), ("h.*.mlp.down", 50), ("head", 40)], "sum", 0, 2)
    ['h.*.ln', 'h.*.mlp', 'head']
    """
    names = dict.fromkeys(name for name, _ in figures)
    top = _at(names, around + (depth or 1))
    if depth is not None:
        return top
    sizes: dict[str, Number] = {}
    for name, figure in figures:
        for scope in outward(name):
            before = sizes.get(scope, 0)
            sizes[scope] = max(before, figure) if combine == "max" else before + figure
    whole = max(sizes.values(), default=0) or 1
    shown = dict.fromkeys(top)

    def opened(scope: str) -> list[str] | None:
        below = [name for name in names if name.startswith(f"{scope}.")]
        if not below or scope in names:
            return []
        inner = _at(below, depth_of(scope) + 2)
        if len(shown) - 1 + sum(sizes[each] != 0 for each in inner) > LINES:
            return None
        del shown[scope]
        shown.update(dict.fromkeys(inner))
        return inner

    largest_first(top, lambda scope: float(sizes[scope] / whole), opened)
    return [path for path in dict.fromkeys(scope for name in names for scope in outward(name)) if path in shown]


def _at(names: Sequence[str] | dict[str, None], levels: int) -> list[str]:
    """Returns the scopes of so many levels around nodes, and the nodes above them."""
    return list(dict.fromkeys(next((s for s in outward(name) if depth_of(s) < levels), name) for name in names))
