"""Which edges are residual: those whose value goes around other boxes and joins their result.

The structure decides, not an operator's name. An edge is residual if everything that enters its end has the shape of
what leaves there (an element-wise merge), and another path through other boxes leads from its start to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graphacct.dims import same_shape

if TYPE_CHECKING:
    from graphacct.render.picture.scene import Box, Edge


def residual(boxes: Iterable[Box], edges: Sequence[Edge]) -> set[int]:
    """Returns the indices of the residual `edges`. The boxes are in the order in which they run."""
    box_of = {box.id: box for box in boxes}
    order = {name: index for index, name in enumerate(box_of)}
    entering: dict[str, list[tuple[int, Edge]]] = {}
    leaving: dict[str, list[str]] = {}
    for index, edge in enumerate(edges):
        if edge.kind == "data" and order[edge.tail] < order[edge.head]:
            entering.setdefault(edge.head, []).append((index, edge))
            leaving.setdefault(edge.tail, []).append(edge.head)
    found: set[int] = set()
    for head, candidates in entering.items():
        shown = box_of[head].shown
        if box_of[head].kind != "node" or shown is None or len(candidates) < 2:
            continue
        if not all(edge.spec is not None and same_shape(edge.spec.shape, shown.shape) for _, edge in candidates):
            continue
        found.update(index for index, edge in candidates if not edge.views and _goes_round(edge, leaving, order))
    return found


def _goes_round(edge: Edge, leaving: dict[str, list[str]], order: dict[str, int]) -> bool:
    """Returns whether another path, through other boxes, leads from the edge's start to its end."""
    last = order[edge.head]
    ahead = [name for name in leaving[edge.tail] if name != edge.head]
    seen = set(ahead)
    while ahead:
        for name in leaving.get(ahead.pop(), ()):
            if name == edge.head:
                return True
            if name not in seen and order[name] < last:
                seen.add(name)
                ahead.append(name)
    return False
