"""The opening view: which scopes of a page are open at first."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.render.page.tree import ROOT, Tree
from graphacct.reports.opening import largest_first

MOST = 30
"""The most parts that are readable at once."""


def opened(tree: Tree, weights: Sequence[float], depth: int | None) -> list[int]:
    """Returns the open scopes: those above a depth, or unless it is given those that matter most, as in tables and
    pictures, as long as the view stays readable.

    `weights` say how much each box of the picture matters.
    """
    if depth is not None:
        return [part.number for part in tree.parts if part.box is None and len(part.chain) < depth]
    weight = [0.0] * len(tree.parts)
    for part in reversed(tree.parts):
        if part.box is not None:
            weight[part.number] = weights[part.box]
        if part.number != ROOT:
            weight[part.parent] += weight[part.number]
    found = [ROOT]
    count = len(tree.parts[ROOT].children)

    def inner(number: int) -> list[int] | None:
        nonlocal count
        children = tree.parts[number].children
        alone = len(children) == 1 or len(found) == 1
        if not alone and count + len(children) > MOST:
            return None
        found.append(number)
        count += len(children)
        return _scopes(tree, number)

    largest_first(_scopes(tree, ROOT), weight.__getitem__, inner)
    return sorted(found)


def _scopes(tree: Tree, number: int) -> list[int]:
    return [child for child in tree.parts[number].children if tree.parts[child].box is None]
