"""How a picture looks: the direction in which it runs, its text, its colours and its width."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError, brief, suggest
from graphacct.render.picture.labels import NARROW, SHARE, SLIM, TEXT_SIZE, WIDTH
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.palette import grey
from graphacct.render.picture.shapes import CLASS, LOOP

TOP_DOWN, LEFT_RIGHT = "top-down", "left-right"
DIRECTIONS: Mapping[str, Mapping[str, str]] = {
    TOP_DOWN: {"rankdir": "TB"},
    LEFT_RIGHT: {"rankdir": "LR", "ranksep": "0.3", "nodesep": "0.15"},
}
NAMED = ("color", "fillcolor", "fontcolor")
"""The attributes of a node that are colours."""
UNLABELLED = "0.23"
"""The inches between rows of boxes where no arrow has a label."""
FONT_SIZES = (4, 40)
WIDTHS_CM = (2, 200)
CM_PER_INCH = 2.54
ANY_HEIGHT = 1000
"""A height in inches that no picture reaches, so that the width alone gives the scale."""
DEFAULTS: Mapping[str, Any] = {
    "orientation": TOP_DOWN,
    "font_size": TEXT_SIZE,
    "grey": False,
    "fields": None,
    "scope": None,
    "width_cm": None,
    "bare": False,
}
"""The keywords of a picture that a page does not have."""
_COLOUR = re.compile(r'\b(color|COLOR|BGCOLOR|fillcolor|fontcolor)="(#[0-9a-f]{6})"')
_LEAST = re.compile(f' WIDTH="(?:{"|".join(str(width) for width in (WIDTH - SHARE, NARROW - SHARE, SHARE))})"')
"""The least widths of what is in boxes."""
_HEX = re.compile("#[0-9a-f]{6}")
_TEXT, _CELL = re.compile(r'\b(POINT-SIZE|fontsize)(=")(\d+)"'), re.compile(r'\b(WIDTH|HEIGHT)(=")(\d+)"')


@attrs.frozen
class Look:
    """How a picture looks.

    Attributes:
        orientation: `top-down`, or `left-right`, for a wide place.
        font_size: The size in points of the text in the boxes, before `width_cm` scales the picture.
        grey: Whether greys of the same lightness stand for the colours.
        fields: The quantities that the boxes show; None for parameters, FLOPs and what colours them.
        width_cm: The width of the picture; None for its own.
        bare: Whether the title, the legend and the caption are left out.
        narrow: Whether boxes have a line more, and are narrower.
        columns: In how many columns a long picture is, if it has places where it can be broken.
    """

    orientation: str = TOP_DOWN
    font_size: int = TEXT_SIZE
    grey: bool = False
    fields: Sequence[str] | None = None
    width_cm: float | None = None
    bare: bool = False
    narrow: bool = False
    columns: int = 1

    def __attrs_post_init__(self) -> None:
        if self.orientation not in DIRECTIONS:
            raise ConfigError(
                f"a picture's orientation is not {brief(self.orientation)}{suggest(self.orientation, DIRECTIONS)}"
            )
        _check("font size", self.font_size, FONT_SIZES, "whole points")
        if self.font_size != int(self.font_size):
            raise ConfigError(f"a picture's font size is in whole points, not {brief(self.font_size)}")
        if self.width_cm is not None:
            _check("width", self.width_cm, WIDTHS_CM, "cm")

    @property
    def narrowness(self) -> int:
        """How narrow boxes are: not at all, narrow or slim."""
        return SLIM if self.narrow and self.orientation == LEFT_RIGHT else int(self.narrow)

    def graph(self) -> dict[str, str]:
        """Returns the attributes of the graph."""
        given = dict(DIRECTIONS[self.orientation])
        if self.width_cm is not None:
            given["size"] = f"{self.width_cm / CM_PER_INCH:.4f},{ANY_HEIGHT}!"
        return given

    def loop(self) -> dict[str, str]:
        """Returns the attributes of an edge into the next repetition, which leaves the boxes at their side."""
        side = "s" if self.orientation == LEFT_RIGHT else "e"
        return {"tailport": side, "headport": side, "class": LOOP}

    def apart(self) -> dict[str, str]:
        """Returns the attributes of a graph without labels at its arrows, which would make these twice as long."""
        return {} if self.orientation == LEFT_RIGHT else {"ranksep": UNLABELLED}

    def beside(self) -> dict[str, str]:
        """Returns the attributes of an edge to what stands beside its box."""
        return {} if self.orientation == LEFT_RIGHT else {"tailport": "e", "headport": "w", "class": CLASS}

    def styled(self, given: Mapping[str, str]) -> dict[str, str]:
        """Returns a plugin's attributes; for grey with the values of colours that have names, which `dress` greys."""
        if not self.grey:
            return dict(given)
        from graphacct.render.picture.engine import rgb

        return {name: rgb(text) if name in NAMED and not _HEX.fullmatch(text) else text for name, text in given.items()}

    def dress(self, dot: DotSource) -> None:
        """Changes the sizes and colours of a picture that is written."""
        if self.orientation == LEFT_RIGHT:  # where the main path is a row
            dot.change(lambda line: _LEAST.sub("", line))
        if self.font_size != TEXT_SIZE:
            dot.change(lambda line: _CELL.sub(self._larger, _TEXT.sub(self._larger, line)))
        if self.grey:
            dot.change(lambda line: _COLOUR.sub(lambda found: f'{found[1]}="{grey(found[2])}"', line))

    def _larger(self, found: re.Match[str]) -> str:
        return f'{found[1]}{found[2]}{max(1, round(int(found[3]) * self.font_size / TEXT_SIZE))}"'


def _check(what: str, value: float, bounds: tuple[int, int], unit: str) -> None:
    low, high = bounds
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f"a picture's {what} is {low} to {high} {unit}, not {brief(value)}")
