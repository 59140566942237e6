"""The opening view: which scopes of a page are open at first."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.render.page.tree import ROOT, Tree

MOST = 30
"""The most parts that are readable at once."""
LEAST = 0.02
"""A scope with a smaller share of the model stays closed."""


def opened(tree: Tree, weights: Sequence[float], depth: int | None) -> list[int]:
    """Returns the open scopes: those above a depth, or unless it is given one after the other the one that matters
    most, as long as the view stays readable.

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
    found: list[int] = [ROOT]
    count = len(tree.parts[ROOT].children)
    ahead = [child for child in tree.parts[ROOT].children if tree.parts[child].box is None]
    while ahead:
        number = max(ahead, key=lambda each: (weight[each], -each))
        ahead.remove(number)
        children = tree.parts[number].children
        alone = len(children) == 1 or len(found) == 1
        if weight[number] < LEAST or (not alone and count + len(children) > MOST):
            continue
        found.append(number)
        count += len(children)
        ahead += [child for child in children if tree.parts[child].box is None]
    return sorted(found)
