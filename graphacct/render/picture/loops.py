"""Arrows into the next repetition, drawn anew in a layout's SVG where they leave the frame of their block.

A layout may lead one around other arrows, over the frame's border or through the frame of another scope. Here it leaves
its box at the side, runs back inside the frame where it meets the least, and enters at the side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphacct.render.picture.across import BOX, CORNER, LENGTH, NEAR, STEP, cost, draw
from graphacct.render.picture.shapes import LOOP, MOVED, Drawing, Item, Path, Rectangle, overlap

ASIDE = 2.0
"""How far an arrow stays from the border of its frame."""


def keep_inside(drawing: Drawing) -> None:
    """Draws arrows into a next repetition inside the frames of their blocks, if there is room."""
    items = drawing.items
    nodes = {item.title: item.around() for item in items if item.kind == "node"}
    frames = [item.around() for item in items if item.kind == "cluster"]
    for arrow in items:
        if arrow.role == LOOP:
            # It is written from its head, the entry of the block, so that the layout draws it like any other.
            head, tail = (nodes[re.sub(":.*", "", name)] for name in arrow.title.split("&#45;&gt;"))
            frame = _around(tail, head, frames)
            if frame is not None and not _inside(arrow.points, frame):
                others = [item for item in items if item.kind == "edge" and item is not arrow]
                _keep(drawing.lines, arrow, (tail, head), frame, nodes, others, frames)


def _keep(
    lines: list[str],
    arrow: Item,
    ends: tuple[Rectangle, Rectangle],
    frame: Rectangle,
    nodes: Mapping[str, Rectangle],
    others: Sequence[Item],
    frames: Sequence[Rectangle],
) -> None:
    """Draws an arrow anew, if there is a way inside the frame that meets no box."""
    turned = arrow.title.endswith(":s")  # where the main path is a row, the side is below
    boxes = [box for box in nodes.values() if box not in ends and overlap(box, frame)]
    paths = [(item.around(), item.points) for item in others if overlap(item.around(), frame)]
    if turned:
        ends = _turned(ends[0]), _turned(ends[1])
        frame, boxes, frames = _turned(frame), [*map(_turned, boxes)], [*map(_turned, frames)]
        paths = [(_turned(place), [(y, x) for x, y in points]) for place, points in paths]
    tail, head = ends
    start, end = ((box[2], (box[1] + box[3]) / 2) for box in (tail, head))
    first = max(start[0], end[0]) + CORNER + LENGTH
    places = [first + STEP * place for place in range(int((frame[2] - NEAR - first) / STEP) + 1)]
    met = cost(start, end, boxes, paths, frames)
    x = min(places, key=lambda x: (met(x), -x), default=None)
    if x is not None and met(x) < BOX:
        draw(lines, arrow, [start, (x, start[1]), (x, end[1]), end], turned)
        arrow.role = MOVED
        for number in range(arrow.numbers[0], -1, -1):
            if f'class="edge {LOOP}"' in lines[number]:
                lines[number] = lines[number].replace(f"edge {LOOP}", f"edge {MOVED}")
                break


def _around(tail: Rectangle, head: Rectangle, frames: Sequence[Rectangle]) -> Rectangle | None:
    """Returns the smallest frame that two boxes are in."""
    found = [frame for frame in frames if all(_inside([box[:2], box[2:]], frame, 0) for box in (tail, head))]
    return min(found, key=lambda frame: (frame[2] - frame[0]) * (frame[3] - frame[1]), default=None)


def _inside(points: Path, frame: Rectangle, aside: float = ASIDE) -> bool:
    left, top, right, bottom = frame
    return all(left + aside <= x <= right - aside and top + aside <= y <= bottom - aside for x, y in points)


def _turned(place: Rectangle) -> Rectangle:
    """Returns a rectangle with x and y exchanged."""
    return place[1], place[0], place[3], place[2]
