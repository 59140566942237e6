"""Tables for a terminal: a tree by scope, with shares as bars; in colour through rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct.render.columns import Column, length, placed, widths, wrapped
from graphacct.render.sheet_parts import OPERATOR, Line, Sheet

if TYPE_CHECKING:
    from rich.console import Console

    from graphacct.reports.report import Report

WIDTH = 120
"""Characters per line if there is no terminal to ask."""
NARROW = 72
"""Width in characters below which a tree has no column of operators."""
BAR = 12
"""Characters of a full bar (100 %)."""
MOST = 2000
"""The most lines of a table on a terminal. More take minutes to lay out, and CSV has all of them."""
LABEL = 40
"""Characters of the longest label that stays on one line if the table is too wide."""
LAYOUTS = ((False, True), (True, True), (True, False))
"""Ways to lay out a tree with a column of operators, tight or not, with that column or not: the first that fits, or
else the last."""
TEXT = 16
"""Characters of the narrowest column of text that wraps."""
WITH_BARS = 96
"""Width in characters from which on there are bars."""
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
    bars = sheet.bars and width >= WITH_BARS and not ascii_only
    layouts = LAYOUTS if any(column.title == OPERATOR for column in sheet.columns[1:]) else LAYOUTS[:1]
    for tight, operators in layouts:
        shown = [
            place
            for place, column in enumerate(sheet.columns)
            if not place or _is_shown(column.title, operators, width)
        ]
        columns = [_column(sheet, place) for place in shown] + ([Column([""], fixed=BAR)] if bars else [])
        needed = sum(column.least or column.fixed or TEXT for column in columns)
        needed += (2 if tight else 3) * (len(columns) - 1) + (0 if tight else 2)
        if needed <= width:
            break
    yield []
    yield from _table(sheet, shown, _Grid(columns, width, tight), bars, "-" if ascii_only else "─")
    yield []
    if len(sheet.lines) > MOST:
        yield from _paragraph([(f"{len(sheet.lines) - MOST:,} more lines are not shown: {sheet.rest}", "bold")], width)
    for note in sheet.notes:
        yield from _paragraph([(note, "dim")], width)
    if sheet.warning:
        yield from _paragraph([(sheet.warning, "bold red")], width)


def _is_shown(title: str, operators: bool, width: int) -> bool:
    return title != OPERATOR or (operators and width >= NARROW)


def _column(sheet: Sheet, place: int) -> Column:
    """Returns a column: its title, its cells, and its total if there is one."""
    column = sheet.columns[place]
    cells = [line.cells[place] if place else "  " * line.indent + line.cells[0] for line in sheet.lines[:MOST]]
    total = [] if sheet.total is None else [sheet.total.cells[place]]
    longest = max(map(len, [*total, *cells]), default=0)
    kept = column.number or not place or column.title == OPERATOR
    least = longest if column.whole else min(longest, LABEL) if kept else 0
    return Column([column.title, *cells, *total], column.number, least)


class _Grid:
    """Columns beside each other: their widths, and the blanks between and around them."""

    def __init__(self, columns: Sequence[Column], total: int, tight: bool) -> None:
        last = len(columns) - 1
        self.columns = columns
        self.edge = "" if tight else " "
        self.left = [0 if tight or not place else 1 for place in range(last + 1)]
        self.right = [0 if place == last else 1 for place in range(last + 1)]
        paddings = [before + after for before, after in zip(self.left, self.right, strict=True)]
        self.widths = widths(columns, paddings, total - 2 * len(self.edge) - last)

    def rule(self, character: str) -> list[Piece]:
        """Returns the line below the titles."""
        return [(self.edge + character * (sum(self.widths) + len(self.widths) - 1), "")]

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
                line += [(" ", ""), piece] if place else [piece]
            yield line

    def _cell(self, place: int, cell: Piece) -> list[Piece]:
        text, style = cell
        before, after = " " * self.left[place], " " * self.right[place]
        width = max(self.widths[place] - len(before) - len(after), 1)
        right = self.columns[place].right
        if length(text) <= width and "\n" not in text:  # as most are
            return [(before + placed(text, width, right) + after, style)]
        return [(before + placed(line, width, right) + after, style) for line in wrapped(text, width)]


def _table(sheet: Sheet, shown: Sequence[int], grid: _Grid, bars: bool, rule: str) -> Iterator[list[Piece]]:
    """Yields the lines of the table itself: titles, a rule, the cells, and the totals."""
    yield from grid.row([(column.cells[0], "bold") for column in grid.columns], low=True)
    yield grid.rule(rule)
    columns = grid.columns[: len(shown)]
    named = len(sheet.columns) > 1 and not sheet.columns[1].number
    styles = ["cyan" if place == 1 and named else "" for place in shown]
    for number, line in enumerate(sheet.lines[:MOST], 1):
        cells = [(column.cells[number], style) for column, style in zip(columns, styles, strict=True)]
        yield from grid.row([*cells, _bar(line)] if bars else cells)
    if sheet.total is not None:
        yield []
        strong = "bold red" if sheet.warning else "bold"
        cells = [(column.cells[-1], strong) for column in columns]
        yield from grid.row([*cells, ("", "")] if bars else cells)


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
