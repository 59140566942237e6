"""A report as plain records: dictionaries of integers, one per row, for pandas, polars, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.decisions import condition_text
from graphacct.dims import is_array, is_symbol
from graphacct.errors import OperatorError, unknown
from graphacct.render.printable import printable
from graphacct.reports.rows import share

if TYPE_CHECKING:
    from graphacct.reports.report import Report
    from graphacct.reports.rows import Row

GROUPINGS = ("scope", "operator", "parameter", "node")


def records(report: Report, by: str = "scope", ratios: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Returns one dictionary per row: by scope, by operator, by parameter (the checkpoint's tensors), or by node.

    Nodes come in schedule order, with their output shapes; scopes contain their nodes, so only nodes, operators and
    parameters add up to the total. In a row with uncosted nodes, `uncosted` is their number, and the sums do not
    contain them. The named `ratios` come last, by scope, operator and node.
    Raises UnknownNameError for an unknown grouping.
    """
    if by == "scope":
        missing = report.coverage.by_path
        rows = [_row("path", row, missing.get(row.path, 0)) for row in report.by_scope]
        return _with_ratios(report, rows, report.by_scope, ratios)
    if by == "operator":
        missing = report.coverage.by_operator
        rows = [_row("operator", row, missing.get(row.path, 0)) for row in report.by_operator]
        return _with_ratios(report, rows, report.by_operator, ratios)
    if by == "parameter":
        return parameters(report)
    if by == "node":
        return nodes(report, ratios)
    raise unknown("grouping", by, GROUPINGS)


def parameters(report: Report) -> list[dict[str, Any]]:
    """Returns the checkpoint's tensors. `params` and `param_bytes` add up to the total: 0 for tied tensors, buffers and
    uncosted nodes."""
    rows = []
    for row in report.by_parameter:
        parameter, spec, tensors = row.parameter, row.parameter.spec, row.count
        rows.append(
            {
                "name": parameter.name,
                "shape": [plain_value(dim, "shape") for dim in spec.shape],
                "dtype": spec.dtype,
                "tied_to": parameter.tied_to or None,
                "buffer": parameter.buffer,
                "count": plain_value(tensors, "count"),
                "params": plain_value(spec.elements * row.owned, "params"),
                "param_bytes": plain_value(parameter.bytes * row.owned, "param_bytes"),
                "weights": parameter.stored.format.name if parameter.stored else None,
            }
        )
    return rows


def nodes(report: Report, ratios: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Returns every node with its operator, output shapes, repeats and quantities (all of them None without a cost),
    then the named `ratios`."""
    values = iter(report.values)
    names = [quantity.name for quantity in report.quantities]
    whole = report.total.get("flops", 0)
    rows = []
    for record in report.annotated.costs:
        figures = None if record.cost is None else dict(zip(names, next(values), strict=True))
        row = {
            "name": record.node.name,
            "operator": record.node.operator,
            "shapes": [[plain_value(dim, "shape") for dim in value.spec.shape] for value in record.node.outputs],
            "repeat": plain_value(record.times, "repeat"),
            "share": plain_value(share(figures.get("flops", 0), whole), "share") if figures else None,
        }
        found = (
            quantities(figures) | ratios_of(report, figures, ratios) if figures else dict.fromkeys((*names, *ratios))
        )
        rows.append(row | found)
    return rows


def quantities(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns quantities as plain values: integers unchanged, symbols as text, arrays as lists.

    Raises OperatorError for a quantity that is not a number, which JSON cannot hold.
    """
    return {name: value if type(value) is int else plain_value(value, name) for name, value in values.items()}


def ratios_of(report: Report, values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Returns the named ratios of a row's quantities as plain values; None for one that divides by zero."""
    return {name: plain_value(report.figure(name, values), name) for name in names}


def ratios_among(report: Report, columns: Iterable[str] | None) -> list[str]:
    """Returns the names of columns that are ratios; raises what `Report.quantity` raises for an unknown name."""
    return [name for name in columns or () if name != "share" and report.quantity(name, "column").of_row is not None]


def _with_ratios(
    report: Report, rows: list[dict[str, Any]], of: Iterable[Row], ratios: Sequence[str]
) -> list[dict[str, Any]]:
    if not ratios:
        return rows
    return [found | ratios_of(report, row.values, ratios) for found, row in zip(rows, of, strict=True)]


def _row(key: str, row: Row, uncosted: int) -> dict[str, Any]:
    head: dict[str, Any] = {key: row.path}
    if key == "path":
        head["operator"] = row.operator
    head["repeat"] = plain_value(row.repeat, "repeat")
    head["share"] = plain_value(row.share, "share")
    if uncosted:
        head["uncosted"] = uncosted
    for quantity, value in zip(row.names, row.figures, strict=True):
        head[quantity] = value if type(value) is int else plain_value(value, quantity)
    return head


def workload_texts(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the workload with its transforms as the command line writes them. A transform with its own key in the
    workload (such as `lora`) is not repeated."""
    applied = [record for record in workload.get("transforms", ()) if record["name"] not in workload]
    others = {name: value for name, value in workload.items() if name != "transforms"}
    if not applied:
        return others
    from graphacct.transforms.transform import option_text

    return {**others, "transforms": " ".join(map(option_text, applied))}


def conditions_text(conditions: Sequence[Any]) -> str:
    """Returns the end of a line that says when figures with symbols hold."""
    return f"; holds for {', '.join(printable(condition_text(item)) for item in conditions)}" if conditions else ""


def plain_value(value: Any, name: str) -> Any:
    """Returns a figure or a setting as a JSON value: int, finite float, list, text, or the text of a symbol.

    Raises OperatorError, which names it, for a number that JSON cannot hold (NaN, infinity).
    """
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain_value(item, name) for item in value]
    if isinstance(value, Mapping):
        return {key: plain_value(item, name) for key, item in value.items()}
    if is_array(value):
        return value.tolist()
    if hasattr(value, "__index__") and not (is_symbol(value) and not value.is_integer):
        return value.__index__()
    if isinstance(value, float) or (is_symbol(value) and value.is_number):
        value = float(value)
        if value - value != 0:
            raise OperatorError(f"quantity {name!r} came out as {value}, which is no number")
        return value
    return str(value)
