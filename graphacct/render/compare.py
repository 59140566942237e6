"""A comparison as plain values (docs/json.md), as records for CSV, and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct.costs.quantities import Quantity, forward_alone
from graphacct.dims import same
from graphacct.graph.paths import depth
from graphacct.render.compare_rows import CompareRow, compare_rows
from graphacct.render.json import heading
from graphacct.render.json import to_json as json_text
from graphacct.render.notes import forward_notes, key_notes, mask_note, partial, warning, workload_words
from graphacct.render.printable import printable
from graphacct.render.records import plain_value, quantities, ratios_of, workload_texts
from graphacct.render.sheet import UNCOSTED, title
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.tree import LINES
from graphacct.render.units import human, percent
from graphacct.reports.comparison import OPERATOR, ROLE, SCOPE, compare

if TYPE_CHECKING:
    from graphacct.reports.comparison import Comparison, Over
    from graphacct.reports.report import Report

__all__ = ["compare"]  # where it was before its noun moved to reports/

SCHEMA = "graphacct.compare/1"
KEYS = {SCOPE: "path", OPERATOR: "operator", ROLE: "role"}
"""What a row is called in JSON and CSV."""
ALONE = "one model alone: name others beside it, or several sizes of it (--over seq_len=1k,4k,16k)"
_NONE = object()
WIDE = 4
"""The most columns of models in a table by role, or of sizes: with more, each model or size has a line of its own."""
MOST = 12
"""The most scopes of such a table, which are its columns."""


def to_dict(found: Comparison) -> dict[str, Any]:
    """Returns a comparison as plain values: see docs/json.md."""
    rows = []
    for path, values, shares, uncosted in _plain_rows(found):
        cells = [
            None if value is None else {"value": value, "share": share} | ({"uncosted": lack} if lack else {})
            for value, share, lack in zip(values, shares, uncosted, strict=True)
        ]
        rows.append({KEYS[found.by]: path, "models": cells})
    models = [
        {**heading(report), **_at(found, place), "total": _total(found, report)} for place, report in _each(found)
    ]
    head: dict[str, Any] = {"schema": SCHEMA, "quantity": found.quantity, "by": found.by}
    if found.over is not None:
        head["over"] = _over(found.over)
    if found.chosen:
        head["chosen"] = {each.name: {"size": each.size, "own": [*each.own]} for each in found.chosen}
    return {**head, "models": models, "rows": rows}


def records(found: Comparison) -> list[dict[str, Any]]:
    """Returns the long form, one dictionary per row and model."""
    return [
        {
            "model": report.model,
            **_at(found, place).get("at", {}),
            "convention": report.counted,
            "nodes_costed": report.coverage.costed,
            "nodes_total": report.coverage.total,
            KEYS[found.by]: path,
            found.quantity: values[place],
            "share": shares[place],
            "uncosted": uncosted[place],
        }
        for path, values, shares, uncosted in _plain_rows(found)
        for place, report in _each(found)
        if values[place] is not None
    ]


def to_json(found: Comparison) -> str:
    """Returns `to_dict` as text."""
    return json_text(to_dict(found))


def to_csv(found: Comparison) -> str:
    """Returns `records` as CSV."""
    from graphacct.render.csv import table

    return table(records(found))


def to_markdown(found: Comparison) -> str:
    """Returns a comparison as a Markdown table."""
    from graphacct.render.markdown import to_markdown as markdown

    return markdown(sheet(found))


def to_text(found: Comparison) -> str:
    """Returns a comparison as a table of text."""
    from graphacct.render.table import to_text as text

    return text(sheet(found))


def to_html(found: Comparison) -> str:
    """Returns a comparison as an HTML table."""
    from graphacct.render.html import to_html as html

    return html(sheet(found))


def sheet(found: Comparison, binary: bool = False) -> Sheet:
    """Returns a comparison as a table's lines; bytes in GiB instead of GB when `binary`.

    Rows in which every model has 0 are left out, and a note gives their number. Scopes are opened where the quantity
    is, in any of the models. More than WIDE models by role, or sizes, have a line each, with their shares, or their
    figures if these do not add up.
    """
    quantity = found.reports[0].quantity(found.quantity)
    turned = (found.by == ROLE or found.over is not None) and len(found.reports) > WIDE
    rows, empty, gathered = compare_rows(found, MOST if turned else LINES)
    left_out = [f"{empty} {'row' if empty == 1 else 'rows'} of 0 not shown"] if empty and not turned else []
    parts = _turned(found, rows, quantity, binary) if turned else _columns(found, rows, quantity, binary)
    subject = "" if found.over is None else f"{printable(found.reports[0].model)}: "
    missing = [f"{printable(report.model)}: {warning(report)}" for report in found.reports if warning(report)]
    phases = [report.workload.get("phase") for report in found.reports]
    alone = forward_notes(forward_alone([quantity], *phases))
    notes = [*left_out, *alone, *gathered, *_notes(found)]
    return Sheet(f"{subject}{title(quantity)}", "", *parts, tuple(notes), "; ".join(dict.fromkeys(missing)))


_Parts: TypeAlias = tuple[tuple[Column, ...], tuple[Line, ...], Line | None]


def _columns(found: Comparison, rows: Iterable[CompareRow], quantity: Quantity, binary: bool) -> _Parts:
    """Returns a table with a column for each model, and beside it one of shares."""
    columns, totals = [Column(KEYS[found.by].replace("path", "scope").capitalize())], []
    for name, report in zip(found.names, found.reports, strict=True):
        columns += [Column(printable(name), True), *([Column("Share", True, rank=1)] if quantity.adds_up else [])]
        total = report.figure(found.quantity)
        whole = "" if same(total, 0) else percent(1.0)
        figure = "–" if total is None else human(total, quantity.unit, binary)
        totals += [figure + partial(report), *([whole] if quantity.adds_up else [])]
    lines = tuple(_line(row, quantity, binary) for row in rows)
    return tuple(columns), lines, Line(("Largest" if quantity.combine == "max" else "Total", *totals))


def _line(row: CompareRow, quantity: Quantity, binary: bool) -> Line:
    cells = []
    for value, part, lack in zip(row.values, row.shares, row.uncosted, strict=True):
        more = " + ?" if lack else ""
        beside = ""
        if value is None:
            cells.append("–")
        elif same(value, 0):
            cells.append(UNCOSTED if lack else "0")
        else:
            cells.append(human(value, quantity.unit, binary) + more)
            beside = "" if part is None else percent(part) + more
        if quantity.adds_up:
            cells.append(beside)
    return Line((printable(row.label), *cells), printable(row.heading), 0 if row.scope is None else depth(row.path))


def _turned(found: Comparison, rows: Sequence[CompareRow], quantity: Quantity, binary: bool) -> _Parts:
    """Returns a table with a line for each model: its total, and each row's share of it."""
    largest = "Largest" if quantity.combine == "max" else "Total"
    first = "Model" if found.over is None else found.over.name
    columns = (Column(printable(first), found.over is not None), Column(largest, True))
    lines = []
    for place, report in _each(found):
        name = report.model if found.over is None else f"{found.over.sizes[place]:,}"
        total = report.figure(found.quantity)
        cells = ["–" if total is None else human(total, quantity.unit, binary) + partial(report)]
        for row in rows:
            value, share = row.values[place], row.shares[place]
            if value is None:
                cells.append("–")
                continue
            shown = percent(share) if quantity.adds_up else human(value, quantity.unit, binary)
            cells.append(shown + (" + ?" if row.uncosted[place] else ""))
        lines.append(Line((printable(name), *cells)))
    return (*columns, *(Column(printable(row.heading), True) for row in rows)), tuple(lines), None


