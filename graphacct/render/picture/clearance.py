"""Words that arrows run through, moved aside in a layout's SVG: heads of frames, and shapes at arrows.

A layout keeps frames' heads and arrows' shapes apart from boxes, but not from arrows: one into a narrow frame runs
through its head, and a shape can be far from its own arrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from graphacct.render.picture.shapes import TEXT, Drawing, Item, Path, Rectangle, crossed, enclosing, overlap

MOST = 400
"""The number of arrows above which words stay where they are: nobody reads them all."""
NEAR, GAP, STEP = 16.0, 3.0, 6.0
"""How far a shape may be from its arrow, how near heads may come to one, and how finely a free place is looked for."""
GAPS, FLAT = (3.0, 7.0, 12.0, 18.0), 12.0
"""How near shapes come to their arrows, the more the flatter these are; and what is tried last."""
NARROWEST = 0.9
"""The width of Helvetica by the widest font's: what is not under words in any font stays as it is."""


def cleared(drawing: Drawing) -> str:
    """Returns an SVG in which no head of a frame has an arrow through it, and shapes stand at their arrows."""
    lines, items = drawing.lines, drawing.items
    arrows = [item for item in items if item.kind == "edge"]
    if len(arrows) > MOST:
        return drawing.svg
    paths = [(item.around(), item.points) for item in arrows]
    boxes = [item.around() for item in items if item.kind == "node"]
    heads: list[Rectangle] = []
    above: list[str] = []
    for frame in items:
        if frame.kind == "cluster" and frame.texts:
            head = enclosing(frame.texts.values())
            right = _way_out(head, frame.around(), paths)
            if right is None:  # no room beside the arrow: the head is drawn over it
                above += _covered(lines, frame, paths)
            else:
                _move(lines, frame.texts, right, 0)
            heads.append(_moved(head, right or 0, 0))
    borders = [item.around() for item in items if item.kind == "cluster"]
    taken = [*boxes, *heads, *(enclosing(item.texts.values()) for item in arrows if item.texts)]
    for item in arrows:
        if item.texts:
            place = enclosing(item.texts.values())
            taken.remove(place)
            by = _at_arrow(place, item, taken, paths, borders)
            _move(lines, item.texts, *by)
            place = _moved(place, *by)
            taken.append(place)
            beside = [x for x, y in item.points if place[1] - NEAR < y < place[3] + NEAR]
            if len(item.texts) == 1 and beside and place[2] < min(beside):
                _end_at(lines, next(iter(item.texts)), place[2])
    end = max((number for number, line in enumerate(lines) if line == "</g>"), default=len(lines))
    return "\n".join([*lines[:end], *above, *lines[end:]])


def _way_out(head: Rectangle, frame: Rectangle, paths: Sequence[tuple[Rectangle, Path]]) -> float | None:
    """Returns how far to the right a head is free of arrows in its frame; None if nowhere."""
    left, top, right, bottom = head
    by = 0.0
    while right + by <= frame[2] - GAP or not by:
        if not crossed((left + by - GAP, top, right + by + GAP, bottom), paths):
            return by
        by += STEP
    return None


def _covered(lines: list[str], frame: Item, paths: Sequence[tuple[Rectangle, Path]]) -> Iterator[str]:
    """Yields the lines of a head that have arrows through them, on ground of the frame's colour, and takes them away
    from where they are."""
    rows: dict[float, list[int]] = {}
    for number, place in frame.texts.items():
        rows.setdefault(_baseline(place, lines[number]), []).append(number)
    for numbers in rows.values():
        left, top, right, bottom = enclosing(frame.texts[number] for number in numbers)
        right = left + NARROWEST * (right - left)
        if crossed((left, top, right, bottom), paths):
            corners = f"{left:.2f},{bottom:.2f} {left:.2f},{top:.2f} {right:.2f},{top:.2f} {right:.2f},{bottom:.2f}"
            yield f'<polygon fill="{frame.fill}" stroke="none" points="{corners}"/>'
            for number in numbers:
                yield lines[number]
                lines[number] = ""


def _baseline(place: Rectangle, line: str) -> float:
    """Returns the height at which a text stands."""
    found = TEXT.match(line)
    return float(found[2]) if found else place[3]


def _at_arrow(
    place: Rectangle,
    arrow: Item,
    taken: Sequence[Rectangle],
    paths: Sequence[tuple[Rectangle, Path]],
    frames: Sequence[Rectangle],
) -> tuple[float, float]:
    """Returns how far a shape moves so that it stands free beside its arrow, on no frame's border if there is such a
    place; not at all if it stands so, or cannot."""
    left, top, right, bottom = place
    width, middle = right - left, (top + bottom) / 2

    def free(spot: Rectangle) -> bool:
        return not any(overlap(spot, other) for other in taken) and not crossed(spot, paths)

    spots = []
    for x, y in arrow.points[2:-2]:
        for gap in GAPS:
            ways = [(x + gap - left, y - middle), (x - gap - width - left, y - middle)]
            if arrow.across:  # which is flat: above and below it
                ways += [(x - width / 2 - left, y - gap - bottom), (x - width / 2 - left, y + gap - top)]
            spots += [(gap > FLAT, right**2 + down**2, (right, down)) for right, down in ways]
    near = any(abs(x - left) < NEAR and abs(y - middle) < NEAR for x, y in arrow.points)
    tried = [(0.0, 0.0)] if near else []
    tried += [by for _, _, by in sorted(spots)]
    found = None
    for by in tried:
        if free(_moved(place, *by)):
            if not _on_border(_moved(place, *by), frames):
                return by
            found = found or by
    return found or (0.0, 0.0)


def _on_border(place: Rectangle, frames: Iterable[Rectangle]) -> bool:
    """Returns whether a border of a frame runs through a rectangle."""
    return any(
        overlap(place, frame)
        and not (frame[0] < place[0] and place[2] < frame[2] and frame[1] < place[1] and place[3] < frame[3])
        for frame in frames
    )


def _moved(place: Rectangle, right: float, down: float) -> Rectangle:
    return place[0] + right, place[1] + down, place[2] + right, place[3] + down


def _move(lines: list[str], texts: Iterable[int], right: float, down: float) -> None:
    for number in texts:
        if right or down:
            lines[number] = re.sub(
                r' x="([-\d.]+)" y="([-\d.]+)"',
                lambda found: f' x="{float(found[1]) + right:.2f}" y="{float(found[2]) + down:.2f}"',
                lines[number],
                count=1,
            )


def _end_at(lines: list[str], number: int, right: float) -> None:
    """Sets a text from its end, so that it stays at an arrow to its right in a narrower font."""
    end = f'text-anchor="end" x="{right:.2f}"'
    lines[number] = re.sub(r'text-anchor="start" x="[-\d.]+"', end, lines[number], count=1)
