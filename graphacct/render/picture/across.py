"""Arrows between what stands side by side, drawn anew in a layout's SVG: an encoder's end to its decoder.

A layout draws such an arrow around boxes. Here it leaves at the side, runs up or down where it meets the least, and
enters at the side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from graphacct.render.picture.shapes import CLASS, Item, Path, Rectangle, crossed, items_of, overlap

LENGTH, HALF = 6.0, 2.1
"""The length of an arrow's head and half of its width, in points."""
CORNER, STEP, CLEAR = 8.0, 3.0, 5.0
"""How round corners are, how finely a place is looked for, and how far arrows stay from boxes and frames."""
BOX, ARROW, FRAME = 100.0, 4.0, 1.0
"""What it costs to run through a box, through an arrow, and in a frame that goes on beside it."""
_POINTS = re.compile(r'(<polygon [^>]*points=")[^"]+"')
_D = re.compile(r' d="M[^"]+"')


def redrawn(svg: str) -> str:
    """Returns a layout's SVG with the arrows of the class `across` drawn anew."""
    if f'class="edge {CLASS}"' not in svg:
        return svg
    lines = svg.split("\n")
    items = [item for item in items_of(lines) if item.points]
    nodes = {item.title: item for item in items if item.kind == "node"}
    for arrow in items:
        if arrow.across:
            others = [item for item in items if item.kind == "edge" and item is not arrow]
            frames = [item.around() for item in items if item.kind == "cluster"]
            ends = [re.sub(":.*", "", name) for name in arrow.title.split("&#45;&gt;")]
            path = _path(nodes[ends[0]].around(), nodes[ends[1]].around(), nodes, others, frames)
            if path:
                _draw(lines, arrow, path)
    return "\n".join(lines)


def _path(
    tail: Rectangle, head: Rectangle, nodes: dict[str, Item], arrows: Sequence[Item], frames: Sequence[Rectangle]
) -> Path:
    """Returns the corners of the way from one box to another beside it that meets the least; none if it is not."""
    east = head[0] > tail[2]
    start, end = (tail[2], head[0]) if east else (tail[0], head[2])
    if not east and head[2] >= tail[0]:
        return []
    heights = [(box[1] + box[3]) / 2 for box in (tail, head)]
    low, high = sorted((start, end))
    boxes = [item.around() for item in nodes.values()]
    paths = [(item.around(), item.points) for item in arrows]

    def cost(x: float) -> float:
        way = [(start, heights[0]), (x, heights[0]), (x, heights[1]), (end, heights[1])]
        met = 0.0
        for one, other in pairwise(way):
            left, right = sorted((one[0], other[0]))
            top, bottom = sorted((one[1], other[1]))
            place = (left, top, right, bottom)
            wide = (left - CLEAR, top - CLEAR, right + CLEAR, bottom + CLEAR)
            met += BOX * sum(overlap(wide, box) for box in boxes if box not in (tail, head))
            met += ARROW * sum(crossed(place, [path]) for path in paths)
        upright = (x - CLEAR, min(heights), x + CLEAR, max(heights))
        met += FRAME * sum(overlap(upright, frame) for frame in frames)
        return met

    if high - low < 2 * CORNER + LENGTH:
        return []
    count = int((high - low - CORNER - LENGTH) / STEP)
    places = [low + (CORNER if east else LENGTH) + STEP * place for place in range(count + 1)]
    x = min(places, key=lambda x: (cost(x), abs(x - (low + high) / 2)))
    return [(start, heights[0]), (x, heights[0]), (x, heights[1]), (end, heights[1])]


def _draw(lines: list[str], arrow: Item, path: Path) -> None:
    """Writes an arrow along corners in the place of its own."""
    (near, tip) = path[-2:]
    way = 1.0 if tip[0] > near[0] else -1.0
    base = tip[0] - way * LENGTH
    points = f"{base:.2f},{tip[1] - HALF:.2f} {tip[0]:.2f},{tip[1]:.2f} {base:.2f},{tip[1] + HALF:.2f}"
    curve = " ".join(f"{x:.2f},{y:.2f}" for x, y in _rounded([*path[:-1], (base, tip[1])]))
    first, _, rest = curve.partition(" ")
    for number in arrow.numbers:
        lines[number] = _D.sub(f' d="M{first}C{rest}"', lines[number])
        lines[number] = _POINTS.sub(rf'\g<1>{points}"', lines[number])


def _rounded(path: Path) -> Iterator[tuple[float, float]]:
    """Yields a path of straight lines with round corners as cubic curves: a point, then control points and points."""
    at = path[0]
    yield at
    for corner, after in pairwise(path[1:]):
        radius = min(CORNER, _length(at, corner) / 2, _length(corner, after) / 2)
        before, beyond = _towards(corner, at, radius), _towards(corner, after, radius)
        yield from (at, before, before)
        yield from (_towards(before, corner, radius / 2), _towards(beyond, corner, radius / 2), beyond)
        at = beyond
    yield from (at, path[-1], path[-1])


def _length(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: tuple[float, float], end: tuple[float, float], by: float) -> tuple[float, float]:
    """Returns the point a distance from the start on a line."""
    length = _length(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * by / length, start[1] + (end[1] - start[1]) * by / length
