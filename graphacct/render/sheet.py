"""The sheet: the content of a table, computed once and drawn by the terminal, Markdown and HTML.

Cells are text in human units, safe to print on one line. Each output escapes them for its own syntax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.costs.quantities import forward_alone
from graphacct.dims import same, shape_text
from graphacct.errors import unknown
from graphacct.render.folding import gathered_note
from graphacct.render.notes import (
    equal_parts,
    forward_notes,
    inexact_notes,
    key_notes,
    of_one_token,
    other_totals,
    partial,
    terms,
    warning,
    workload_text,
)
from graphacct.render.printable import printable
from graphacct.render.sheet_parts import OPERATOR, Column, Line, Sheet
from graphacct.render.tree import Branch, tree
from graphacct.render.units import human, params, percent
from graphacct.reports.levels import check_depth

if TYPE_CHECKING:
    from graphacct.costs.quantities import Quantity
    from graphacct.reports.report import Report
    from graphacct.reports.rows import ParameterRow, Row

SHARE = "share"
"""The column of each row's share of the total. It is not a quantity, but stands among them."""
COLUMNS = ("params", "flops", SHARE, "activation_bytes")
TRAINING_COLUMNS = (
    "params",
    "forward_flops",
    "input_grad_flops",
    "weight_grad_flops",
    "step_flops",
    "optimizer_flops",
    "saved_bytes",
    "peak_bytes",
)
RANKS = {
    OPERATOR: 9,
    "optimizer_flops": 8,
    "input_grad_flops": 7,
    "weight_grad_flops": 7,
    "": 6,
    "forward_flops": 5,
    "activation_bytes": 4,
    "saved_bytes": 3,
    SHARE: 2,
    "peak_bytes": 2,
    "params": 1,
    "flops": 0,
    "step_flops": 0,
}
"""How little a default column is needed where there is no room for all; a plugin's own is ranked as the one without a
name. Columns that were chosen stay."""
UNCOSTED = "uncosted"


def sheet(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
) -> Sheet:
    """Returns the sheet of a report.

    Args:
        report: The report.
        by: `scope` (a tree), `operator` or `parameter`.
        depth: Levels of scopes to show, each operator on its own line; unless given, what the cost is in, in at most
            36 lines, and what is less than 0.1 % of everything as one line for each scope.
        columns: Quantities, and `share`; params, flops, share, activation_bytes and plugins' own unless given.
        binary: Bytes in GiB instead of GB.

    Raises UnknownNameError for an unknown grouping or column, ConfigError for a depth below 1.
    """
    if by == "parameter":
        return _parameters(report, binary)
    if by not in ("scope", "operator"):
        raise unknown("grouping", by, ("scope", "operator", "parameter"))
    check_depth(depth)
    names = tuple(columns) if columns else default_columns(report)
    quantities = [None if name == SHARE else report.quantity(name, "column") for name in names]
    if by == "operator":
        missing = report.coverage.by_operator
        lines = [_line(report, row, row.path, 0, "", quantities, missing, binary) for row in report.by_operator]
        gathered: tuple[str, ...] = ()
    else:
        branches = tree(report, depth, columns or ())
        lines, gathered = _tree(report, branches, quantities, binary), gathered_note(branch.fold for branch in branches)
    totals = _cells(report, report.total, 1.0 if report.coverage.costed else 0.0, quantities, binary)
    label = OPERATOR if by == "operator" else "Scope"
    second = () if by == "operator" else ("",)
    return Sheet(
        printable(report.model),
        workload_text(report),
        (
            Column(label),
            *[Column(OPERATOR, rank=RANKS[OPERATOR], cut=True)] * len(second),
            *[Column(title(item), True, rank=0 if columns else _rank(item)) for item in quantities],
        ),
        tuple(lines),
        Line((f"Total{partial(report)}", *second, *totals)),
        (
            *other_totals(report, names, binary),
            *of_one_token(report, binary),
            *gathered,
            *forward_notes(forward_alone(filter(None, quantities), report.workload.get("phase"))),
            terms(report),
            *inexact_notes(report.inexact),
            *key_notes(report.config_keys),
        ),
        warning(report),
        bars=SHARE in names,
    )


