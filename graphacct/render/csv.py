"""CSV for spreadsheets and scripts: raw integers, one row per scope, operator, parameter or node.

Every row ends with the same columns, so that files of several models can be joined and every figure keeps its terms:
model, convention, nodes_costed, nodes_total, workload. Unprintable characters in names are written as escapes, and a
name that a spreadsheet would run as a formula starts with an apostrophe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from csv import writer
from io import StringIO
from typing import TYPE_CHECKING, Any

from graphacct.render.printable import printable
from graphacct.render.records import ratios_among, records, workload_texts

if TYPE_CHECKING:
    from graphacct.reports.report import Report

PLAIN = (int, float)
"""Types of numbers, which stand in a field as they are."""
_FORMULA = re.compile(r" *[=+\-@＝＋－＠﹦﹢﹣﹫]")
"""What makes a spreadsheet take a text for a formula: one of four signs, also in their wide forms (in East Asian
locales), and behind blanks, which some trim."""


def csv(report: Report, by: str = "scope", columns: Sequence[str] | None = None) -> str:
    """Returns the report as CSV, with a first line of column names: every quantity, or the `columns`, which may be
    ratios."""
    terms = {
        "model": report.model,
        "convention": report.counted,
        "nodes_costed": report.coverage.costed,
        "nodes_total": report.coverage.total,
        "workload": " ".join(f"{name}={_joined(value)}" for name, value in workload_texts(report.workload).items()),
    }
    rows = records(report, by, ratios_among(report, columns))
    if columns and by in ("scope", "operator"):
        left_out = {item.name for item in report.quantities}.difference(columns)
        rows = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    if report.coverage.uncosted and by in ("scope", "operator"):
        rows = [{**row, "uncosted": row.get("uncosted", 0)} for row in rows]
    return table(rows, ends=terms)


def table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None, ends: Mapping[str, Any] | None = None
) -> str:
    """Returns rows as CSV under the columns of the first row (or those given). None is an empty field, a list
    `1x1024`. Each row `ends` with the same fields."""
    last = {key: cell(value) for key, value in (ends or {}).items()}
    cells = [
        {**{key: value if type(value) in PLAIN else cell(value) for key, value in row.items()}, **last} for row in rows
    ]
    names = list(columns or (cells[0] if cells else ()))
    known = {*names}
    for row in cells:
        if not known.issuperset(row):
            raise ValueError(f"a row has {', '.join(sorted({*row} - known))}, of which there is no column")
    file = StringIO()
    lines = writer(file, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([row.get(name, "") for name in names] for row in cells)
    return file.getvalue()


def cell(value: Any) -> Any:
    """Returns a value as it stands in a field: a text that a spreadsheet would run starts with an apostrophe."""
    if type(value) is int:  # most are
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if _FORMULA.match(text) else text
    if not isinstance(value, (list, tuple)):
        return value
    text = _joined(value)
    return f"'{text}" if any(isinstance(item, str) for item in value) and _FORMULA.match(text) else text


def _joined(value: Any) -> str:
    """Returns a shape as `1x1024`, several shapes separated by `;`, and other lists by blanks."""
    if not isinstance(value, (list, tuple)):
        return printable(value)
    if {*map(type, value)} == {int}:  # most are
        return "x".join(map(str, value))
    nested = any(isinstance(item, (list, tuple)) for item in value)
    sizes = all(isinstance(item, int) for item in value)
    return (";" if nested else "x" if sizes else " ").join(map(_joined, value))
