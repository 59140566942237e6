"""The tooltips of a picture: the whole path, the exact figures and their formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from graphacct.costs.annotate import NodeCost
from graphacct.dims import Dim, same
from graphacct.explanations.sources import sources
from graphacct.graph.graph import Node
from graphacct.hooks.manager import Plugins
from graphacct.render.picture.labels import numeric, tooltip
from graphacct.render.picture.scene import Edge
from graphacct.render.units import human
from graphacct.reports.report import Report

Formula: TypeAlias = Callable[[NodeCost], Iterable[str]]
"""Returns the lines about the source of a node's figures."""

EXPLAINED = ("matmul_flops", "vector_flops")
MOST_TENSORS = 12
EDGES = {"tied": "one weight, used twice", "loop": "into the next repetition", "residual": "residual"}


def node(report: Report, record: NodeCost, figures: Sequence[Dim], share: str, formula: Formula) -> Any:
    """Returns a node's tooltip: its tensors, its formulas and its exact figures."""
    lines = [record.node.name, record.node.operator, *_tensors(record.node)]
    if record.cost is None:
        lines.append("no cost: nothing registered can cost this operator; it is in no total")
    else:
        lines += formula(record)
        lines += _exact(report, figures, share)
    return tooltip(lines)


def scope(report: Report, path: str, words: str, figures: Sequence[Dim], share: str, uncosted: int) -> Any:
    """Returns the tooltip of a scope, open or collapsed: its exact figures."""
    missing = f"{uncosted} of its nodes have no cost" if uncosted else ""
    return tooltip([path, words, *_exact(report, figures, share), missing])


def edges(items: Sequence[Edge]) -> Any:
    """Returns the tooltip of an arrow: its values, and the views that they pass through."""
    lines = [EDGES.get(items[0].kind, "")]
    for item in items[:MOST_TENSORS]:
        lines += ["" if item.spec is None else str(item.spec)]
        lines += [f"through {', '.join(item.views)}" if item.views else ""]
    return tooltip(lines)


def formulas_of(plugins: Plugins, report: Report) -> Formula:
    """Returns the default formula: the operator's own, in symbols and with the values, and what it counts; in training
    also the tensors that it saves for backward, and why."""
    known: dict[Any, list[str]] = {}
    saved = _saved(report)

    def lines(record: NodeCost) -> list[str]:
        operator = plugins.operators.get(record.node.operator)
        if operator is None:
            return []
        reasons = saved.get(record.node.name, [])
        key = (operator.name, str([item.spec for item in record.node.inputs]), str(record.node.attributes))
        if key not in known:
            known[key] = [*_formulas(operator, record), sources(operator.doc)[0]]
        return [*known[key], *reasons]

    return lines


def _saved(report: Report) -> dict[str, list[str]]:
    """Returns lines about the tensors that count as saved at each node."""
    if report.annotated.activations is None:
        return {}
    from graphacct.explanations.saved_bytes import saved_rows

    return {
        node: [f"keeps {item.name} {item.tensor}: {item.why}" for item in found if not item.counted]
        for node, found in saved_rows(report.annotated.activations).items()
    }


def _formulas(operator: Any, record: NodeCost) -> Iterable[str]:
    from graphacct.explanations.formulas import exact_cost, formulas

    if not all(numeric(dim) for item in record.node.inputs for dim in item.spec.shape):
        return
    exact = exact_cost(operator, record)
    found = formulas(operator, record, [name for name in EXPLAINED if getattr(exact, name) != 0])
    for name in EXPLAINED:
        value = getattr(record.cost, name)
        if name in found and value == getattr(exact, name) and value != 0:
            steps = dict.fromkeys((name, *found[name], f"{value:,}"))
            yield " = ".join(steps) + ("" if same(record.times, 1) else " (one pass)")


def _exact(report: Report, figures: Sequence[Dim], share: str) -> Iterable[str]:
    for quantity, value in zip(report.quantities, figures, strict=True):
        if not same(value, 0):
            yield f"{quantity.name} {f'{value:,}' if isinstance(value, int) else human(value, quantity.unit)}"
    if share:
        yield f"share {share}"


def _tensors(item: Node) -> Iterable[str]:
    for operand in item.inputs[:MOST_TENSORS]:
        yield f"{operand.name} {operand.spec}"
    if len(item.inputs) > MOST_TENSORS:
        yield f"and {len(item.inputs) - MOST_TENSORS} more operands"
    for value in item.outputs[:MOST_TENSORS]:
        yield f"gives {value.spec}"
