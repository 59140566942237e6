"""Markdown (GitHub's tables), for a README or an issue: human units, with the terms in a line below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphacct.render.sheet import sheet
from graphacct.render.sheet_parts import Sheet

if TYPE_CHECKING:
    from graphacct.reports.report import Report

_TAME = re.compile(r"[\w.*:/() ,=@+~-]*")
_SPECIAL = re.compile(r"[^\w .,:;/()=@+×%?-]|__+")
_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def markdown(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
) -> str:
    """Returns the report as a Markdown table; the arguments are those of `graphacct.render.sheet.sheet`."""
    return to_markdown(sheet(report, by, depth, columns, binary))


def to_markdown(sheet: Sheet) -> str:
    """Returns a sheet in Markdown, with full names instead of a tree."""
    rows = [
        "| " + " | ".join(escaped(column.title) for column in sheet.columns) + " |",
        "|" + "|".join(" ---: " if column.number else " --- " for column in sheet.columns) + "|",
    ]
    for line in sheet.lines:
        mark = line.cells[0].rpartition(" ×")
        label = code(line.name or line.cells[0]) + (f" ×{mark[2]}" if line.name and mark[1] else "")
        rows.append("| " + " | ".join((label, *map(escaped, line.cells[1:]))) + " |")
    if sheet.total:
        rows.append("| " + " | ".join(f"**{escaped(cell)}**" if cell else "" for cell in sheet.total.cells) + " |")
    heading = f"**{escaped(sheet.title)}**" + (f": {escaped(sheet.subtitle)}" if sheet.subtitle else "")
    notes = [escaped(note) for note in sheet.notes]
    if sheet.warning:
        notes.append(f"**{escaped(sheet.warning)}**")
    return "\n\n".join([heading, "\n".join(rows), *notes]) + "\n"


def code(name: str) -> str:
    """Returns a name as code, or escaped if it could end the code or the cell."""
    return f"`{name}`" if name.strip() and _TAME.fullmatch(name) else escaped(name)


def escaped(text: str) -> str:
    """Returns text that Markdown and HTML show unchanged: every character with a meaning becomes an entity."""
    return _SPECIAL.sub(lambda found: "".join(_NAMED.get(char, f"&#{ord(char)};") for char in found[0]), text)
