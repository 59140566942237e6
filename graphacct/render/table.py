"""Tables for a terminal: a tree by scope, with shares as bars; in colour through rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct.render.columns import (
    Column,
    length,
    longest_line,
    longest_word,
    placed,
    shortened,
    widths,
    wrapped,
)
from graphacct.render.fitting import Fit, Spacing, fit
from graphacct.render.sheet_parts import Line, Sheet

if TYPE_CHECKING:
    from rich.console import Console

    from graphacct.reports.report import Report

WIDTH = 120
"""Characters per line if there is no terminal to ask."""
BAR = 12
"""Characters of a full bar (100 %)."""
MOST = 2000
"""The most lines of a table on a terminal. More take minutes to lay out, and CSV has all of them."""
LABEL = 40
"""Characters of the longest label that stays on one line if the table is too wide."""
TEXT = 24
"""Characters of the narrowest column of text that wraps."""
WORD = 16
"""Characters of the narrowest column of words that are cut."""
EIGHTHS = " ▏▎▍▌▋▊▉"

Piece: TypeAlias = tuple[str, str]
"""Text, and the style that rich shows it in on a terminal."""


def table(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
    width: int = WIDTH,
) -> str:
    """Returns the report as a table in plain characters; the arguments are those of `graphacct.render.sheet.sheet`."""
    from graphacct.render.sheet import sheet  # which imports reports: `graphacct list` needs none

    return to_text(sheet(report, by, depth, columns, binary), width)


def to_text(sheet: Sheet, width: int = WIDTH) -> str:
    """Returns a sheet in plain characters."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in _lines(sheet, width, ascii_only=False))


def show(sheet: Sheet, console: Console) -> None:
    """Prints a sheet on a rich console. Nothing in it is read as markup."""
    from rich.text import Text

    found = Text()
    for place, line in enumerate(_lines(sheet, console.width, console.options.ascii_only)):
        found.append("\n" if place else "")
        for text, style in line:
            found.append(text, style)
    console.print(found, no_wrap=True, overflow="ignore", crop=False, highlight=False, emoji=False)


def _lines(sheet: Sheet, width: int, ascii_only: bool) -> Iterator[list[Piece]]:
    """Yields the lines of a sheet in pieces."""
    if sheet.title:
        yield from _paragraph([(sheet.title, "bold"), (f"  {sheet.subtitle}" if sheet.subtitle else "", "dim")], width)
    shown = [place for place in range(len(sheet.columns)) if _says_something(sheet, place)]
    columns = [_column(sheet, place, width) for place in shown]
    ranks = [sheet.columns[place].rank for place in shown]
    found = fit(columns, ranks, sheet.heads, BAR if sheet.bars and not ascii_only else 0, width)
    for block in found.blocks:
        grid = _Grid([columns[place] for place in block], width, found)
        yield []
        yield from _table(sheet, [shown[place] for place in block], grid, ascii_only)
    yield []
    if len(sheet.lines) > MOST:
        yield from _paragraph([(f"{len(sheet.lines) - MOST:,} more lines are not shown: {sheet.rest}", "bold")], width)
    missing = [sheet.columns[shown[place]].title for place in found.missing(len(columns))]
    if missing:
        yield from _paragraph([(f"no room in {width} characters for: {', '.join(missing)}", "dim")], width)
    for note in sheet.notes:
        yield from _paragraph([(note, "dim")], width)
    if sheet.warning:
        yield from _paragraph([(sheet.warning, "bold red")], width)


def _says_something(sheet: Sheet, place: int) -> bool:
    """Returns whether a column is shown at all: a further one of texts is not if all of them are empty."""
    column = sheet.columns[place]
    return column.number or not column.rank or any(line.cells[place] for line in sheet.lines)


def _column(sheet: Sheet, place: int, width: int) -> Column:
    """Returns a column: its title, its cells, and its total if there is one."""
    column = sheet.columns[place]
    cells = [line.cells[place] if place else "  " * line.indent + line.cells[0] for line in sheet.lines[:MOST]]
    total = [] if sheet.total is None else [sheet.total.cells[place]]
    longest = max(map(longest_line, [*total, *cells]), default=0)
    natural = min(max(longest, length(column.title)), width)
    least = longest if column.number or column.whole else min(longest, WORD if column.cut else TEXT if place else LABEL)
    least = min(max(least, longest_word(column.title)), width)
    return Column([column.title, *cells, *total], column.number, column.cut, natural, least)


