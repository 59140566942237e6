"""Arrows between what stands side by side, drawn anew in a layout's SVG: from an encoder's end to its decoder, or from
one column of a long picture to the next.

A layout draws such an arrow around boxes. Here it leaves at the side, runs up or down where it meets the least, and
enters at the side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from graphacct.render.picture.labels import FONT
from graphacct.render.picture.markup import WIDE
from graphacct.render.picture.markup import curve as along
from graphacct.render.picture.shapes import Drawing, Item, Path, Rectangle, crossed, items_of, overlap

LENGTH, HALF = 6.0, 2.1
"""The length of an arrow's head and half of its width, in points."""
CORNER, STEP, CLEAR = 8.0, 1.0, 2.5
"""How round corners are, how finely a place is looked for, and how far arrows stay from boxes and frames."""
BOX, ARROW, FRAME, BORDER = 100.0, 4.0, 1.0, 2.0
"""What it costs to run through a box, through an arrow, in a frame, and on a frame's border."""
NEAR = 3.0
"""How far from a frame's border that costs nothing."""
_POINTS = re.compile(r'(<polygon [^>]*points=")[^"]+"')
_D = re.compile(r' d="M[^"]+"')


def redraw(drawing: Drawing) -> None:
    """Draws the arrows of the class `across` anew."""
    items = drawing.items
    nodes = {item.title: item for item in items if item.kind == "node"}
    for arrow in items:
        if arrow.across:
            others = [item for item in items if item.kind == "edge" and item is not arrow]
            frames = [item.around() for item in items if item.kind == "cluster"]
            ends = [re.sub(":.*", "", name) for name in arrow.title.split("&#45;&gt;")]
            path = _path(nodes[ends[0]].around(), nodes[ends[1]].around(), nodes, others, frames)
            if path:
                draw(drawing.lines, arrow, path)


def placed(dot: str, svg: str) -> str:
    """Returns DOT source with all places in it, for a PNG: arrows that are drawn anew are as in the SVG of the same
    layout."""
    lines = svg.split("\n")
    for arrow in items_of(lines):
        if arrow.across or arrow.moved:
            path, head = (_numbers(lines[number]) for number in arrow.numbers)
            way = " ".join(f"{x:.2f},{-y:.2f}" for x, y in path)
            (x, y), place = head[1], re.escape(arrow.title.replace("&#45;&gt;", " -> "))
            dot = re.sub(
                rf'({place}\s.*?\bpos=")[^"]*',
                rf"\g<1>{'s' if arrow.loop else 'e'},{x:.2f},{-y:.2f} {way}",
                dot,
                count=1,
                flags=re.DOTALL,
            )
    return dot.replace(f'"{WIDE}"', FONT)


def _numbers(line: str) -> list[tuple[float, float]]:
    """Returns the points of a path or a polygon."""
    drawn = re.search(r' (?:d|points)="M?([^"]+)"', line)
    numbers = [float(found) for found in re.findall(r"-?[\d.]+", drawn[1])] if drawn else []
    return [*zip(numbers[::2], numbers[1::2], strict=True)]


def rightwards(svg: str) -> bool:
    """Returns whether all arrows across go to the right."""
    arrows = [item for item in items_of(svg.split("\n")) if item.across and item.points]
    return all(arrow.points[0][0] < arrow.points[-1][0] for arrow in arrows)


def _path(
    tail: Rectangle, head: Rectangle, nodes: dict[str, Item], arrows: Sequence[Item], frames: Sequence[Rectangle]
) -> Path:
    """Returns the corners of the way from one box to another beside it that meets the least; none if it is not."""
    east = head[0] > tail[2]
    start, end = (tail[2], head[0]) if east else (tail[0], head[2])
    if not east and head[2] >= tail[0]:
        return []
    heights = [(box[1] + box[3]) / 2 for box in (tail, head)]
    first, last = sorted((start, end))
    around = (first - CLEAR, min(heights) - CLEAR, last + CLEAR, max(heights) + CLEAR)
    boxes = [box for item in nodes.values() if overlap(around, box := item.around()) and box not in (tail, head)]
    paths = [(place, item.points) for item in arrows if overlap(around, place := item.around())]
    if last - first < 2 * CORNER + LENGTH:
        return []
    count = int((last - first - CORNER - LENGTH) / STEP)
    places = [first + (CORNER if east else LENGTH) + STEP * place for place in range(count + 1)]
    met = cost((start, heights[0]), (end, heights[1]), boxes, paths, frames)
    x = min(places, key=lambda x: (met(x), abs(x - (first + last) / 2)))
    return [(start, heights[0]), (x, heights[0]), (x, heights[1]), (end, heights[1])]


def cost(
    start: tuple[float, float],
    end: tuple[float, float],
    boxes: Sequence[Rectangle],
    paths: Sequence[tuple[Rectangle, Path]],
    frames: Sequence[Rectangle],
) -> Callable[[float], float]:
    """Returns what says how much an arrow meets that leaves one point and enters another at the side, and runs up or
    down at some x."""
    low, high = sorted((start[1], end[1]))

    def cost_at(x: float) -> float:
        way = [start, (x, start[1]), (x, end[1]), end]
        met = 0.0
        for one, other in pairwise(way):
            left, right = sorted((one[0], other[0]))
            top, bottom = sorted((one[1], other[1]))
            place = (left, top, right, bottom)
            wide = (left - CLEAR, top - CLEAR, right + CLEAR, bottom + CLEAR)
            met += BOX * sum(overlap(wide, box) for box in boxes)
            met += ARROW * sum(crossed(place, [path]) for path in paths)
        met += FRAME * sum(overlap((x, low, x, high), frame) for frame in frames)
        beside = (frame for frame in frames if overlap((frame[0], low, frame[2], high), frame))
        gaps = (min(abs(x - frame[0]), abs(x - frame[2])) for frame in beside)
        met += BORDER * sum(max(0.0, 1 - gap / NEAR) for gap in gaps)
        return met

    return cost_at


def draw(lines: list[str], arrow: Item, path: Path, turned: bool = False) -> None:
    """Writes an arrow along corners in the place of its own, into the next repetition from its head on; of a `turned`
    one x and y are exchanged."""
    (near, tip) = path[-2:]
    way = 1.0 if tip[0] > near[0] else -1.0
    base = tip[0] - way * LENGTH
    head = [(base, tip[1] - HALF), tip, (base, tip[1] + HALF)]
    curve = [*_rounded([*path[:-1], (base, tip[1])])]
    if arrow.loop:
        curve.reverse()
    if turned:
        head, curve = ([(y, x) for x, y in some] for some in (head, curve))
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in head)
    arrow.points = [*along([number for point in curve for number in point])]
    first, *others = (f"{x:.2f},{y:.2f}" for x, y in curve)
    rest = " ".join(others)
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
