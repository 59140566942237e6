"""A comparison: models side by side under one workload, or one model at several sizes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct.costs.roles import ROLES
from graphacct.display import display
from graphacct.errors import ConfigError, unknown
from graphacct.graph.paths import merged
from graphacct.operators.operator import Operator
from graphacct.reports.levels import check_depth
from graphacct.reports.parts import Parts
from graphacct.reports.report import Report
from graphacct.reports.rows import share

SCOPE, OPERATOR, ROLE = "scope", "operator", "role"
GROUPINGS = (SCOPE, OPERATOR, ROLE)


@attrs.frozen
class Chosen:
    """A size of the workload that was chosen because the models' own differ.

    Attributes:
        name: The size: `seq_len`.
        size: What was chosen: the smallest.
        own: What each model would take by itself; None of one that has no such size.
    """

    name: str
    size: int
    own: tuple[int | None, ...]


@attrs.frozen
class Crossing:
    """A size at which two roles cost the same, or the first at which the one that costs less before costs more.

    Attributes:
        size: The size.
        passing: The role that costs less below it.
        passed: The role that costs more below it.
        equal: Whether both cost the same there, to the unit.
        share: The part of the model's total that the passing role has there.
    """

    size: int
    passing: str
    passed: str
    equal: bool
    share: Any


@attrs.frozen
class Over:
    """The sizes of one model, of which each has a column.

    Attributes:
        name: The size as it was asked for.
        key: The model's own name of it.
        sizes: The sizes, in the order asked for, without those that the model refuses.
        refused: The others, each with the reason.
        positions: The key of the configuration that was raised with the size, beyond what the published model has;
            empty if none was.
        crossings: Where roles cross, the smallest size first; found if rows are roles.
    """

    name: str
    key: str
    sizes: tuple[int, ...]
    refused: tuple[tuple[int, str], ...] = ()
    positions: str = ""
    crossings: tuple[Crossing, ...] = ()


@attrs.frozen(eq=False, repr=False)
class Comparison:
    """Several reports, row by row.

    Attributes:
        reports: The reports, one per column.
        quantity: The quantity compared.
        by: `scope`, `operator` or `role`.
        paths: The rows' paths, operators or roles: the first model's in its order, with the other models' own inserted
            at their places; roles in the order in which a model runs.
        values: For each path and report, the quantity, or None if the model has no such row.
        shares: For each path and report, the part of the model's total, 0 to 1; None if the total is not a sum (a
            maximum or a ratio).
        uncosted: For each path and report, the number of nodes without a cost in the row.
        chosen: The sizes of the workload that were chosen for all models.
        over: The sizes of one model, if that is what the columns are.
        depth: The levels of scopes that were asked for; None if all are there, of which a table shows what matters.
    """

    reports: tuple[Report, ...]
    quantity: str
    by: str
    paths: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    shares: tuple[tuple[Any, ...], ...]
    uncosted: tuple[tuple[int, ...], ...]
    chosen: tuple[Chosen, ...] = ()
    over: Over | None = None
    depth: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is called: the model, or the size of the one model."""
        if self.over is None:
            return tuple(report.model for report in self.reports)
        return tuple(f"{self.over.name} {size:,}" for size in self.over.sizes)

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as plain values: see docs/json.md."""
        found: dict[str, Any] = display("comparison.dict", self)
        return found

    def records(self) -> list[dict[str, Any]]:
        """Returns the long form, one dictionary per row and model, for pandas, polars and CSV."""
        found: list[dict[str, Any]] = display("comparison.records", self)
        return found

    def json(self) -> str:
        """`to_dict` as text."""
        return str(display("comparison.json", self))

    def csv(self) -> str:
        """`records` as CSV."""
        return str(display("comparison.csv", self))

    def markdown(self) -> str:
        """Returns the comparison as a Markdown table."""
        return str(display("comparison.markdown", self))

    def sheet(self, binary: bool = False) -> Any:
        """Returns the comparison as a table's lines; bytes in GiB instead of GB when `binary`."""
        return display("comparison.sheet", self, binary)

    def plot(self, path: str | os.PathLike[str], against: str | None = None, width_cm: float | None = None) -> None:
        """Plots it to a .png, .svg or .pdf: the shares of roles, or the compared quantity `against` another one."""
        display("comparison.plot", self, path, against, width_cm)

    def __repr__(self) -> str:
        of = f"{self.reports[0].model} " if self.over is not None else ""
        return f"<Comparison {of}{', '.join(self.names)}: {self.quantity} by {self.by}>"

    def __str__(self) -> str:
        return str(display("comparison.table", self))

    def _repr_html_(self) -> str:
        return str(display("comparison.html", self))


