"""Tables for a terminal, through rich: a tree by scope, with shares as bars."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from graphacct.render.sheet import OPERATOR, Line, Sheet, sheet

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
LAYOUTS: tuple[dict[str, bool], ...] = ({}, {"tight": True}, {"tight": True, "operators": False})
"""Ways to lay out a tree with a column of operators: the first that fits, or else the last."""
TEXT = 16
"""Characters of the narrowest column of text that wraps."""
EIGHTHS = " ▏▎▍▌▋▊▉"


def table(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
    width: int = WIDTH,
) -> str:
    """Returns the report as a table in plain characters; the arguments are those of `graphacct.render.sheet.sheet`."""
    return to_text(sheet(report, by, depth, columns, binary), width)


def to_text(sheet: Sheet, width: int = WIDTH) -> str:
    """Returns a sheet in plain characters."""
    from rich.console import Console

    file = StringIO()
    show(sheet, Console(file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def show(sheet: Sheet, console: Console) -> None:
    """Prints a sheet on a rich console. Nothing in it is read as markup."""
    from rich.text import Text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style), markup=False, highlight=False, emoji=False, soft_wrap=False)

    if sheet.title:
        heading = Text(sheet.title, "bold")
        heading.append(f"  {sheet.subtitle}" if sheet.subtitle else "", "dim")
        console.print(heading)
    layouts = LAYOUTS if any(column.title == OPERATOR for column in sheet.columns[1:]) else LAYOUTS[:1]
    for layout in layouts:
        table = _table(sheet, console, **layout)
        needed = _least(table, not table.show_edge)
        if needed <= console.width:
            break
    edge = [] if table.show_edge else [Text("")]
    console.print(
        *edge, table, *edge, sep="\n", width=max(console.width, needed), crop=False
    )  # a wrapped line is better than a cut figure
    if len(sheet.lines) > MOST:
        say(f"{len(sheet.lines) - MOST:,} more lines are not shown: {sheet.rest}", "bold")
    for note in sheet.notes:
        say(note, "dim")
    if sheet.warning:
        say(sheet.warning, "bold red")


def _least(table: Table, tight: bool) -> int:
    """Returns the least characters per line that a table takes: columns of text that may wrap have at least TEXT."""
    widths = [column.min_width or column.width or TEXT for column in table.columns]
    return sum(widths) + (2 * (len(widths) - 1) if tight else 3 * (len(widths) - 1) + 2)


def _table(sheet: Sheet, console: Console, tight: bool = False, operators: bool = True) -> Table:
    """Returns a sheet's table: `tight` with less space between columns, and with or without the column of operators."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    bars = sheet.bars and console.width >= 96 and not console.options.ascii_only
    footed = sheet.total is not None
    table = Table(box=box.SIMPLE_HEAD, show_footer=footed, pad_edge=False, header_style="bold", show_edge=not tight)
    table.collapse_padding = tight
    footer = sheet.total.cells if sheet.total else ("",) * len(sheet.columns)
    hidden = {
        position
        for position, column in enumerate(sheet.columns)
        if column.title == OPERATOR and position and (not operators or console.width < NARROW)
    }
    for position, (column, cell) in enumerate(zip(sheet.columns, footer, strict=True)):
        if position in hidden:
            continue
        longest = max(
            [len(cell), *(len(line.cells[position]) + 2 * line.indent * (not position) for line in sheet.lines[:MOST])]
        )
        kept = column.number or not position or column.title == OPERATOR
        table.add_column(
            Text(column.title),
            Text(cell, "bold red" if sheet.warning else "bold"),
            justify="right" if column.number else "left",
            overflow="fold",
            min_width=longest if column.whole else min(longest, LABEL) if kept else None,
        )
    if bars:
        table.add_column(Text(""), width=BAR)
    for line in sheet.lines[:MOST]:
        cells = [Text("  " * line.indent + line.cells[0]), *map(Text, line.cells[1:])]
        if len(cells) > 1 and not sheet.columns[1].number:
            cells[1].stylize("cyan")
        cells = [cell for position, cell in enumerate(cells) if position not in hidden]
        table.add_row(*cells, *([_bar(line)] if bars else []))
    return table


def _bar(line: Line) -> Text:
    from rich.text import Text

    share: Any = line.share
    if not isinstance(share, (int, float)):
        return Text("")
    style = "red" if share >= 0.25 else "yellow" if share >= 0.05 else "green"
    full, eighths = divmod(round(share * BAR * 8), 8)
    return Text("█" * full + EIGHTHS[eighths].strip(), style)
