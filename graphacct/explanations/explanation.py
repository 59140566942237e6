"""Explanations: the formula of a number, the values put in, the convention and the source.

The formula is not written a second time: the operator's own formula is evaluated on symbols, and checked against the
number that it explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim, prod, same
from graphacct.display import display
from graphacct.explanations.formulas import formulas, number
from graphacct.explanations.lines import ExplainedQuantity, forward_line, ratio_line, training_line
from graphacct.explanations.lookup import check_indices, matches, resolve
from graphacct.explanations.sources import sources
from graphacct.graph.graph import Node
from graphacct.graph.paths import last, outward, parent, pattern
from graphacct.hooks.manager import Plugins, default
from graphacct.operators.operator import Operator

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.explanations.saved_bytes import SavedRow
    from graphacct.footprint.live_tensors import LiveTensor
    from graphacct.reports.report import Report

SUMS = "the sum of its parts, repeats included"
RATIO = "of the sums over its parts, repeats included"
GRADIENTS_OF = ("input_grad", "weight_grad", "step", "hardware")
"""The beginnings of quantities whose explanation notes operands without a gradient."""


@attrs.frozen
class Explanation:
    """Where the numbers of a node come from.

    Attributes:
        model: The model's name.
        node: The node's or scope's path.
        operator: The operator's name; empty for a scope.
        origin: The plugin that the operator comes from.
        signature: The operator's signature.
        operands: The name, shape and dtype of each operand, as text; for a scope, its parts.
        values: The values of the formula's names, as text.
        lines: The quantities.
        times: How often the node runs and why, as text.
        convention: Name and sentence of the report's convention.
        source: The factor per element and its source, from the operator's docstring.
        gradient_source: The same for its gradients; empty outside training.
        notes: In training, the operands without a gradient, and why.
        saved: In training, the tensors that its backward pass needs, where they are stored, and which of them count
            here.
        alive: In training, the tensors alive at its peak in the forward pass.
        backward_alive: In training, the tensors alive at its peak in the backward pass.
    """

    model: str
    node: str
    operator: str
    origin: str
    signature: str
    operands: tuple[str, ...]
    values: tuple[str, ...]
    lines: tuple[ExplainedQuantity, ...]
    times: str
    convention: str
    source: str
    gradient_source: str = ""
    notes: tuple[str, ...] = ()
    saved: tuple[SavedRow, ...] = ()
    alive: tuple[LiveTensor, ...] = ()
    backward_alive: tuple[LiveTensor, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        return attrs.asdict(self, filter=attrs.filters.exclude("named"))  # code, of which the text is there

    def __repr__(self) -> str:
        return f"<Explanation {self.model}, {self.node}: {', '.join(line.quantity for line in self.lines)}>"

    def __str__(self) -> str:
        return str(display("explanation.text", self))

    def _repr_html_(self) -> str:
        return str(display("explanation.html", self))


def explain(report: Report, node: str, quantity: str | None = None, plugins: Plugins | None = None) -> Explanation:
    """Returns where the numbers of a node or scope of a report come from.

    Args:
        node: A path (`transformer.h.*.attn.c_attn`), one with an index in place of `*`, or the end of one that only
            one node has (`mlp.c_fc`).
        quantity: The one quantity to explain; all of them unless given.

    Raises UnknownNameError for a node or quantity that the report does not have, with the closest one, and ConfigError
    for a quantity of another phase.
    """
    report.check_one_step("an explanation")
    if quantity is not None:
        report.quantity(quantity)
    records = {record.node.name: record for record in report.annotated.costs}
    if node not in records:
        path = resolve(report, node)
        check_indices(report, path, node)
        named = [record for record in records.values() if pattern(record.node.name) == path]
        if not named:
            return _one_of(node, _scope(report, path, quantity))
        meant = [record for record in named if matches(record.node.name, node, record)]
        if len(meant or named) > 1:
            return _one_of(node, _several(report, path, named, quantity))
        node = (meant or named)[0].node.name
    return _node(report, records[node], quantity, plugins or default())


def _node(report: Report, record: NodeCost, quantity: str | None, plugins: Plugins) -> Explanation:
    node = record.node
    operator = plugins.operators.get(node.operator)
    texts = formulas(operator, record) if operator is not None else {}
    training = report.annotated.training
    backward = None
    if training is not None:
        from graphacct.explanations.parts import explained_parts

        backward = explained_parts(report.annotated.graph, record, training, plugins)
    lines = []
    figures = _totals(report, record)
    for name, total in figures.items():
        if quantity is None or name == quantity:
            step = None if backward is None else training_line(name, figures, record, operator, backward)
            lines.append(step or forward_line(name, total, record, texts, operator))
    lines += [ratio_line(report, item.name, figures) for item in report.ratios if item.name == quantity]
    named = {line.quantity for line in lines}
    convention = report.annotated.convention
    doc = operator.doc if operator is not None else "no operator of this name is registered: the node is in no total"
    source, gradient_source = sources(doc)
    worked = any(name.startswith(GRADIENTS_OF) for name in named)
    return Explanation(
        report.model,
        node.name,
        node.operator,
        plugins.origin("operators", node.operator),
        operator.signature.text if operator is not None else "",
        _operands(node, operator),
        _sizes(node, operator),
        tuple(lines),
        _times(report, record),
        f"{convention.name}: {convention.doc}",
        source,
        gradient_source if worked and training is not None else "",
        backward.notes if backward is not None and worked else (),
        *_memory(report, node.name, named),
    )


def _memory(
    report: Report, node: str, named: Set[str]
) -> tuple[tuple[SavedRow, ...], tuple[LiveTensor, ...], tuple[LiveTensor, ...]]:
    """Returns the tensors that a node's backward pass needs and those alive at its two peaks, if the quantities named
    need them."""
    run = report.annotated.activations
    if run is None:
        return (), (), ()
    from graphacct.explanations.saved_bytes import saved_rows

    return (
        saved_rows(run).get(node, ()) if "saved_bytes" in named else (),
        run.live_at_peak_of(node, forward=True) if "peak_bytes" in named else (),
        run.live_at_peak_of(node, forward=False) if "backward_peak_bytes" in named else (),
    )


def _operands(node: Node, operator: Operator | None) -> tuple[str, ...]:
    terms = operator.signature.inputs if operator is not None else ()
    operands = []
    for index, operand in enumerate(node.inputs):
        label = f"{terms[min(index, len(terms) - 1)].name}: " if terms else ""
        stored = getattr(operand, "stored", None)
        form = f", stored as {stored.format.name}" if stored else ""
        operands.append(f"{label}{operand.name} {operand.spec}{form}")
    return (*operands, *(f"-> {value.name} {value.spec}{_storage(node)}" for value in node.outputs))


def _storage(node: Node) -> str:
    """Returns where an output is stored if not in memory of its own, as text."""
    application = node.application
    if application is None or not node.inputs:
        return ""
    first = node.inputs[0].name
    if application.in_place:
        return f", in place: written over {first}"
    return f", a view: the storage of {first}" if application.view else ""


def _sizes(node: Node, operator: Operator | None) -> tuple[str, ...]:
    application = node.application
    if operator is None or application is None:
        return ()
    sizes = [f"{name} = {_size(dim)}" for name, dim in application.dims.items()]
    if any(term.ellipsis is True for term in operator.signature.inputs) and application.batch:
        product = " · ".join(map(number, application.batch))
        equals = f" = {number(prod(application.batch))}" if len(application.batch) > 1 else ""
        sizes.append(f"batch = {product}{equals} (the dimensions of '...')")
    return tuple(sizes)


def _size(dim: Dim | tuple[Dim, ...]) -> str:
    return " × ".join(map(number, dim)) if isinstance(dim, tuple) else number(dim)


def _totals(report: Report, record: NodeCost) -> Mapping[str, Dim]:
    """Returns the node's contribution to each total."""
    names = [item.name for item in report.quantities]
    costed = [item for item in report.annotated.costs if item.cost is not None]
    if record.cost is None:
        return dict.fromkeys(names, 0)
    return dict(zip(names, report.values[costed.index(record)], strict=True))


