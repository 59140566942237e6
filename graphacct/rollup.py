"""Rolling annotations up: totals, and the same by scope, by operator and by parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import add, mul
from typing import Any

import attrs

from graphacct.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.dims import Dim, maximum, same
from graphacct.errors import PluginError, failure
from graphacct.graph import Parameter
from graphacct.paths import instances, parent, pattern
from graphacct.plugins import Plugins, default
from graphacct.quantities import Quantity
from graphacct.report import Coverage, ParameterRow, Report, Row
from graphacct.tensors import conflict

SHARE_OF = "flops"
"""The quantity whose share every row states."""


def rollup(annotated: AnnotatedGraph, plugins: Plugins | None = None) -> Report:
    """The report of an annotated graph.

    Sums multiply by the repeats around a node, maxima do not; parameters count once per storage. Nodes without a
    cost are in no sum, and the coverage names them.
    """
    plugins = plugins or default()
    phase = "train" if annotated.training else annotated.graph.workload.get("phase", "forward")
    quantities = tuple([item for item in plugins.quantities.values() if not item.phase or phase in item.phase.split()])
    costed = [record for record in annotated.costs if record.cost is not None]
    times = [record.times for record in costed]
    columns: list[list[Dim]] = []
    totals: list[Dim] = []
    for quantity in quantities:
        try:
            columns.append(_column(quantity, costed, times))
            totals.append(_total(quantity, columns[-1]))
        except Exception as error:
            who = f"quantity {quantity.name!r} of plugin {plugins.origin('quantities', quantity.name)}"
            raise PluginError(failure(who, error)) from error
    uncosted = (
        tuple((node.name, node.operator) for node in annotated.uncosted) if len(costed) < len(annotated.costs) else ()
    )
    return Report(
        annotated,
        quantities,
        dict(zip([quantity.name for quantity in quantities], totals, strict=True)),
        Coverage(len(costed), len(annotated.costs), uncosted),
        tuple(zip(*columns, strict=True)) if costed else (),
    )


def unrolled(report: Report, plugins: Plugins | None = None) -> Report:
    """The report of the same model with every repetition of its blocks written out, under the same convention.

    Raises GraphError when a block repeats a symbolic number of times.
    """
    annotated = report.annotated
    flat = annotate(annotated.graph.unroll(), annotated.convention, unknown="report", plugins=plugins)
    if annotated.training:
        from graphacct.training import train

        training = annotated.training
        flat = train(flat, training, plugins or default(), "report")
    return rollup(flat, plugins)


def share(part: Dim, whole: Dim) -> Any:
    """A part of a whole, 0 to 1: a float, or a symbol or an array where they are; 0 where there is no whole."""
    return 0.0 if same(whole, 0) else part / whole


def _column(quantity: Quantity, records: Sequence[NodeCost], times: Sequence[Dim]) -> list[Dim]:
    """One quantity of every costed node, repeats included."""
    if quantity.per in ("parameter", "owned"):
        return [_over_parameters(quantity, record) if record.owned else 0 for record in records]
    values = map(quantity.of, records)
    return list(values if quantity.combine == "max" or quantity.per == "total" else map(mul, values, times))


def _total(quantity: Quantity, column: Sequence[Dim]) -> Dim:
    start: Dim = 0
    return reduce(maximum, column, start) if quantity.combine == "max" else sum(column)


def _over_parameters(quantity: Quantity, record: NodeCost) -> Dim:
    result: Dim = 0
    for parameter in record.owned:
        if parameter.buffer:
            continue
        value = quantity.of(parameter, record.node) if quantity.per == "owned" else quantity.of(parameter)
        if quantity.combine == "max":
            result = maximum(result, value)
        else:
            result = result + value * instances(parameter.name, record.repeats)
    return result


def per_node(name: str, annotated: AnnotatedGraph, plugins: Plugins) -> dict[str, Dim]:
    """One quantity of every costed node by name, repeats included, whatever its phase; empty when no plugin registers
    it."""
    quantity = plugins.quantities.get(name)
    if quantity is None:
        return {}
    costed = [record for record in annotated.costs if record.cost is not None]
    values = _column(quantity, costed, [record.times for record in costed])
    return {record.node.name: value for record, value in zip(costed, values, strict=True)}


def adder(quantities: Sequence[Quantity]) -> Callable[[tuple[Dim, ...], tuple[Dim, ...]], tuple[Dim, ...]]:
    """How two rows of values combine, element by element."""
    if all(quantity.combine == "sum" for quantity in quantities):
        return lambda a, b: tuple(map(add, a, b))
    functions = [maximum if quantity.combine == "max" else add for quantity in quantities]
    return lambda a, b: tuple(f(x, y) for f, x, y in zip(functions, a, b, strict=True))


def by_scope(report: Report) -> tuple[Row, ...]:
    """A row for every scope and every node, parents before children, in the order of the model.

    Paths are the checkpoint's module paths with `*` for an index. A row's quantities are sums over all modules that
    its path matches, `repeat` says how many those are.
    """
    combine = adder(report.quantities)
    nothing = (0,) * len(report.quantities)
    values = iter(report.values)
    sums: dict[str, tuple[Dim, ...]] = {}
    operators: dict[str, str] = {}
    repeats: dict[str, Dim] = {}
    children: dict[str, dict[str, None]] = {"": {}}
    known: set[tuple[str, tuple[int, ...]]] = set()
    for record in report.annotated.costs:
        name = record.node.name
        row = pattern(name)
        own = nothing if record.cost is None else next(values)
        sums[row] = combine(sums[row], own) if row in sums else own
        kind = record.node.operator
        operators[row] = kind if operators.get(row, kind) == kind else ""
        path = name
        while path and (key := (path, record.starts[: path.count("*")])) not in known:
            known.add(key)
            repeats[row] = repeats.get(row, 0) + instances(path, record.repeats)
            path = parent(path)
            above = parent(row)
            children.setdefault(above, {})[row] = None
            row = above
    order = _preorder(children)
    for path in reversed(order):
        above = parent(path)
        if above:
            sums[above] = combine(sums[above], sums[path]) if above in sums else sums[path]
    return _rows(report, ((path, operators.get(path, ""), repeats[path], sums[path]) for path in order))


def _rows(report: Report, items: Iterable[tuple[str, str, Dim, tuple[Dim, ...]]]) -> tuple[Row, ...]:
    """Rows of (path, operator, repeat, figures), each with its share of the whole."""
    names = tuple([quantity.name for quantity in report.quantities])
    whole = report.total[SHARE_OF] if SHARE_OF in names else 0
    column = names.index(SHARE_OF) if SHARE_OF in names else 0
    return tuple(
        [
            Row(path, operator, repeat, share(figures[column], whole), names, figures)
            for path, operator, repeat, figures in items
        ]
    )


def _preorder(children: Mapping[str, Iterable[str]]) -> list[str]:
    """All paths, parents before their children, children as they come."""
    order: list[str] = []
    stack = list(children[""])[::-1]
    while stack:
        path = stack.pop()
        order.append(path)
        if path in children:
            stack.extend(list(children[path])[::-1])
    return order


def by_operator(report: Report) -> tuple[Row, ...]:
    """A row for every operator, the most FLOPs first; `repeat` says how often it runs."""
    combine = adder(report.quantities)
    nothing = (0,) * len(report.quantities)
    values = iter(report.values)
    sums: dict[str, tuple[Dim, ...]] = {}
    repeats: dict[str, Dim] = {}
    for record in report.annotated.costs:
        name = record.node.operator
        own = nothing if record.cost is None else next(values)
        sums[name] = combine(sums[name], own) if name in sums else own
        repeats[name] = repeats.get(name, 0) + record.times
    rows = _rows(report, ((name, name, repeats[name], row) for name, row in sums.items()))
    if all(isinstance(row.share, float) for row in rows):
        return tuple(sorted(rows, key=lambda row: -row.share))
    return rows


def by_parameter(report: Report) -> tuple[ParameterRow, ...]:
    """The checkpoint's tensors in the order of the model, tied ones and buffers included and marked.

    Layers of several blocks that have alike tensors share a row: `layers.*` and `layers.*+3`.
    """
    rows: list[ParameterRow] = []
    places: dict[tuple[str, str], list[int]] = {}
    known: set[tuple[str, tuple[int, ...]]] = set()
    for record in report.annotated.costs:
        for operand in record.node.inputs:
            if not isinstance(operand, Parameter):
                continue
            name = operand.name
            key = (name, record.starts[: name.count("*")])
            if key in known:
                continue
            known.add(key)
            folded = "*" in name
            row = attrs.evolve(operand, name=pattern(name), tied_to=pattern(operand.tied_to)) if folded else operand
            count = instances(name, record.repeats)
            alike = places.setdefault((row.name, row.tied_to), [])
            place = next((at for at in alike if not conflict(rows[at].parameter.spec, row.spec)), None)
            if place is None:
                alike.append(len(rows))
                rows.append(ParameterRow(row, count))
            else:
                rows[place] = attrs.evolve(rows[place], count=rows[place].count + count)
    return tuple(rows)