def title(quantity: Quantity | None) -> str:
    """Returns the title of a quantity's column, or of the column of shares."""
    return "Share" if quantity is None else printable(quantity.title or quantity.name)


def _rank(quantity: Quantity | None) -> int:
    return RANKS.get(SHARE if quantity is None else quantity.name, RANKS[""])


def default_columns(report: Report) -> tuple[str, ...]:
    """Returns the default columns of a table: a few of the core's, and every quantity without words for the line
    below."""
    known = {quantity.name for quantity in report.quantities}
    columns = TRAINING_COLUMNS if report.annotated.training else COLUMNS
    own = [item.name for item in report.quantities if not item.words and item.name not in equal_parts(report)]
    return (*[name for name in columns if name in known or name == SHARE], *own)


def _tree(
    report: Report, branches: Sequence[Branch], quantities: Sequence[Quantity | None], binary: bool
) -> list[Line]:
    missing = report.coverage.by_path
    return [
        _line(report, branch.row, branch.label, branch.row.depth, branch.row.operator, quantities, missing, binary)
        for branch in branches
    ]


def _line(
    report: Report,
    row: Row,
    label: str,
    indent: int,
    operator: str,
    quantities: Sequence[Quantity | None],
    missing: dict[str, int],
    binary: bool,
) -> Line:
    """Returns a row's line. An uncosted node says so instead of 0; a scope that holds one says there is more."""
    lacking = missing.get(row.path, 0)
    alone = lacking and (operator or all(same(value, 0) for value in row.figures))
    cells = [UNCOSTED] * len(quantities)
    if not alone:
        cells = [
            f"{cell} + ?" if lacking else cell for cell in _cells(report, row.values, row.share, quantities, binary)
        ]
    by_operator = row.path == row.operator and not operator
    shown = (printable(label),) if by_operator else (printable(label), printable(operator))
    return Line((*shown, *cells), printable(row.path), indent, None if alone else row.share)


def _cells(
    report: Report, values: Mapping[str, Any], share: Any, quantities: Sequence[Quantity | None], binary: bool
) -> list[str]:
    """Returns a row's figures; None is the column of shares. Zeros and undefined ratios are left empty."""
    cells = []
    for quantity in quantities:
        value = share if quantity is None else report.figure(quantity.name, values)
        if value is None or same(value, 0):
            cells.append("")
        else:
            cells.append(percent(value) if quantity is None else human(value, quantity.unit, binary))
    return cells


def _parameters(report: Report, binary: bool) -> Sheet:
    units = {quantity.name: quantity.unit for quantity in report.quantities}
    total = [
        human(report.total[name], units[name], binary) + word + partial(report)
        for name, word in (("params", " parameters"), ("param_bytes", ""))
        if name in report.total
    ]
    return Sheet(
        printable(report.model),
        workload_text(report),
        (
            Column("Tensor"),
            Column("Shape", whole=True),
            Column("Dtype", whole=True, rank=3),
            Column("Count", True, rank=2),
            Column("Params", True),
            Column("Note", rank=1),
        ),
        tuple(_parameter(row) for row in report.by_parameter),
        None,
        (f"total {', '.join(total)}", terms(report), *key_notes(report.config_keys)),
        warning(report),
    )


def _parameter(row: ParameterRow) -> Line:
    parameter = row.parameter
    name = printable(parameter.name)
    tie = f"tied to {printable(parameter.tied_to)}" if parameter.tied_to else "buffer" if parameter.buffer else ""
    own = "" if same(row.owned, 0) else params(parameter.spec.elements * row.owned)
    kind = parameter.stored.format.name if parameter.stored else parameter.spec.dtype
    return Line((name, shape_text(parameter.spec.shape), printable(kind), printable(row.count), own, tie), name)
