"""Several models side by side, one per column: one quantity of each scope or operator, and its share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.costs.quantities import Quantity
from graphacct.dims import same
from graphacct.errors import ConfigError, unknown
from graphacct.graph.paths import depth, last, merged, parent
from graphacct.render.json import heading, to_json
from graphacct.render.notes import key_notes, mask_note, partial, warning, workload_text
from graphacct.render.printable import printable
from graphacct.render.records import count, plain_value, quantities, ratios_of, uncosted_paths
from graphacct.render.sheet import UNCOSTED, Column, Line, Sheet, title
from graphacct.render.tree import levels
from graphacct.render.units import human, percent
from graphacct.reports.rows import share

if TYPE_CHECKING:
    from graphacct.reports.report import Report

SCHEMA = "graphacct.compare/1"


@attrs.frozen
class Comparison:
    """Several reports, row by row.

    Attributes:
        reports: The reports, one per column.
        quantity: The quantity compared.
        by: `scope` or `operator`.
        paths: The rows' paths or operators: the first model's in its order, with the other models' own inserted at
            their places.
        values: For each path and report, the quantity, or None if the model has no such row.
        shares: For each path and report, the part of the model's total, 0 to 1; None if the total is not a sum (a
            maximum or a ratio).
        uncosted: For each path and report, the number of nodes without a cost in the row.
    """

    reports: tuple[Report, ...]
    quantity: str
    by: str
    paths: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    shares: tuple[tuple[Any, ...], ...]
    uncosted: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as plain values: see docs/json.md."""
        rows = []
        for path, values, shares, uncosted in self._plain_rows():
            cells = [
                None if value is None else {"value": value, "share": share} | ({"uncosted": lack} if lack else {})
                for value, share, lack in zip(values, shares, uncosted, strict=True)
            ]
            rows.append({"path" if self.by == "scope" else "operator": path, "models": cells})
        models = [{**heading(report), "total": self._total(report)} for report in self.reports]
        return {"schema": SCHEMA, "quantity": self.quantity, "by": self.by, "models": models, "rows": rows}

    def _total(self, report: Report) -> dict[str, Any]:
        """Returns the quantities of a whole model, and the compared ratio if it is one."""
        return quantities(report.total) | ratios_of(report, report.total, {self.quantity} - {*report.total})

    def records(self) -> list[dict[str, Any]]:
        """Returns the long form, one dictionary per row and model, for pandas, polars and CSV."""
        return [
            {
                "model": report.model,
                "convention": report.counted,
                "nodes_costed": report.coverage.costed,
                "nodes_total": report.coverage.total,
                "path" if self.by == "scope" else "operator": path,
                self.quantity: value,
                "share": share,
                "uncosted": lack,
            }
            for path, values, shares, uncosted in self._plain_rows()
            for report, value, share, lack in zip(self.reports, values, shares, uncosted, strict=True)
            if value is not None
        ]

    def json(self) -> str:
        """`to_dict` as text."""
        return to_json(self.to_dict())

    def csv(self) -> str:
        """`records` as CSV."""
        from graphacct.render.csv import table

        return table(self.records())

    def markdown(self) -> str:
        """Returns the comparison as a Markdown table."""
        from graphacct.render.markdown import to_markdown

        return to_markdown(self.sheet())

    def sheet(self, binary: bool = False) -> Sheet:
        """Returns the comparison as a table's lines; bytes in GiB instead of GB when `binary`.

        Rows in which every model has 0 are left out, and a note gives their number.
        """
        quantity = self.reports[0].quantity(self.quantity)
        unit, sums = quantity.unit, quantity.adds_up
        columns = [Column("Scope" if self.by == "scope" else "Operator")]
        totals = []
        for report in self.reports:
            columns += [Column(printable(report.model), True), *([Column("Share", True)] if sums else [])]
            total = report.figure(self.quantity)
            whole = "" if same(total, 0) else percent(1.0)
            figure = "–" if total is None else human(total, unit, binary)
            totals += [figure + partial(report), *([whole] if sums else [])]
        missing = [f"{printable(report.model)}: {warning(report)}" for report in self.reports if warning(report)]
        rows = [
            row for row in self._rows() if any(row[3]) or not all(value is None or same(value, 0) for value in row[1])
        ]
        known = frozenset(self.paths)
        empty = len(self.paths) - len(rows)
        left_out = f"{empty} {'row' if empty == 1 else 'rows'} of 0 not shown"
        of_keys = [f"{printable(each.model)}: {note}" for each in self.reports for note in key_notes(each.config_keys)]
        return Sheet(
            title(quantity),
            "",
            tuple(columns),
            tuple(self._line(*row, quantity, binary, known) for row in rows),
            Line(("Largest" if quantity.combine == "max" else "Total", *totals)),
            (*([left_out] if empty else []), *self._workloads(), self._terms(), *of_keys),
            "; ".join(missing),
        )

    def _line(
        self,
        path: str,
        values: Iterable[Any],
        shares: Iterable[Any],
        uncosted: Iterable[int],
        quantity: Quantity,
        binary: bool,
        known: Container[str],
    ) -> Line:
        tree = self.by == "scope"
        label = last(path) if tree and parent(path) in known else path
        cells = []
        for value, part, lack in zip(values, shares, uncosted, strict=True):
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
        return Line((printable(label), *cells), printable(path), depth(path) if tree else 0)

    def _plain_rows(self) -> Iterable[tuple[str, list[Any], list[Any], tuple[int, ...]]]:
        for path, values, shares, uncosted in self._rows():
            yield path, _plain(values, self.quantity), _plain(shares, "share"), uncosted

    def _rows(self) -> Iterable[tuple[str, tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]]:
        return zip(self.paths, self.values, self.shares, self.uncosted, strict=True)

    def _workloads(self) -> list[str]:
        """Returns the workloads, or one if all models share it."""
        texts = [workload_text(report) for report in self.reports]
        if len(set(texts)) == 1:
            return [texts[0]] if texts[0] else []
        return [f"{printable(report.model)}: {text}" for report, text in zip(self.reports, texts, strict=True)]

    def _terms(self) -> str:
        nodes = ", ".join(f"{report.coverage.costed} of {report.coverage.total}" for report in self.reports)
        first = self.reports[0]
        return f"convention {printable(first.convention)}{mask_note(first)}; nodes costed: {nodes}"

    def __str__(self) -> str:
        from graphacct.render.table import to_text

        return to_text(self.sheet())

    def _repr_html_(self) -> str:
        from graphacct.render.html import to_html

        return to_html(self.sheet())


