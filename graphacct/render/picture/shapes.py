"""What is drawn in a layout's SVG: frames, boxes and arrows, where they are and what runs through them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import attrs

from graphacct.render.picture.markup import DIGIT, ENDS, curve

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in points."""
Path: TypeAlias = list[tuple[float, float]]

CLASS = "across"
"""The class of an arrow between what stands side by side."""
LOOP, MOVED = "loop", "moved"
"""The class of an arrow into the next repetition, and of one that is drawn anew."""
ASCENT, DESCENT = 0.8, 0.25
"""How far text reaches above and below its line, in ems."""
TEXT = re.compile(r'<text [^>]*x="([-\d.]+)" y="([-\d.]+)" ([^>]*)>(.*)</text>')

_ITEM = re.compile(r'<g id="\w+" class="(cluster|node|edge)( \w+)?">')
_SIZE = re.compile(r'font-size="([\d.]+)"')
_PATH = re.compile(r'<path fill="([^"]+)"[^>]* d="M([^"]+)"')
_POLYGON = re.compile(r'<(?:polygon|polyline) [^>]*points="([^"]+)"')
_CIRCLE = re.compile(r'<ellipse [^>]*cx="([-\d.]+)" cy="([-\d.]+)" rx="([\d.]+)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@attrs.define
class Item:
    """A frame, a box or an arrow.

    Attributes:
        kind: `cluster`, `node` or `edge`.
        role: What else it is: CLASS, LOOP or MOVED of an arrow.
        title: What the layout program calls it: of an arrow both ends.
        points: Its outline, or the way of an arrow.
        fill: The colour inside.
        texts: Where its texts are, by the number of their line in the SVG.
        numbers: The numbers of the lines of its path and of its head.
    """

    kind: str
    role: str = ""
    title: str = ""
    points: Path = attrs.Factory(list)
    fill: str = ""
    texts: dict[int, Rectangle] = attrs.Factory(dict)
    numbers: list[int] = attrs.Factory(list)

    @property
    def across(self) -> bool:
        """Whether it is an arrow between what stands side by side."""
        return self.role == CLASS

    @property
    def loop(self) -> bool:
        """Whether it is an arrow into the next repetition."""
        return self.role in (LOOP, MOVED)

    @property
    def moved(self) -> bool:
        """Whether it is one that is drawn anew."""
        return self.role == MOVED

    def around(self) -> Rectangle:
        """Returns the rectangle around its outline."""
        return enclosing((x, y, x, y) for x, y in self.points)


@attrs.frozen
class Drawing:
    """A layout's SVG, in which arrows and words are moved.

    Attributes:
        lines: Its lines.
        items: What is drawn in them.
    """

    lines: list[str]
    items: Sequence[Item]

    @classmethod
    def of(cls, svg: str) -> Drawing:
        """Reads an SVG."""
        lines = svg.split("\n")
        return cls(lines, [item for item in items_of(lines) if item.points])

    @property
    def svg(self) -> str:
        """The SVG as it is now."""
        return "\n".join(self.lines)


def items_of(lines: Sequence[str]) -> Iterator[Item]:
    """Yields the frames, boxes and arrows of an SVG."""
    item = None
    for number, line in enumerate(lines):
        begins = _ITEM.match(line) if line.startswith("<g ") else None
        if begins:
            if item is not None:
                yield item
            item = Item(begins[1], (begins[2] or "").strip())
        elif item is not None:
            _read(item, number, line)
    if item is not None:
        yield item


def _read(item: Item, number: int, line: str) -> None:
    """Adds what a line draws to an item."""
    if line.startswith("<title>"):
        item.title = line[len("<title>") : -len("</title>")]
    elif line.startswith("<text "):
        text = TEXT.match(line)
        if text and text[4].replace("&#160;", "").strip():
            item.texts[number] = _extent(text)
    elif line.startswith("<path "):
        path = _PATH.match(line)
        if path:
            item.numbers.append(number)
            item.fill = path[1]
            item.points += curve([float(found) for found in _NUMBER.findall(path[2])])
    elif line.startswith("<pol"):
        polygon = _POLYGON.match(line)
        if polygon:
            item.numbers.append(number)
            if item.kind == "node":
                numbers = [float(found) for found in _NUMBER.findall(polygon[1])]
                item.points += zip(numbers[::2], numbers[1::2], strict=False)
    elif line.startswith("<ellipse "):
        circle = _CIRCLE.match(line)
        if circle:
            x, y, radius = map(float, circle.groups())
            item.points += [(x - radius, y - radius), (x + radius, y + radius)]


def _extent(text: re.Match[str]) -> Rectangle:
    """Returns the rectangle of a text in the widest font."""
    x, y = float(text[1]), float(text[2])
    size = float((_SIZE.search(text[3]) or ["", "9"])[1])
    bold = "bold" in text[3]
    words = re.sub("&[^;]+;", " ", text[4])
    width = sum(ENDS.get(mark, DIGIT)[bold] for mark in words) * size
    return x, y - ASCENT * size, x + width, y + DESCENT * size


def crossed(place: Rectangle, paths: Iterable[tuple[Rectangle, Path]]) -> bool:
    """Returns whether an arrow runs through a rectangle."""
    return any(overlap(place, around) and any(cuts(place, *ends) for ends in pairwise(path)) for around, path in paths)


def cuts(place: Rectangle, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Returns whether a piece of a line runs through a rectangle: the part of it that is inside is not empty."""
    first, last = 0.0, 1.0
    for at, to, low, high in ((start[0], end[0], place[0], place[2]), (start[1], end[1], place[1], place[3])):
        if at == to:
            if not low <= at <= high:
                return False
        else:
            near, far = sorted(((low - at) / (to - at), (high - at) / (to - at)))
            first, last = max(first, near), min(last, far)
    return first <= last


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Returns whether two rectangles have a place in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def enclosing(places: Iterable[Rectangle]) -> Rectangle:
    """Returns the rectangle around others."""
    lefts, tops, rights, bottoms = zip(*places, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
