"""A sweep as plain values (docs/json.md), and its first rows as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphacct.render.notes import forward_notes, stays_note
from graphacct.render.printable import printable
from graphacct.render.row_cells import plain
from graphacct.render.sheet_parts import Column, Line, Sheet

if TYPE_CHECKING:
    from graphacct.sweeping.columns import Refusal
    from graphacct.sweeping.sweep import Request, Sweep

SCHEMA = "graphacct.sweep/1"
SHOWN = 30
"""The most rows of a table."""


def to_dict(sweep: Sweep) -> dict[str, Any]:
    """Returns a sweep as plain values: see docs/json.md. The rows are those that are held in memory."""
    return {**head(sweep.request), "rows": records(sweep), **tail(sweep)}


def head(request: Request) -> dict[str, Any]:
    """Returns what was asked, which stands before the rows."""
    return {
        "schema": SCHEMA,
        "model": request.model,
        "options": {name: _plain(value) for name, value in request.options.items()},
        "axes": [
            {"name": name, "key": request.keys.get(name, name), "values": values}
            for name, values in request.axes.items()
        ],
        "where": list(request.where),
        "keep": list(request.keep),
        "pareto": list(request.pareto),
        "exact": request.exact,
    }


def tail(sweep: Sweep) -> dict[str, Any]:
    """Returns what became of the grid's points, which stands after the rows."""
    return {
        "relative_error": sweep.error,
        "points": sweep.request.points,
        "evaluated": sweep.points,
        "row_count": sweep.rows,
        "left_out": sweep.left_out,
        "refused": sweep.refused,
        "refusals": [
            {"reason": refusal.reason, "count": refusal.count, "first": {**refusal.first}} for refusal in sweep.refusals
        ],
    }


def records(sweep: Sweep) -> list[dict[str, Any]]:
    """Returns one dictionary a row, of those that are held in memory."""
    columns = [plain(values, lambda value: value) for values in sweep.columns.values()]
    return [dict(zip(sweep.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def sheet(sweep: Sweep, most: int = SHOWN) -> Sheet:
    """Returns the first rows of a sweep as a table's lines, figures in full digits."""
    request = sweep.request
    columns = {name: plain(values[:most], str) for name, values in sweep.columns.items()}
    lines = tuple(Line(tuple(map(_cell, row))) for row in zip(*columns.values(), strict=True))
    return Sheet(
        f"{printable(sweep.model)}: {_rows(sweep.rows)} of {_points(sweep.points)}",
        ", ".join(f"{printable(name)} {_said(value)}" for name, value in request.options.items()),
        tuple(
            Column(printable(name), name not in request.axes or _numbers(values), whole=True)
            for name, values in columns.items()
        ),
        lines,
        None,
        tuple(map(printable, notes(sweep, len(lines)))),
        heads=max(len(request.axes), 1),
    )


def notes(sweep: Sweep, shown: int | None = None) -> list[str]:
    """Returns what stands below the rows: where they are, what became of the other points, and the figures' error."""
    request, found = sweep.request, []
    if sweep.path:
        found.append(f"{_rows(sweep.rows)} of {_points(sweep.points)} in {sweep.path}")
    elif shown is not None and shown < sweep.rows:
        found.append(
            f"the first {shown:,} rows of {sweep.rows:,}: a file has them all (-o rows.csv, .json or .parquet)"
        )
    if sweep.left_out:
        why = ["the conditions do not hold"] * bool(request.where) + ["others beat them"] * bool(request.pareto)
        found.append(f"{_points(sweep.left_out)} left out: {' or '.join(why)}")
    found += map(refused, sweep.refusals)
    for name, key in request.keys.items():
        found.append(f"{name} is the model's {key}")
    found += stays_note(request.stays)
    found += forward_notes(request.forward_alone)
    if sweep.error:
        found.append(
            f"figures are float64, with a relative error of at most {sweep.error:.0e}; exact ones are integers"
        )
    return found


def refused(refusal: Refusal) -> str:
    """Returns how many points the model refuses for one reason, and the reason at the first of them."""
    from graphacct.sweeping.run import pointed

    return f"{_points(refusal.count)} refused, the first at {pointed(refusal.first)}: {refusal.reason}"


def to_text(sweep: Sweep) -> str:
    """Returns a sweep as a table of text."""
    from graphacct.render.table import to_text as text

    return text(sheet(sweep))


def to_html(sweep: Sweep) -> str:
    """Returns a sweep as an HTML table."""
    from graphacct.render.html import to_html as html

    return html(sheet(sweep))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _points(count: int) -> str:
    return f"{count:,} point" if count == 1 else f"{count:,} points"


def _cell(value: Any) -> str:
    if type(value) is float:
        return f"{value:,.6g}"
    return f"{value:,}" if type(value) is int else printable(value)


def _numbers(values: list[Any]) -> bool:
    return all(type(value) in (int, float) for value in values)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{printable(key)}={printable(inner)}" for key, inner in value.items())
    return ", ".join(map(printable, value)) if isinstance(value, (list, tuple)) else printable(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(getattr(value, "name", value))
