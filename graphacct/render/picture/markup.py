"""The SVG of a layout made ready to be shown: edges inside, and text that keeps its distances in every font.

The boxes are laid out for DejaVu Sans, the widest of the fonts that programs take where Helvetica is missing, so that
text fits in any. A layout has a `text` for each run of words in one font, at a place computed for that font; here the
runs of a line become one `text`, in which they follow each other at whatever width they have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WIDE = "DejaVu Sans"
"""The font that the boxes are laid out for."""
FAMILY = "Helvetica,Arial,Liberation Sans,DejaVu Sans,sans-serif"
PIXELS_PER_INCH = 150
"""The resolution of PNG: sharp in a slide."""
SMALLEST = 4.5
"""The size of text, in points, below which it is not legible in print."""
MARGIN = 4.0
"""The points that are left free beyond an edge that leaves the layout's rectangle."""
STEPS = 8
"""How finely a curve is followed to see how far it goes."""
ENDS = {"%": (0.950, 1.002), ".": (0.318, 0.380), " ": (0.318, 0.348), **dict.fromkeys("<+−", (0.838, 0.838))}
DIGIT = (0.636, 0.696)
"""Widths in DejaVu Sans and its bold (their hmtx tables), in ems, of what shares are written with."""

DEFAULTS = {"font-weight": "normal", "font-size": "14.00", "fill": "#000000"}

_TEXT = re.compile(
    r'<text (?:xml:space="preserve" )?text-anchor="(\w+)" x="([-\d.]+)" y="([-\d.]+)" ([^>]*)>(.*)</text>'
)
_ATTRIBUTE = re.compile(r'([-\w]+)="([^"]*)"')
_SHARE = re.compile(r"[<+−]?[\d.]+ %")
_SIZE = re.compile(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="([-\d. ]+)"')
_SHIFT = re.compile(r"scale\(([\d.]+) [\d.]+\) rotate\(0\) translate\(([-\d.]+) ([-\d.]+)\)")
_PATH = re.compile(r' d="M([^"]+)"')
_PAPER = re.compile(r'<polygon fill="white" stroke="none" points="[^"]+"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


_PARTS = [
    ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in (step / STEPS for step in range(STEPS + 1))
]
"""How much of its four points each step of a cubic curve has."""


def ready(svg: str) -> str:
    """Returns a layout's SVG with a `text` for each line, in fonts that every machine has."""
    return "\n".join(_lines(svg.splitlines())) + "\n"


def scale(svg: str) -> float:
    """Returns how large what is drawn in an SVG is, by the size that its layout has."""
    size, shift = _SIZE.search(svg), _SHIFT.search(svg)
    if size is None or shift is None:
        return 1.0
    return float(shift[1]) * float(size[1]) / float(size[3].split()[2])


def dimensions(svg: str) -> tuple[float, float]:
    """Returns the width and height of an SVG in points."""
    found = _SIZE.search(svg)
    return (float(found[1]), float(found[2])) if found else (1.0, 1.0)


def inside(svg: str) -> str:
    """Returns the SVG with its paper as large as its edges need."""
    size, shift = _SIZE.search(svg), _SHIFT.search(svg)
    if size is None or shift is None:
        return svg
    factor, right, down = map(float, shift.groups())
    _, _, width, height = map(float, size[3].split())
    corners = [(0.0, 0.0), (width / factor, height / factor)]
    for path in _PATH.finditer(svg):
        corners += [(x + right, y + down) for x, y in curve([float(n) for n in _NUMBER.findall(path[1])])]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    left, top, east, south = min(xs), min(ys), max(xs), max(ys)
    if (left, top) == (0, 0) and (east, south) == corners[1]:
        return svg
    left, top = left - MARGIN * (left < 0), top - MARGIN * (top < 0)
    east, south = east + MARGIN * (east > corners[1][0]), south + MARGIN * (south > corners[1][1])
    box = [side * factor for side in (left, top, east - left, south - top)]
    wide = box[2] if factor == 1 else float(size[1])  # a width that was asked for stays
    tall = wide * box[3] / box[2]
    head = f'<svg width="{wide:.0f}pt" height="{tall:.0f}pt"\n viewBox="{" ".join(f"{side:.2f}" for side in box)}"'
    west, north, end, bottom = left - right, top - down, east - right, south - down
    rectangle = f"{west:.2f},{bottom:.2f} {west:.2f},{north:.2f} {end:.2f},{north:.2f} {end:.2f},{bottom:.2f}"
    svg = svg.replace(size[0], head, 1)
    return _PAPER.sub(f'<polygon fill="white" stroke="none" points="{rectangle}"', svg, count=1)


def curve(numbers: list[float]) -> Iterator[tuple[float, float]]:
    """Yields points on a path of cubic curves."""
    points = list(zip(numbers[::2], numbers[1::2], strict=False))
    for start in range(0, len(points) - 3, 3):
        a, b, c, d = points[start : start + 4]
        for p, q, r, s in _PARTS:
            yield p * a[0] + q * b[0] + r * c[0] + s * d[0], p * a[1] + q * b[1] + r * c[1] + s * d[1]


def _lines(lines: list[str]) -> Iterator[str]:
    """Yields the lines of an SVG, with runs of text that continue the one before in it."""
    runs: list[re.Match[str]] = []
    for line in lines:
        run = _TEXT.fullmatch(line)
        if run is not None and runs and run[3] == runs[0][3] and _blank(run[5]):
            runs.append(run)
            continue
        if runs:
            yield from _text(runs)
        runs = [run] if run is not None else []
        if run is None:
            yield line
    if runs:
        yield from _text(runs)


def _blank(words: str) -> bool:
    """Returns whether a run begins with a blank, so that it continues a line."""
    return words.startswith((" ", "&#160;"))


def _text(runs: list[re.Match[str]]) -> Iterator[str]:
    """Yields one `text` for the runs of a line; none for blanks."""
    while runs and not runs[-1][5].replace("&#160;", "").strip():
        runs = runs[:-1]
    if not runs:
        return
    anchor, x, y, look, words = runs[0].groups()
    share = words.replace("&lt;", "<")
    if _SHARE.fullmatch(share) and len(runs) == 1 and anchor == "start":
        font = _font(look)
        ems = sum(ENDS.get(mark, DIGIT)[font["font-weight"] == "bold"] for mark in share)
        anchor, x = "end", f"{float(x) + ems * float(font['font-size']):.2f}"
    look = re.sub('font-family="[^"]*"', f'font-family="{FAMILY}"', look)
    first = _font(runs[0][4])
    for run in runs[1:]:
        font = _font(run[4])
        given = " ".join(f'{name}="{value}"' for name, value in font.items() if value != first[name])
        words += f"<tspan {given}>{run[5]}</tspan>" if given else run[5]
    yield f'<text xml:space="preserve" text-anchor="{anchor}" x="{x}" y="{y}" {look}>{words}</text>'


def _font(look: str) -> dict[str, str]:
    """Returns the weight, size and colour of a run."""
    given = dict(_ATTRIBUTE.findall(look))
    return {name: given.get(name, default) for name, default in DEFAULTS.items()}
