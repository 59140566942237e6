"""A training step: the work of the gradients and the memory that is kept, for every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention, Ordinals, adjusted
from graphacct.costs.step import StepCost
from graphacct.costs.step_quantities import ANALYSIS
from graphacct.dims import Dim, maximum
from graphacct.errors import OperatorError
from graphacct.execution.autograd import backward_pass
from graphacct.execution.kernels import ACTIVATION, Schedule
from graphacct.execution.profiles import Profile
from graphacct.execution.saved_storages import kept, savings
from graphacct.execution.schedule import schedule
from graphacct.footprint.liveness import step_bytes
from graphacct.footprint.timeline import BACKWARD, FORWARD, moments
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.operators.cost import Cost, Work
from graphacct.operators.operator import Operator
from graphacct.training.accumulation import accumulation
from graphacct.training.gradients import Gradients, backward
from graphacct.training.options import Training
from graphacct.training.selection import frozen, recomputed, selected
from graphacct.training.updates import update
from graphacct.training.zero import check_ranks


def train(annotated: AnnotatedGraph, training: Training, plugins: Plugins, unknown: str = "error") -> AnnotatedGraph:
    """The annotated graph with what a training step adds to each node.

    Raises ConfigError for a glob of parameters or nodes that matches nothing, and
    OperatorError, unless `unknown` is `report`, for an operator that states no gradient of an operand that needs one;
    such a node is then left out of every sum and named in the coverage.
    """
    graph, trained = frozen(annotated.graph, training.freeze)
    again = recomputed(graph, training.recompute, plugins.operators)
    if graph is not annotated.graph:
        annotated = annotate(graph, annotated.convention, unknown=unknown, plugins=plugins)
    check_ranks(training.dp, training.zero)
    operators = plugins.operators
    work: dict[str, Gradients] = {}
    lacking: set[str] = set()
    for record in backward(graph, operators, trained):
        name = record.node.name
        if record.gradients is None:
            if unknown == "error" and record.node.operator in operators:
                raise OperatorError(
                    f"node {name!r}: operator {record.node.operator!r} states no gradient of an operand that needs "
                    "one; state it with gradients= (docs/writing-a-plugin.md), or leave the node out of the sums with "
                    "--unknown report"
                )
            lacking.add(name)
            continue
        work[name] = work.get(name, Gradients()).plus(record.gradients, record.times)
    for name, items in accumulation(graph, trained).items():
        added = {kind: Work(vector_flops=sum(i.flops for i in items if i.weight is kind)) for kind in (False, True)}
        work[name] = work.get(name, Gradients()).plus(Gradients(added[False], added[True]), 1)
    steps = kernels(graph, training, operators)
    saved, forward, back = _memory(steps, operators, training.profile)
    counted = _Counted(annotated.convention)
    costs = []
    for item in annotated.costs:
        name = item.node.name
        gradients = work.get(name, Gradients())
        updated = update(item.owned, item.repeats, training, trained)
        parts = (gradients.input_grad, gradients.weight_grad, gradients.again, updated.work)
        input_grad, weight_grad, anew, optimizer = counted.of(item, parts)
        if item.cost is None or name in lacking:
            costs.append(attrs.evolve(item, cost=None, owned=()))
            continue
        if name in again:
            anew = anew + item.cost * item.times
        costs.append(
            item.with_analysis(
                ANALYSIS,
                StepCost(
                    input_grad=input_grad,
                    weight_grad=weight_grad,
                    again=anew,
                    optimizer=optimizer,
                    gradient_bytes=updated.gradient_bytes,
                    optimizer_state_bytes=updated.optimizer_state_bytes,
                    saved_bytes=saved.get(name, 0),
                    peak_bytes=forward.get(name, 0),
                    backward_peak_bytes=back.get(name, 0),
                ),
            )
        )
    named = attrs.evolve(graph, workload={**graph.workload, **_terms(training)})
    return attrs.evolve(annotated, graph=named, costs=tuple(costs), training=training)


def kernels(graph: Graph, training: Training, operators: Mapping[str, Operator]) -> Schedule:
    """The kernels that the forward pass of a training step runs as."""
    graph, trained = frozen(graph, training.freeze)
    again = recomputed(graph, training.recompute, operators)
    return schedule(graph, operators, training.profile, trained, lambda node: node.name in again)


def _terms(training: Training) -> dict[str, Any]:
    """How the step runs, as reports state it: what differs from the plainest step."""
    terms: dict[str, Any] = {"profile": training.profile.name}
    if training.optimizer is not None:
        terms["optimizer"] = training.optimizer.name
    if training.master:
        terms["master"] = training.master
    if training.dp > 1:
        terms |= {"dp": training.dp, "zero": training.zero}
    return terms | selected(training.recompute, training.freeze)


class _Counted:
    """What a convention counts of the work that training adds to nodes, which come in schedule order."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self.ordinals = Ordinals()

    def of(self, record: NodeCost, parts: Iterable[Work]) -> list[Cost]:
        ordinal = self.ordinals.of(record.node, record.starts)
        costs = (Cost(part.matmul_flops, part.vector_flops, part.transcendentals) for part in parts)
        return [adjusted(self.convention, record.node, cost, ordinal, backward=True) for cost in costs]


def _memory(steps: Schedule, operators: Mapping[str, Operator], profile: Profile) -> list[dict[str, Dim]]:
    """By node: the bytes that it is the first to keep, and the most that is alive while it runs, in the forward
    and in the backward pass."""
    saving = list(savings(steps))
    keeping = [item for item in kept(steps, saving) if item.storage.kind == ACTIVATION]
    saved: dict[str, Dim] = {}
    for item in keeping:
        saved[item.node] = saved.get(item.node, 0) + item.bytes
    back = backward_pass(steps, saving, operators, profile)
    peaks: dict[str, dict[str, Dim]] = {FORWARD: {}, BACKWARD: {}}
    for moment in moments(steps, back, step_bytes(steps, keeping, back)):
        found = peaks[FORWARD if moment.run == FORWARD else BACKWARD]
        found[moment.node] = maximum(found.get(moment.node, 0), moment.live_bytes)
    return [saved, peaks[FORWARD], peaks[BACKWARD]]
