"""The text in and on the boxes: made safe, then put together as Graphviz's HTML-like labels.

Names come from files. In a label they are escaped for HTML, and in a tooltip as an `escString`, in which a backslash
and an ampersand have a meaning. Characters that are unprintable, not allowed in XML or change the text's direction are
written as escapes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from graphacct.dims import is_array, is_symbol, shape_text
from graphacct.render.picture.lines import Literal
from graphacct.render.printable import printable
from graphacct.tensors import TensorSpec

FONT = "Helvetica"
LONGEST_NAME = 44
LONGEST_SHAPE = 60
LONGEST_TOOLTIP = 2000
NAME_SIZE = 11
TEXT_SIZE = 9
"""In whole points: graphviz-pure drops fractions."""
WIDTH = 225
NARROW = 150
SHARE = 50
"""The least width of a box in points, so that the main path is a column; of a narrow one; and of its share."""

SLIM = 2
"""How narrow boxes are where the main path is a row."""


def clean(text: str, longest: int = LONGEST_TOOLTIP) -> str:
    """Returns `text` as one line of printable characters, without its middle if it is too long."""
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[len(text) - half :]}"
    return printable(text)


def escape(text: str, longest: int = LONGEST_NAME) -> str:
    """Returns `text` escaped for an HTML-like label."""
    return html.escape(clean(text, longest)) or " "


def tooltip(lines: Iterable[str]) -> Literal:
    """Returns lines of text as an escString in which every character is literal."""
    safe = (clean(line).replace("\\", "\\\\").replace("&", "&amp;") for line in lines if line)
    return Literal("\\n".join(safe))


def shape(spec: TensorSpec) -> str:
    """Returns a shape as the picture shows it, with the dtype unless it is a float."""
    text = shape_text(spec.shape)
    return text if "float" in spec.dtype else f"{spec.dtype} {text}"


def font(text: str, size: int = TEXT_SIZE, colour: str = "", bold: bool = False) -> str:
    """Returns escaped text in a font."""
    inner = f"<B>{text}</B>" if bold else text
    tint = f' COLOR="{colour}"' if colour else ""
    return f'<FONT POINT-SIZE="{size}"{tint}>{inner}</FONT>'


def table(rows: Iterable[str], attributes: str = 'CELLSPACING="0" CELLPADDING="0"') -> str:
    """Returns rows as a borderless table, ready to be a label."""
    return f'<TABLE BORDER="0" CELLBORDER="0" {attributes}>{"".join(rows)}</TABLE>'


def row(*cells: str) -> str:
    """Returns cells as a row."""
    return f"<TR>{''.join(cells)}</TR>"


def cell(content: str, attributes: str = 'ALIGN="LEFT"') -> str:
    """Returns a cell."""
    return f"<TD {attributes}>{content}</TD>" if attributes else f"<TD>{content}</TD>"


def box(
    name: str,
    kind: str,
    given: str,
    figures: str,
    share: str,
    ink: str,
    tall: bool = True,
    narrow: int = 0,
    said: str = "",
) -> str:
    """Returns a box's label: name and kind, the shape and the figures, and the share at the right. All but `given`'s
    and `figures`' blanks are escaped; `kind` is ready-made runs, or text.

    A `tall` box has two lines, others one; a `narrow` one has a line more, and what is `said` too; a SLIM one has a
    line for each thing. Runs that continue a line begin with blanks, by which the SVG's lines are put together.
    """
    size = NAME_SIZE if tall else TEXT_SIZE
    gap = font(" ", TEXT_SIZE)  # text alone in its cell would sit lower than its neighbours
    runs = kind if not kind or kind.startswith("<") else font(f"  {kind}", TEXT_SIZE, ink)
    words = font(name, size, ink, bold=True) + ("" if narrow == SLIM else runs)
    right = (font(share, size, ink, bold=tall) if share else "") + gap
    wide = NARROW if narrow else WIDTH
    left, ending = f'ALIGN="LEFT" WIDTH="{wide - SHARE}"', f'ALIGN="RIGHT" WIDTH="{SHARE}"'
    both = " · ".join(part for part in (given, figures) if part)
    if narrow == SLIM:
        lines = [part for part in (given, *figures.split(" · ")) if part]
    elif narrow:
        lines = [part for part in (given, figures) if part] if tall else [both] if both else []
    else:
        lines = [both] if tall and both else []
        words += font(f"   {both}", TEXT_SIZE, ink) if both and not tall else ""
    lines += [said] if said else []
    rest = [row(cell(font(line, TEXT_SIZE, ink) + gap)) for line in lines]
    if narrow == SLIM and runs:
        rest.insert(0, row(cell(runs.replace(">  ", ">", 1) + gap)))
    if rest:
        ending += f' ROWSPAN="{len(rest) + 1}"'
    apart = font("   ", TEXT_SIZE) if share else gap  # between a long name and the share
    return f"<{table([row(cell(words + apart, left), cell(right, ending)), *rest])}>"


def numeric(value: Any) -> bool:
    """Returns whether a figure is one number, so that it has a colour and a share."""
    return value is not None and not (is_symbol(value) or is_array(value))