def compare(
    reports: Sequence[Report], quantity: str = "flops", by: str = "scope", depth: int | None = None
) -> Comparison:
    """Returns reports side by side.

    Args:
        reports: One or more, all under one convention: figures under two conventions do not compare.
        quantity: What to compare.
        by: `scope` or `operator`.
        depth: Levels of scopes to show; up to 3, as many as fit in 30 lines, unless given.

    Raises UnknownNameError for an unknown quantity or grouping; ConfigError for a quantity of another phase, a depth
    below 1, no reports, or reports under different conventions.
    """
    if not reports:
        raise ConfigError("there is nothing to compare: give at least one report")
    conventions = {report.counted for report in reports}
    if len(conventions) > 1:
        raise ConfigError(f"the reports are under several conventions ({', '.join(sorted(conventions))}): use one")
    sums = reports[0].quantity(quantity).adds_up
    if by not in ("scope", "operator"):
        raise unknown("grouping", by, ("scope", "operator"))
    depth = levels(reports, depth)
    columns = [_column(report, quantity, by, depth) for report in reports]
    paths = merged([list(column) for column in columns])
    missing = [_missing(report, by) for report in reports]
    return Comparison(
        tuple(reports),
        quantity,
        by,
        tuple(paths),
        tuple(tuple(column.get(path) for column in columns) for path in paths),
        tuple(
            tuple(
                _share(column.get(path), report.figure(quantity)) if sums else None
                for column, report in zip(columns, reports, strict=True)
            )
            for path in paths
        ),
        tuple(tuple(lacking.get(path, 0) for lacking in missing) for path in paths),
    )


def _column(report: Report, quantity: str, by: str, depth: int) -> dict[str, Any]:
    rows = report.by_scope if by == "scope" else report.by_operator
    return {row.path: report.figure(quantity, row.values) for row in rows if by == "operator" or row.depth < depth}


def _missing(report: Report, by: str) -> dict[str, int]:
    return uncosted_paths(report) if by == "scope" else count(operator for _, operator in report.coverage.uncosted)


def _plain(values: Iterable[Any], name: str) -> list[Any]:
    return [plain_value(value, name) for value in values]


def _share(value: Any, whole: Any) -> Any:
    return None if value is None else share(value, whole)
