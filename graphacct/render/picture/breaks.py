"""Where a long column of a picture is broken, so that its parts stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from graphacct.render.picture.bundles import Bundle
from graphacct.render.picture.scene import Chain, Scene, shared

ROWS = 2
"""The rows that the head of a frame takes, about."""


def breaks(scene: Scene, arrows: list[Bundle], columns: int) -> dict[int, str]:
    """Returns the indices of the arrows at which the main path is broken into a number of columns of about the same
    height, with the box below which each next column begins; none if there are no places near enough.

    An arrow is one if nothing else leads from what runs before it to what runs after, and if the frames around both its
    ends are the same for all.
    """
    order = {box.id: place for place, box in enumerate(scene.boxes)}
    path = scene.spine()
    rows = _rows(scene, path)
    found: dict[Chain, list[tuple[int, Bundle]]] = {}
    for chain, arrow in _bridges(scene, arrows, order):
        if arrow.ends[0] in rows and arrow.ends[1] in rows:
            found.setdefault(chain, []).append((rows[arrow.ends[1]], arrow))
    chain, bridges = max(found.items(), key=lambda item: len(item[1]), default=((), []))
    known = {box.id: box.scopes for box in scene.boxes}
    inside = [name for name in path if known[name][: len(chain)] == chain]
    if len(bridges) < columns or not inside:
        return {}
    first = path[max(path.index(inside[0]) - 1, 0)]
    top, bottom = rows[inside[0]], rows[inside[-1]]
    chosen: dict[int, str] = {}
    for part in range(1, columns):
        goal = top + (bottom - top) * part / columns
        row, arrow = min(bridges, key=lambda item: abs(item[0] - goal))
        if abs(row - goal) > (bottom - top) / (2 * columns):
            return {}
        chosen[arrow.index] = first
    return chosen


def _rows(scene: Scene, path: list[str]) -> dict[str, int]:
    """Returns about how far down the boxes of a path are."""
    known = {box.id: box for box in scene.boxes}
    begun: set[Chain] = set()
    rows: dict[str, int] = {}
    at = 0
    for name in path:
        chain = known[name].scopes
        frames = {chain[:level] for level in range(1, len(chain) + 1)}
        at += ROWS * len(frames - begun) + (known[name].kind != "entry")
        begun |= frames
        rows[name] = at
    return rows


def _bridges(scene: Scene, arrows: list[Bundle], order: dict[str, int]) -> Iterator[tuple[Chain, Bundle]]:
    """Yields the arrows that alone lead from what runs before them to what runs after, with the frames around both."""
    known = {box.id: box.scopes for box in scene.boxes}
    over = [0] * (len(order) + 1)
    for arrow in arrows:
        low, high = sorted(order[end] for end in arrow.ends)
        over[low] += 1
        over[high] -= 1
    crossing = 0
    after: dict[int, int] = {}
    for place in range(len(order)):
        crossing += over[place]
        after[place] = crossing
    for arrow in arrows:
        low, high = order[arrow.ends[0]], order[arrow.ends[1]]
        if arrow.edges[0].kind == "data" and low < high and any(after[place] == 1 for place in range(low, high)):
            tail, head = known[arrow.ends[0]], known[arrow.ends[1]]
            yield tail[: shared(tail, head)], arrow