def _times(report: Report, record: NodeCost) -> str:
    others = [
        other.node.name
        for other in report.annotated.costs
        if other is not record and pattern(other.node.name) == record.node.name
    ]
    more = f"; the report's row {record.node.name} holds {', '.join(others)} too" if others else ""
    if not record.repeats:
        return f"once{more}"
    names = [path for path in outward(record.node.name) if "*" in last(path)]
    around = " in ".join(
        f"{name} ×{number(times)}" for name, times in zip(names, reversed(record.repeats), strict=False)
    )
    return f"{number(record.times)} times ({around}){more}"


def _several(report: Report, path: str, records: Sequence[NodeCost], quantity: str | None) -> Explanation:
    """Returns the explanation of a row of several nodes, whose paths differ only in their indices, as their sum."""
    parts = [(record.node.name, record.node.operator, _totals(report, record)) for record in records]
    return _sum(report, path, parts, quantity)


def _scope(report: Report, path: str, quantity: str | None) -> Explanation:
    """Returns the explanation of a scope, as the sum of its parts."""
    parts = [(row.path, row.operator or "scope", row.values) for row in report.by_scope if parent(row.path) == path]
    return _sum(report, path, parts, quantity)


def _sum(
    report: Report, path: str, parts: Sequence[tuple[str, str, Mapping[str, Dim]]], quantity: str | None
) -> Explanation:
    """Returns the explanation of a row as the sum of `parts`: each one's path, operator and figures."""
    row = report[path]
    combine = {item.name: item.combine for item in report.quantities}
    lines = []
    for name, total in row.values.items():
        if quantity is None or name == quantity:
            nonzero = [(part.removeprefix(f"{path}."), of[name]) for part, _, of in parts if not same(of[name], 0)]
            largest = combine[name] == "max"
            formula = _combined([part for part, _ in nonzero], largest)
            numbers = _combined([number(value) for _, value in nonzero], largest)
            lines.append(ExplainedQuantity(name, formula, numbers, total, total, total))
    source = SUMS if not any(of == "max" for of in combine.values()) else f"{SUMS}; of peaks, the largest"
    for item in report.ratios:
        if item.name == quantity:
            lines.append(ratio_line(report, item.name, row.values))
            source = RATIO
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
        source,
    )


def _one_of(wanted: str, found: Explanation) -> Explanation:
    """Returns the explanation with a note for a node that was given by an index: its figures are the whole row's."""
    if not any(part.isdigit() for part in wanted.split(".")):
        return found
    return attrs.evolve(found, times=f"{found.times}; the figures are of all of them, {wanted} is one")


def _combined(terms: Sequence[str], largest: bool) -> str:
    """Returns terms as a sum, or as their maximum."""
    if largest and len(terms) > 1:
        return f"the largest of {'; '.join(terms)}"
    return " + ".join(terms) or "0"
