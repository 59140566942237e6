"""Where the main path of a U-Net turns, so that its second half rises beside the first, with the skips across.

A model is one if values go from its first half around the middle into its second half, the last that is computed used
first: `down_blocks.2` gives `up_blocks.1`, and `down_blocks.0` `up_blocks.3`. No name says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise

import attrs

from graphacct.render.picture.bundles import Bundle
from graphacct.render.picture.scene import Edge, Scene, reached

SKIPS, LEVELS = 4, 3
"""How many arrows must go across, and from how many boxes: fewer are no U."""

WIDER = {"nodesep": "0.6"}
"""The inches between boxes of a row, so that there is room for the skips."""


@attrs.frozen
class Turn:
    """A path that turns.

    Attributes:
        rising: The boxes of the half that rises: the first after the turn, and all that depends on it.
        bottom: The boxes at the ends of the arrow where it turns.
        across: The indices of the arrows that go from one half to the other.
        rows: Pairs of boxes, one of each half, at the same height: the ends of skips, and boxes between them.
        above: Pairs of boxes, the first of which stands above the second: what the first half uses above its skips.
    """

    rising: Set[str]
    bottom: tuple[str, str]
    across: Set[int]
    rows: Sequence[tuple[str, str]]
    above: Sequence[tuple[str, str]]

    def upwards(self, edge: Edge) -> dict[str, str]:
        """Returns the attributes of an edge that rises, which is drawn from its end since a layout runs down; none if
        it does not."""
        if edge.head not in self.rising:
            return {}
        at_side = {} if edge.tail in self.rising else {"headport": "e"}
        return {"dir": "forward" if edge.kind == "loop" else "back", **at_side}

    def apart(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Yields what stands above what: the pairs of which neither rises, and its own."""
        yield from (pair for pair in pairs if self.rising.isdisjoint(pair))
        yield from self.above


def turn(scene: Scene, arrows: Sequence[Bundle]) -> Turn | None:
    """Returns where the main path turns; None if it does not."""
    path = scene.spine()
    place = {name: index for index, name in enumerate(path)}
    skips = []
    for arrow in arrows:
        tail, head = (place.get(end, -1) for end in arrow.ends)
        if arrow.edges[0].kind == "data" and -1 < tail < head - 1:
            skips.append((tail, head))
    count = {at: sum(tail < at < head for tail, head in skips) for at in range(len(path))}
    at = max(count, key=lambda at: (count[at], at), default=0)
    over = sorted({(tail, head) for tail, head in skips if tail < at < head}, key=lambda ends: (ends[0], -ends[1]))
    nested = all(one[1] >= other[1] for one, other in pairwise(over))
    if len(over) < SKIPS or min(len({*ends}) for ends in zip(*over, strict=True)) < LEVELS or not nested:
        return None
    bottom = (path[at], path[at + 1])
    rising = _after(bottom[1], scene)
    tails, heads = set[int](), set[int]()
    ends = []
    for tail, head in reversed(over):  # one row for each box, from the bottom up
        if tail not in tails and head not in heads:
            ends.append((tail, head))
        tails.add(tail)
        heads.add(head)
    across = {arrow.index for arrow in arrows if arrow.ends[0] not in rising and arrow.ends[1] in rising}
    across -= {arrow.index for arrow in arrows if arrow.ends == bottom}
    rows = [(path[left], path[right]) for left, right in (*ends, *_between(ends))]
    first = path[over[0][0]]
    after = _after(first, scene)
    used = (arrow.ends for arrow in arrows if arrow.ends[1] in place and arrow.ends[1] not in rising)
    above = {(tail, first): None for tail, _ in used if tail not in place and tail not in after}
    return Turn(rising, bottom, across, rows, [*above])


def _between(ends: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields pairs of places on the path between one skip and the next, those of the shorter piece spread over the
    longer one."""
    for (left, right), (upper, beyond) in pairwise(ends):
        down, up = range(upper + 1, left), range(beyond - 1, right, -1)
        count, most = sorted((len(down), len(up)))
        for place in range(count):
            spread = (place + 1) * (most + 1) // (count + 1) - 1
            yield (down[place], up[spread]) if len(down) == count else (down[spread], up[place])


def _after(start: str, scene: Scene) -> set[str]:
    """Returns a box and all that depend on it."""
    leaving: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.kind not in ("loop", "tied"):
            leaving.setdefault(edge.tail, []).append(edge.head)
    return {start} | reached([start], leaving)
