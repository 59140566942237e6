"""A training step: the work of each node's gradients, and the memory of the tensors that it saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention, adjusted
from graphacct.costs.roles import in_layer
from graphacct.costs.step import NOTHING, StepCost, StepMemory
from graphacct.costs.step_quantities import COLUMNS, MEMORY, STEP
from graphacct.dims import Dim
from graphacct.errors import OperatorError
from graphacct.footprint.activations import (
    Activations,
    backward_peaks_by_node,
    forward_peaks_by_node,
    saved_by_node,
)
from graphacct.footprint.activations_of import activations_of
from graphacct.graph.graph import Graph, Parameter
from graphacct.graph.ordinals import Ordinals
from graphacct.hooks.manager import Plugins
from graphacct.operators.cost import Cost, Work
from graphacct.operators.operator import Operator
from graphacct.training.gradient_flow import node_gradients, work_of
from graphacct.training.gradients import GradientWork
from graphacct.training.options import Training
from graphacct.training.recompute import RecomputePlan, recompute_plan
from graphacct.training.selection import check_stored, frozen, selected
from graphacct.training.updates import update
from graphacct.training.zero import check_ranks


def train(
    annotated: AnnotatedGraph,
    training: Training,
    plugins: Plugins,
    unknown: str = "error",
    memory: Collection[str] = COLUMNS,
    work: bool = True,
) -> AnnotatedGraph:
    """Returns the annotated graph with what a training step adds to each node: work and those columns of its `memory`,
    saved bytes and peaks, which take most of the time to compute. Without `work` it has the memory alone: for a graph
    whose operators are known to state their gradients.

    Raises ConfigError for a glob of parameters or nodes that matches nothing, and OperatorError for an operator that
    states no gradient of an operand that needs one. If `unknown` is `report`, such a node is left out of every sum
    instead, and the coverage names it.
    """
    graph, trained = frozen(annotated.graph, training.freeze)
    check_stored(graph, trained)
    plan = recompute_plan(graph, training.recompute, plugins.operators)
    if graph is not annotated.graph:
        annotated = annotate(graph, annotated.convention, unknown=unknown, plugins=plugins)
    check_ranks(training.dp, training.zero)
    costs = (
        _with_work(annotated, graph, trained, training, plan, plugins.operators, unknown) if work else annotated.costs
    )
    run = activations_of(graph, plugins.operators, training.profile, trained, plan)
    named = attrs.evolve(graph, workload={**graph.workload, **_terms(training)})
    whole = tuple(with_memory(costs, run, memory) if memory else costs)
    return attrs.evolve(annotated, graph=named, costs=whole, training=training, activations=run)


def _with_work(
    annotated: AnnotatedGraph,
    graph: Graph,
    trained: Callable[[Parameter], bool],
    training: Training,
    plan: RecomputePlan,
    operators: Mapping[str, Operator],
    unknown: str,
) -> Sequence[NodeCost]:
    """Returns the records with the work of each node's gradients and of its parameters' update."""
    work: dict[str, GradientWork] = {}
    lacking: set[str] = set()
    for name, record in node_gradients(graph, trained, operators).items():
        total = work_of(record, operators)
        if total is not None:
            work[name] = total
            continue
        if unknown == "error" and record.node.operator in operators:
            raise OperatorError(
                f"node {name!r}: operator {record.node.operator!r} states no gradient of an operand that needs "
                "one; state it with gradients= (docs/writing-a-plugin.md), or leave the node out of the sums with "
                "unknown='report'"
            )
        lacking.add(name)
    counted = _Counted(annotated.convention)
    costs = []
    for item in annotated.costs:
        name = item.node.name
        gradients = work.get(name, GradientWork())
        updated = update(item.owned, item.repeats, training, trained)
        parts = (gradients.input_grad, gradients.weight_grad, gradients.recompute, updated.work)
        input_grad, weight_grad, recompute, optimizer = counted.of(item, parts)
        if item.cost is None or name in lacking:
            costs.append(attrs.evolve(item, cost=None, owned=()))
            continue
        own = item.node.rerun
        if name in plan.recompute and own is None:
            recompute = recompute + item.cost * item.times
        costs.append(
            item.with_analysis(
                STEP,
                StepCost(
                    input_grad=input_grad,
                    weight_grad=weight_grad,
                    recompute=recompute,
                    optimizer=optimizer,
                    gradient_bytes=updated.gradient_bytes,
                    optimizer_state_bytes=updated.optimizer_state_bytes,
                    rerun=_again(annotated.convention, item),
                ),
            )
        )
    return costs


def _again(convention: Convention, record: NodeCost) -> Cost:
    """Returns the forward work of a node that the step repeats because the model's own code says so. A published
    formula knows of no such code: it has layers run again, or not."""
    if record.cost is None:
        return NOTHING
    if convention.formula is not None:
        again = convention.layers_again and in_layer(record.node.name)
        return _work(record.cost * record.times) if again else NOTHING
    own = record.node.rerun
    return NOTHING if own is None else record.cost * record.times * own.times


def _work(cost: Cost) -> Cost:
    """Returns the arithmetic of a cost, without its bytes."""
    return Cost(cost.matmul_flops, cost.vector_flops, cost.transcendentals)


def with_memory(costs: Sequence[NodeCost], run: Activations, columns: Collection[str]) -> list[NodeCost]:
    """Returns the records with columns of the memory of each node: the bytes that it is the first to save, and the most
    that is alive while it runs.

    Only this function needs the schedule, the backward pass and the bytes alive after each kernel. `run` computes them
    on first use.
    """
    computed: tuple[Callable[[], dict[str, Dim]], ...] = (
        lambda: saved_by_node(run),
        lambda: forward_peaks_by_node(run),
        lambda: backward_peaks_by_node(run),
    )
    found = {name: column() for name, column in zip(COLUMNS, computed, strict=True) if name in columns}
    return [
        record.with_analysis(
            MEMORY, StepMemory(**{name: sizes.get(record.node.name, 0) for name, sizes in found.items()})
        )
        if record.cost is not None
        else record
        for record in costs
    ]


def _terms(training: Training) -> dict[str, Any]:
    """Returns the training options that differ from the defaults, as a report's header shows them."""
    terms: dict[str, Any] = {"profile": training.profile.name}
    if training.optimizer is not None:
        terms["optimizer"] = training.optimizer.name
    if training.master:
        terms["master"] = training.master
    if training.dp > 1:
        terms |= {"dp": training.dp, "zero": training.zero}
    return terms | selected(training.recompute.name, training.freeze)


class _Counted:
    """Counts, under a convention, the work that training adds to each node. Nodes come in schedule order.

    A published formula states a step as three times the forward pass: what it has of a node is each of its two
    gradients too.
    """

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self.ordinals = Ordinals()

    def of(self, record: NodeCost, parts: Iterable[Work]) -> list[Cost]:
        if self.convention.formula is not None:
            once = NOTHING if record.cost is None else _work(record.cost * record.times)
            return [once, once, NOTHING, NOTHING]
        ordinal = self.ordinals.of(record.node, record.starts)
        costs = (Cost(part.matmul_flops, part.vector_flops, part.transcendentals) for part in parts)
        return [adjusted(self.convention, record.node, cost, ordinal, backward=True) for cost in costs]