def compare(
    reports: Sequence[Report],
    quantity: str = "flops",
    by: str = SCOPE,
    depth: int | None = None,
    *,
    operators: Mapping[str, Operator] | None = None,
    chosen: Sequence[Chosen] = (),
    over: Over | None = None,
) -> Comparison:
    """Returns reports side by side.

    Args:
        reports: One or more, all under one convention: figures under two conventions do not compare.
        quantity: What to compare.
        by: `scope`, `operator` or `role`.
        depth: Levels of scopes; all unless given, of which a table shows what matters.
        operators: Those of the models, by name, which say what each node is for; those of all installed plugins unless
            given.
        chosen: The sizes that were chosen for all models.
        over: The sizes of one model, if the reports are of it.

    Raises UnknownNameError for an unknown quantity or grouping; ConfigError for a quantity of another phase, a depth
    below 1, no reports, reports under different conventions, and for the roles of a generation.
    """
    if not reports:
        raise ConfigError("there is nothing to compare: give at least one report")
    conventions = {report.counted for report in reports}
    if len(conventions) > 1:
        raise ConfigError(f"the reports are under several conventions ({', '.join(sorted(conventions))}): use one")
    sums = reports[0].quantity(quantity).adds_up
    if by not in GROUPINGS:
        raise unknown("grouping", by, GROUPINGS)
    if by == ROLE:
        known = display("operators") if operators is None else operators
        columns, missing = zip(*[_roles(report, quantity, known) for report in reports], strict=True)
        paths = [role for role in ROLES if any(role in column for column in columns)]
    else:
        check_depth(depth)
        columns = tuple(_column(report, quantity, by, depth) for report in reports)
        missing = tuple(report.coverage.by_path if by == SCOPE else report.coverage.by_operator for report in reports)
        paths = merged([list(column) for column in columns])
    whole = [report.figure(quantity) for report in reports]
    return Comparison(
        tuple(reports),
        quantity,
        by,
        tuple(paths),
        tuple(tuple(column.get(path) for column in columns) for path in paths),
        tuple(
            tuple(
                _share(column.get(path), total) if sums else None for column, total in zip(columns, whole, strict=True)
            )
            for path in paths
        ),
        tuple(tuple(lacking.get(path, 0) for lacking in missing) for path in paths),
        tuple(chosen),
        over,
        depth,
    )


def _column(report: Report, quantity: str, by: str, depth: int | None) -> dict[str, Any]:
    """Returns a report's figures by scope, down to a depth if one is given, or by operator."""
    rows = report.by_scope if by == SCOPE else report.by_operator
    if by == SCOPE and depth is not None:
        rows = tuple(row for row in rows if row.depth < depth)
    return {row.path: report.figure(quantity, row.values) for row in rows}


def _roles(report: Report, quantity: str, operators: Mapping[str, Operator]) -> tuple[dict[str, Any], dict[str, int]]:
    """Returns a report's figures by role, and how many nodes without a cost each role has."""
    parts = Parts(report, operators)
    missing: dict[str, int] = {}
    for name, _ in report.coverage.uncosted:
        role = parts.role_of[name]
        missing[role] = missing.get(role, 0) + 1
    return {role: report.figure(quantity, values) for role, values in parts.by_role.items()}, missing


def _share(value: Any, whole: Any) -> Any:
    return None if value is None else share(value, whole)
