"""Explanations: the formula of a number, the values put in, the convention and the source.

The formula is not written a second time: the operator's own formula is evaluated on symbols, and checked against the
number that it explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim, prod, same
from graphacct.errors import unknown
from graphacct.formulas import exact_cost, formulas, number
from graphacct.operators import Operator, Saved
from graphacct.paths import outward, parent, pattern
from graphacct.plugins import Plugins, default
from graphacct.resolve import check_indices, matches, resolve

if TYPE_CHECKING:
    from graphacct.annotate import NodeCost
    from graphacct.report import Report


@attrs.frozen
class Line:
    """One quantity of a node, explained.

    Attributes:
        quantity: Its name.
        formula: The formula in the names of the operator's signature; empty when it has no closed form.
        substituted: The formula with the values put in.
        exact: What the formula gives, for one pass through the node.
        value: What the report's convention makes of it; differs from `exact` where the convention leaves work out.
        total: The value times how often the node runs.
    """

    quantity: str
    formula: str
    substituted: str
    exact: Dim
    value: Dim
    total: Dim


@attrs.frozen
class Explanation:
    """Where the numbers of a node come from.

    Attributes:
        model: The model's name.
        node: The node's or scope's path.
        operator: The operator's name; empty for a scope.
        origin: The plugin that the operator comes from.
        signature: The operator's signature.
        operands: Name, shape and dtype of each operand, as text; for a scope, its parts.
        values: What the formula's names stand for, as text.
        lines: The quantities.
        times: How often the node runs, and why, as text.
        convention: Name and sentence of the report's convention.
        source: The factor per element and its source, from the operator's docstring.
        saved: What its backward pass keeps, and why.
    """

    model: str
    node: str
    operator: str
    origin: str
    signature: str
    operands: tuple[str, ...]
    values: tuple[str, ...]
    lines: tuple[Line, ...]
    times: str
    convention: str
    source: str
    saved: tuple[Saved, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return attrs.asdict(self)

    def __str__(self) -> str:
        from graphacct.render.explanation import text

        return text(self)


def explain(report: Report, node: str, quantity: str | None = None, plugins: Plugins | None = None) -> Explanation:
    """Where the numbers of a node or scope of a report come from.

    Args:
        node: A path (`transformer.h.*.attn.c_attn`), one with an index in place of `*`, or the end of one that only
            one node has (`mlp.c_fc`).
        quantity: The one quantity to explain; all of them unless given.

    Raises UnknownNameError for a node or quantity that the report does not have, with the closest one.
    """
    names = [item.name for item in report.quantities]
    if quantity is not None and quantity not in names:
        raise unknown("quantity", quantity, names)
    records = {record.node.name: record for record in report.annotated.costs}
    if node not in records:
        path = resolve(report, node)
        check_indices(report, path, node)
        named = [record for record in records.values() if pattern(record.node.name) == path]
        if not named:
            return _scope(report, path, quantity)
        meant = [record for record in named if matches(record.node.name, node, record)]
        if len(meant or named) > 1:
            return _several(report, path, named, quantity)
        node = (meant or named)[0].node.name
    return _node(report, records[node], quantity, plugins or default())


def _node(report: Report, record: NodeCost, quantity: str | None, plugins: Plugins) -> Explanation:
    node = record.node
    operator = plugins.operators.get(node.operator)
    texts = formulas(operator, record) if operator is not None else {}
    lines = []
    for name, total in _totals(report, record).items():
        if quantity is None or name == quantity:
            lines.append(_line(name, total, record, texts, operator))
    application = node.application
    sizes: list[str] = []
    if operator is not None and application is not None:
        sizes = [f"{name} = {_size(dim)}" for name, dim in application.dims.items()]
        if any(term.ellipsis is True for term in operator.signature.inputs) and application.batch:
            product = " · ".join(map(number, application.batch))
            equals = f" = {number(prod(application.batch))}" if len(application.batch) > 1 else ""
            sizes.append(f"batch = {product}{equals} (the dimensions of '...')")
    terms = operator.signature.inputs if operator is not None else ()
    operands = []
    for index, operand in enumerate(node.inputs):
        label = f"{terms[min(index, len(terms) - 1)].name}: " if terms else ""
        operands.append(f"{label}{operand.name} {operand.spec}")
    operands += [f"-> {value.name} {value.spec}" for value in node.outputs]
    convention = report.annotated.convention
    return Explanation(
        report.model,
        node.name,
        node.operator,
        plugins.origin("operators", node.operator),
        operator.signature.text if operator is not None else "",
        tuple(operands),
        tuple(sizes),
        tuple(lines),
        _times(report, record),
        f"{convention.name}: {convention.doc}",
        operator.doc if operator is not None else "no operator of this name is registered: the node is in no total",
        _kept(operator, record) if operator is not None else (),
    )


def _kept(operator: Operator, record: NodeCost) -> tuple[Saved, ...]:
    """What the backward pass keeps of this node: the operands that it has, and what its attributes call for."""
    attributes = {**operator.attributes, **record.node.attributes}
    absent = {term.name for term in operator.signature.inputs[len(record.node.inputs) :]}
    return tuple(
        item for item in operator.saves if item.name not in absent and (not item.when or attributes.get(item.when))
    )


def _size(dim: Dim | tuple[Dim, ...]) -> str:
    return " × ".join(map(number, dim)) if isinstance(dim, tuple) else number(dim)


def _line(
    name: str, total: Dim, record: NodeCost, texts: Mapping[str, tuple[str, str]], operator: Operator | None
) -> Line:
    if name in ("params", "param_bytes"):
        return _parameters(name, total, record)
    if record.cost is None or operator is None:
        return Line(name, "", "", 0, 0, total)
    exact = exact_cost(operator, record)
    known = getattr(exact, name, None)
    if known is None:
        return Line(name, "", "", total, total, total)
    value = getattr(record.cost, name)
    if name == "flops":
        parts = f"{number(exact.matmul_flops)} + {number(exact.vector_flops)}"
        return Line(name, "matmul_flops + vector_flops", parts, known, value, total)
    if name == "macs":
        return Line(name, "matmul_flops / 2", f"{number(exact.matmul_flops)} / 2", known, value, total)
    formula, substituted = texts.get(name, ("", ""))
    return Line(name, formula, substituted, known, value, total)


def _totals(report: Report, record: NodeCost) -> Mapping[str, Dim]:
    """What the node adds to each total."""
    names = [item.name for item in report.quantities]
    costed = [item for item in report.annotated.costs if item.cost is not None]
    if record.cost is None:
        return dict.fromkeys(names, 0)
    return dict(zip(names, report.values[costed.index(record)], strict=True))


def _parameters(name: str, total: Dim, record: NodeCost) -> Line:
    """The parameters that the node owns, and why it does not own the others."""
    owned = [parameter for parameter in record.owned if not parameter.buffer]
    each: Dim = 0
    products = []
    for parameter in owned:
        spec = parameter.spec
        width = "" if name == "params" else f" · {number(spec.bytes // spec.elements)}"
        products.append(" · ".join(map(number, spec.shape)) + width)
        each = each + (spec.elements if name == "params" else spec.bytes)
    others = [
        f"{parameter.name} is tied to {parameter.tied_to}, which counts it"
        if parameter.tied_to
        else f"{parameter.name} is a buffer"
        if parameter.buffer
        else f"{parameter.name} is counted where it is first used"
        for parameter in record.node.parameters
        if parameter not in owned
    ]
    formula = " + ".join(parameter.name.rpartition(".")[2] for parameter in owned)
    return Line(name, formula or "; ".join(others), " + ".join(products), each, each, total)


def _times(report: Report, record: NodeCost) -> str:
    others = [
        other.node.name
        for other in report.annotated.costs
        if other is not record and pattern(other.node.name) == record.node.name
    ]
    more = f"; the report's row {record.node.name} holds {', '.join(others)} too" if others else ""
    if not record.repeats:
        return f"once{more}"
    names = [path for path in outward(record.node.name) if path.endswith(".*")]
    around = " in ".join(
        f"{name} ×{number(times)}" for name, times in zip(names, reversed(record.repeats), strict=False)
    )
    return f"{number(record.times)} times ({around}){more}"


def _several(report: Report, path: str, records: Sequence[NodeCost], quantity: str | None) -> Explanation:
    """A row of several nodes, whose paths differ in their indices alone, is their sum."""
    parts = [(record.node.name, record.node.operator, _totals(report, record)) for record in records]
    return _sum(report, path, parts, quantity)


def _scope(report: Report, path: str, quantity: str | None) -> Explanation:
    """A scope is the sum of its parts."""
    parts = [(row.path, row.operator or "scope", row.values) for row in report.by_scope if parent(row.path) == path]
    return _sum(report, path, parts, quantity)


def _sum(
    report: Report, path: str, parts: Sequence[tuple[str, str, Mapping[str, Dim]]], quantity: str | None
) -> Explanation:
    """What a row of the report is the sum of: each part's path, operator and figures."""
    row = report[path]
    lines = []
    for name, total in row.values.items():
        if quantity is None or name == quantity:
            nonzero = [(part.removeprefix(f"{path}."), of[name]) for part, _, of in parts if not same(of[name], 0)]
            formula = " + ".join(part for part, _ in nonzero) or "0"
            numbers = " + ".join(number(value) for _, value in nonzero) or "0"
            lines.append(Line(name, formula, numbers, total, total, total))
    convention = report.annotated.convention
    return Explanation(
        report.model,
        path,
        "",
        "",
        "",
        tuple(f"{part} ({operator})" for part, operator, _ in parts),
        (),
        tuple(lines),
        "once" if same(row.repeat, 1) else f"{number(row.repeat)} times",
        f"{convention.name}: {convention.doc}",
        "the sum of its parts, repeats included",
        (),
    )
