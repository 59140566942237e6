"""What stands in and on the boxes: text made safe, then put together as Graphviz's HTML-like labels.

Names come from files. In a label they are escaped for HTML; in a tooltip (an `escString`, where a backslash and an
ampersand mean something) for that. Characters that cannot be printed, which XML could not hold or which would turn the
text's direction, are written as escapes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import graphviz

from graphacct.dims import is_array, is_symbol, shape_text
from graphacct.render.printable import printable
from graphacct.tensors import TensorSpec

LONGEST_NAME = 44
LONGEST_SHAPE = 60
LONGEST_TOOLTIP = 2000
NAME_SIZE = 11
TEXT_SIZE = 9
"""Whole points: graphviz-pure cuts a fraction off."""
WIDTH = 225
"""Points that a box is wide at least, so that the main path is a column."""


def clean(text: str, longest: int = LONGEST_TOOLTIP) -> str:
    """`text` in one line of printable characters, its middle left out where it is too long."""
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[len(text) - half :]}"
    return printable(text)


def escape(text: str, longest: int = LONGEST_NAME) -> str:
    """`text` for an HTML-like label."""
    return html.escape(clean(text, longest)) or " "


def tooltip(lines: Iterable[str]) -> Any:
    """Lines of text as an escString: literal, whatever is in them."""
    safe = (clean(line).replace("\\", "\\\\").replace("&", "&amp;") for line in lines if line)
    return graphviz.nohtml("\\n".join(safe))


def shape(spec: TensorSpec) -> str:
    """Returns a shape as it is printed in the picture, with its dtype where that is not a float's."""
    text = shape_text(spec.shape)
    return text if "float" in spec.dtype else f"{spec.dtype} {text}"


def font(text: str, size: int = TEXT_SIZE, colour: str = "", bold: bool = False) -> str:
    """Escaped text in a font."""
    inner = f"<B>{text}</B>" if bold else text
    tint = f' COLOR="{colour}"' if colour else ""
    return f'<FONT POINT-SIZE="{size}"{tint}>{inner}</FONT>'


def table(rows: Iterable[str], attributes: str = 'CELLSPACING="0" CELLPADDING="0"') -> str:
    """Rows as a borderless table, ready to be a label."""
    return f'<TABLE BORDER="0" CELLBORDER="0" {attributes}>{"".join(rows)}</TABLE>'


def row(*cells: str) -> str:
    """Cells as a row."""
    return f"<TR>{''.join(cells)}</TR>"


def cell(content: str, attributes: str = 'ALIGN="LEFT"') -> str:
    """Returns a cell."""
    return f"<TD {attributes}>{content}</TD>" if attributes else f"<TD>{content}</TD>"


def box(name: str, kind: str, figures: str, share: str, ink: str, tall: bool = True) -> str:
    """Returns a box's label: name and kind, figures, and the share at the right; in two lines, or in one when not
    `tall`."""
    size = NAME_SIZE if tall else TEXT_SIZE
    gap = font(" ", TEXT_SIZE)  # text alone in its cell would stand lower than its neighbours
    words = font(name, size, ink, bold=True) + (font("  ", TEXT_SIZE) + font(kind, TEXT_SIZE, ink) if kind else "")
    numbers = (font(figures, TEXT_SIZE, ink) if figures else "") + gap
    right = (font(share, size, ink, bold=tall) if share else "") + gap
    wide, narrow = f'ALIGN="LEFT" WIDTH="{WIDTH - 50}"', 'ALIGN="RIGHT" WIDTH="50"'
    if tall:
        rows = [row(cell(words, wide), cell(right, f'ROWSPAN="2" {narrow}')), row(cell(numbers))]
    else:
        rows = [row(cell(f"{words}{font('   ', TEXT_SIZE)}{numbers}", wide), cell(right, narrow))]
    return f"<{table(rows)}>"


def numeric(value: Any) -> bool:
    """Returns whether a figure is one number, so that it has a colour and a share."""
    return value is not None and not (is_symbol(value) or is_array(value))
