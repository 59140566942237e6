"""Lines of an explanation: one quantity of a node each, with the formula, the values put in and the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from graphacct.costs.step_quantities import step_of
from graphacct.costs.stored_reads import stored_read
from graphacct.dims import Dim, same
from graphacct.explanations.formulas import exact_cost, number, ratio_formula
from graphacct.operators.operator import Operator

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.costs.stored_reads import StoredRead
    from graphacct.explanations.parts import Backward, ExplainedPart
    from graphacct.graph.weight_format import StoredWeight
    from graphacct.reports.report import Report

FLOPS = ("matmul_flops", "flops")
SUMS = {"step": ("forward", "input_grad", "weight_grad"), "hardware": ("step", "recompute")}
"""The quantities of a training step that are sums of others, by the beginnings of their names."""


@attrs.frozen
class ExplainedQuantity:
    """One quantity of a node, explained.

    Attributes:
        quantity: Its name.
        formula: The formula in the names of the operator's signature; empty when it has no closed form.
        substituted: The formula with the values put in.
        exact: The formula's result for one pass through the node.
        value: The result under the report's convention; differs from `exact` if the convention leaves work out.
        total: The value times how often the node runs.
        parts: The parts that add up to it, for quantities of a training step with several.
    """

    quantity: str
    formula: str
    substituted: str
    exact: Dim
    value: Dim
    total: Dim
    parts: tuple[ExplainedPart, ...] = ()


def forward_line(
    name: str, total: Dim, record: NodeCost, texts: Mapping[str, tuple[str, str]], operator: Operator | None
) -> ExplainedQuantity:
    """Returns a quantity that does not depend on the phase."""
    if name in ("params", "param_bytes"):
        return _parameters(name, total, record)
    if record.cost is None or operator is None:
        return ExplainedQuantity(name, "", "", 0, 0, total)
    exact = exact_cost(operator, record)
    known = getattr(exact, name, None)
    if known is None:
        return ExplainedQuantity(name, "", "", total, total, total)
    value = getattr(record.cost, name)
    if name in ("read_bytes", "write_bytes"):
        reads = [stored_read(record.node, operator, item) for item in record.node.parameters if item.stored]
        found = [item for item in reads if item is not None]
        if found:
            return _traffic(name, known, value, total, found)
    if name == "flops":
        parts = f"{number(exact.matmul_flops)} + {number(exact.vector_flops)}"
        return ExplainedQuantity(name, "matmul_flops + vector_flops", parts, known, value, total)
    if name == "macs":
        return ExplainedQuantity(name, "matmul_flops / 2", f"{number(exact.matmul_flops)} / 2", known, value, total)
    formula, substituted = texts.get(name, ("", ""))
    return ExplainedQuantity(name, formula, substituted, known, value, total)


def training_line(
    name: str, figures: Mapping[str, Dim], record: NodeCost, operator: Operator | None, backward: Backward
) -> ExplainedQuantity | None:
    """Returns a quantity of the training step, given all of the node's figures; None for one that is not a sum of
    parts.

    Its figures include all repetitions, since not all of them compute the same gradients.
    """
    if record.cost is None or operator is None:
        return None
    from graphacct.explanations.parts import QUANTITIES

    total = figures[name]
    head, kind = next(((name.removesuffix(f"_{kind}"), kind) for kind in FLOPS if name.endswith(f"_{kind}")), ("", ""))
    if head == "forward":
        each = getattr(exact_cost(operator, record), kind)
        text = f"{number(each)} · {number(record.times)}"
        return ExplainedQuantity(name, f"{kind} · times", text, each * record.times, total, total)
    names = [f"{part}_{kind}" for part in SUMS.get(head, ())]
    if names and all(part in figures for part in names):  # a report may have only some quantities
        terms = {part: figures[part] for part in names}
        if head == "step" and record.node.rerun is not None:
            terms["the forward pass, run again by the model's own code"] = getattr(step_of(record).rerun, kind)
        numbers = " + ".join(map(number, terms.values()))
        return ExplainedQuantity(name, " + ".join(terms), numbers, total, total, total)
    if name not in QUANTITIES:
        return None
    parts = tuple(part for part in backward.parts if part.belongs(name))
    return ExplainedQuantity(name, "", "", sum(part.total for part in parts), total, total, parts)


def ratio_line(report: Report, name: str, figures: Mapping[str, Dim]) -> ExplainedQuantity:
    """Returns a ratio of a row's quantities."""
    value = report.figure(name, figures)
    return ExplainedQuantity(name, *ratio_formula(report, name, figures), value, value, value)


def _traffic(name: str, known: Dim, value: Dim, total: Dim, reads: Sequence[StoredRead]) -> ExplainedQuantity:
    """Returns the traffic of a node with stored weights: what its operator states, and what their form changes."""
    formula, numbers = name, number(known)
    exact = known
    for item in reads:
        which, dtype = item.parameter.name.rpartition(".")[2], item.parameter.spec.dtype
        form = item.parameter.stored.format.name if item.parameter.stored else ""
        if name == "read_bytes":
            exact = exact + item.read
            formula += f" + {which} as {form}" if item.copied else f" - {which} as {dtype} + {which} as {form}"
            numbers += "" if item.copied else f" - {number(item.in_dtype)}"
            numbers += f" + {number(item.stored)}"
        elif item.copied:
            exact = exact + item.written
            formula += f" + {which} written out as {dtype}"
            numbers += f" + {number(item.in_dtype)}"
    formula = formula.replace(name, "all operands" if name == "read_bytes" else "all outputs", 1)
    return ExplainedQuantity(name, formula, numbers, exact, value, total)


def _stored(stored: StoredWeight) -> str:
    """Returns the bytes of a parameter, tensor by tensor of its format."""
    each = [tensor.of(stored.rows, stored.columns) for tensor in stored.format.tensors]
    parts = [f"{number(size)} ({tensor.name})" for size, tensor in zip(each, stored.format.tensors, strict=True)]
    text = " + ".join(parts)
    return text if same(stored.matrices, 1) else f"{number(stored.matrices)} · ({text})"


def _parameters(name: str, total: Dim, record: NodeCost) -> ExplainedQuantity:
    """Returns the parameters that the node owns, and why it does not own the others."""
    owned = [parameter for parameter in record.owned if not parameter.buffer]
    each: Dim = 0
    products = []
    for parameter in owned:
        spec = parameter.spec
        if name == "param_bytes" and parameter.stored is not None:
            products.append(_stored(parameter.stored))
        else:
            width = "" if name == "params" else f" · {number(spec.bytes // spec.elements)}"
            products.append(" · ".join(map(number, spec.shape)) + width)
        each = each + (spec.elements if name == "params" else parameter.bytes)
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
    return ExplainedQuantity(name, formula or "; ".join(others), " + ".join(products), each, each, total)
