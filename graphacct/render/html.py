"""HTML for Jupyter: one self-contained table, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from graphacct.render.sheet import sheet
from graphacct.render.sheet_parts import Line, Sheet

if TYPE_CHECKING:
    from graphacct.reports.report import Report

_CELL = "padding:1px 8px;white-space:nowrap"


def html(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
) -> str:
    """Returns the report as an HTML table; the arguments are those of `graphacct.render.sheet.sheet`."""
    return to_html(sheet(report, by, depth, columns, binary))


def to_html(sheet: Sheet) -> str:
    """Returns a sheet in HTML, styled inline: it needs no style sheet and no script."""
    head = "".join(f'<th style="{_style(column.number)}">{escape(column.title)}</th>' for column in sheet.columns)
    body = "\n".join(_line(sheet, line) for line in sheet.lines)
    foot = f"<tfoot>{_line(sheet, sheet.total, 'th')}</tfoot>" if sheet.total else ""
    notes = "".join(f'<div style="opacity:0.7">{escape(note)}</div>' for note in sheet.notes)
    if sheet.warning:
        notes += f'<div style="color:#b00020;font-weight:bold">{escape(sheet.warning)}</div>'
    return (
        f"<div><div><b>{escape(sheet.title)}</b> {escape(sheet.subtitle)}</div>\n"
        f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody>\n{foot}</table>\n{notes}</div>\n"
    )


def _line(sheet: Sheet, line: Line, tag: str = "td") -> str:
    cells = []
    for position, (column, cell) in enumerate(zip(sheet.columns, line.cells, strict=True)):
        style = _style(column.number)
        if position == 0:
            style = f"{style};padding-left:{8 + 16 * line.indent}px"
        if column.title == "Share":
            style += _bar(line.share)
        title = f' title="{escape(line.name)}"' if position == 0 and line.name else ""
        cells.append(f'<{tag} style="{style}"{title}>{escape(cell)}</{tag}>')
    return f"<tr>{''.join(cells)}</tr>"


def _style(number: bool) -> str:
    return f"{_CELL};text-align:{'right' if number else 'left'}"


def _bar(share: Any) -> str:
    if not isinstance(share, (int, float)) or not share:
        return ""
    width = f"{share * 100:.1f}%"
    return f";background:linear-gradient(90deg,rgba(214,96,77,0.35) {width},transparent {width})"