def _notes(found: Comparison) -> list[str]:
    """Returns the terms of a comparison: the workload, what was chosen or refused, crossings, the coverage."""
    over, notes = found.over, [ALONE] if found.over is None and len(found.reports) == 1 else []
    for each in found.chosen:
        own = [size for size in each.own if size is not None]
        names = [printable(found.reports[each.own.index(size)].model) for size in (each.size, max(own))]
        notes.append(
            f"{each.name} {each.size} for all: the shortest that a model has of its own ({names[0]}); the longest is "
            f"{max(own)} ({names[1]})"
        )
    notes += _over_notes(found, over) if over is not None else []
    return [*_workloads(found), *notes, _terms(found), *_of_keys(found)]


def _over_notes(found: Comparison, over: Over) -> list[str]:
    name = printable(over.name)
    notes = [] if over.key == over.name else [f"{name} is the model's {printable(over.key)}"]
    for each in over.crossings:
        both = ", where both are equal" if each.equal else ""
        notes.append(f"{each.passing} passes {each.passed} at {name} {each.size:,}{both}")
    if over.positions:
        raised = printable(over.positions)
        notes.append(f"{raised} is raised with {name}: the published model has learned no position beyond its own")
    if over.refused:
        size, reason = over.refused[0]
        count = len(over.refused)
        what = "size that the model refuses is" if count == 1 else "sizes that the model refuses are"
        notes.append(f"{count:,} {what} left out, as {size:,}: {printable(reason)}")
    return notes