class _Grid:
    """Columns beside each other: their widths, and the blanks between and around them."""

    def __init__(self, columns: Sequence[Column], total: int, found: Fit) -> None:
        spacing: Spacing = found.spacing
        self.columns = [*columns, Column([""], natural=BAR, least=BAR)] if found.bars else columns
        self.bars = found.bars
        self.edge, self.gap = " " * spacing.edge, " " * spacing.between
        self.widths = widths(self.columns, total - spacing.between * (len(self.columns) - 1) - 2 * spacing.edge)

    def rule(self, character: str) -> list[Piece]:
        """Returns the line below the titles."""
        return [(self.edge + character * (sum(self.widths) + len(self.gap) * (len(self.widths) - 1)), "")]

    def row(self, cells: Sequence[Piece], low: bool = False) -> Iterator[list[Piece]]:
        """Yields the lines of a row. A cell with fewer lines than others stands at the top, or if `low` below."""
        stacks = [self._cell(place, cell) for place, cell in enumerate(cells)]
        height = max(map(len, stacks))
        for stack, width in zip(stacks, self.widths, strict=True):
            missing = [(" " * width, "")] * (height - len(stack))
            stack[:] = missing + stack if low else stack + missing
        for pieces in zip(*stacks, strict=True):
            line = [(self.edge, "")]
            for place, piece in enumerate(pieces):
                line += [(self.gap, ""), piece] if place else [piece]
            yield line

    def _cell(self, place: int, cell: Piece) -> list[Piece]:
        text, style = cell
        column, width = self.columns[place], max(self.widths[place], 1)
        if column.cut:
            text = shortened(text, width)
        if length(text) <= width and "\n" not in text:  # as most are
            return [(placed(text, width, column.right), style)]
        return [(placed(line, width, column.right), style) for line in wrapped(text, width)]


def _table(sheet: Sheet, block: Sequence[int], grid: _Grid, ascii_only: bool) -> Iterator[list[Piece]]:
    """Yields the lines of the table itself: titles, a rule, the cells, and the totals."""
    yield from grid.row([(column.cells[0], "bold") for column in grid.columns], low=True)
    yield grid.rule("-" if ascii_only else "─")
    columns = grid.columns[: len(block)]
    named = len(sheet.columns) > 1 and not sheet.columns[1].number
    styles = ["cyan" if place == 1 and named else "" for place in block]
    for number, line in enumerate(sheet.lines[:MOST], 1):
        cells = [(column.cells[number], style) for column, style in zip(columns, styles, strict=True)]
        yield from grid.row([*cells, _bar(line)] if grid.bars else cells)
    if sheet.total is not None:
        yield []
        strong = "bold red" if sheet.warning else "bold"
        cells = [(column.cells[-1], strong) for column in columns]
        yield from grid.row([*cells, ("", "")] if grid.bars else cells)


def _paragraph(pieces: Sequence[Piece], width: int) -> Iterator[list[Piece]]:
    """Yields the lines of a text of several pieces."""
    whole = "".join(text for text, _ in pieces)
    start = 0
    for line in wrapped(whole, width):
        start = whole.index(line, start)  # a line break is between two lines
        yield list(_between(pieces, start, start + len(line)))
        start += len(line)


def _between(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    """Yields the parts of pieces between two places."""
    place = 0
    for text, style in pieces:
        part = text[max(start - place, 0) : max(end - place, 0)]
        if part:
            yield part, style
        place += len(text)


def _bar(line: Line) -> Piece:
    share: Any = line.share
    if not isinstance(share, (int, float)):
        return "", ""
    style = "red" if share >= 0.25 else "yellow" if share >= 0.05 else "green"
    full, eighths = divmod(round(share * BAR * 8), 8)
    return "█" * full + EIGHTHS[eighths].strip(), style