def _workloads(found: Comparison) -> list[str]:
    """Returns the workload that all models share, and a line for each with what it does not; without the size that the
    columns say."""
    said = None if found.over is None else found.over.name
    texts = [
        workload_texts({key: size for key, size in report.workload.items() if key != said}) for report in found.reports
    ]
    shared = {key: size for key, size in texts[0].items() if all(each.get(key, _NONE) == size for each in texts)}
    lines = [workload_words(shared)] if shared else []
    for name, text in zip(found.names, texts, strict=True):
        own = workload_words({key: size for key, size in text.items() if key not in shared})
        lines += [f"{printable(name)}: {own}"] if own else []
    return lines


def _terms(found: Comparison) -> str:
    nodes = [f"{report.coverage.costed} of {report.coverage.total}" for report in found.reports]
    nodes = nodes if found.over is None else [*dict.fromkeys(nodes)]
    first = found.reports[0]
    return f"convention {printable(first.convention)}{mask_note(first)}; nodes costed: {', '.join(nodes)}"


def _of_keys(found: Comparison) -> list[str]:
    reports = found.reports if found.over is None else found.reports[:1]
    return [f"{printable(each.model)}: {note}" for each in reports for note in key_notes(each.config_keys)]


def _over(over: Over) -> dict[str, Any]:
    return {
        "size": over.name,
        "key": over.key,
        "values": [*over.sizes],
        "refused": [{"value": size, "reason": reason} for size, reason in over.refused],
        "positions": over.positions or None,
        "crossings": [
            {"value": each.size, "passing": each.passing, "passed": each.passed, "equal": each.equal}
            for each in over.crossings
        ],
    }


def _at(found: Comparison, place: int) -> dict[str, Any]:
    """Returns the size of a column, where columns are sizes."""
    return {} if found.over is None else {"at": {found.over.name: found.over.sizes[place]}}


def _total(found: Comparison, report: Report) -> dict[str, Any]:
    """Returns the quantities of a whole model, and the compared ratio if it is one."""
    return quantities(report.total) | ratios_of(report, report.total, {found.quantity} - {*report.total})


def _each(found: Comparison) -> Iterable[tuple[int, Report]]:
    return enumerate(found.reports)


def _plain_rows(found: Comparison) -> Iterable[tuple[str, list[Any], list[Any], tuple[int, ...]]]:
    for path, values, shares, uncosted in zip(found.paths, found.values, found.shares, found.uncosted, strict=True):
        yield path, _plain(values, found.quantity), _plain(shares, "share"), uncosted


def _plain(values: Iterable[Any], name: str) -> list[Any]:
    return [plain_value(value, name) for value in values]
