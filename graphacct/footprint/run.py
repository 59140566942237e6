"""What the memory of a model is read from: its graph, its weights on one rank and its activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, annotate
from graphacct.dims import Dim
from graphacct.footprint.activations import Activations
from graphacct.footprint.activations_of import activations_of
from graphacct.footprint.weights import Weights, weights
from graphacct.graph.graph import Graph, Parameter
from graphacct.hooks.manager import Plugins
from graphacct.keywords import check_no_training, separated
from graphacct.models.build import build
from graphacct.models.find import ModelChoice
from graphacct.models.finished import own_phase, untrainable
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import CACHING, FORWARD, TRAIN
from graphacct.training.options import Training, resolved
from graphacct.training.recompute import NO_RECOMPUTE, recompute_plan
from graphacct.training.selection import check_stored, frozen
from graphacct.training.zero import Sharded, shard


@attrs.frozen(eq=False, repr=False)
class Run:
    """What every figure of Memory is read from; of the weights the whole, and the part that is on one rank."""

    graph: Graph
    phase: str
    how: Training
    annotated: AnnotatedGraph
    whole: Weights
    part: Sharded
    activations: Activations

    @property
    def buffers(self) -> Dim:
        return self.whole.buffers + self.activations.table_bytes

    @property
    def inputs(self) -> Dim:
        return sum(value.spec.bytes for value in self.graph.inputs)

    @property
    def total(self) -> Dim:
        part = self.part
        fixed = part.parameters + self.buffers + self.inputs + part.gradients + part.optimizer_state
        return fixed + self.activations.peak


def run_of(
    found: Graph | ModelChoice | ReadChoice,
    phase: str | None,
    unknown: str,
    plugins: Plugins,
    options: Mapping[str, Any],
) -> Run:
    """Returns that of a model in a phase; the arguments are those of `memory`."""
    asked, others = separated(options)
    built, phase = _graph(found, phase, plugins, others)
    if phase != TRAIN:
        check_no_training(asked, untrainable(found), allowed=("profile", "dp", "zero"))
    how = resolved(asked, plugins)
    graph, _ = frozen(built, how.freeze)
    return _of_annotated(annotate(graph, unknown=unknown, plugins=plugins), how, phase, plugins)


def annotated_run(annotated: AnnotatedGraph, plugins: Plugins) -> Run:
    """Returns that of a graph that was accounted for: of a training step, or of what else it is."""
    phase = TRAIN if annotated.training is not None else str(annotated.graph.workload.get("phase", FORWARD))
    return _of_annotated(annotated, annotated.training or resolved({}, plugins), phase, plugins)


def _of_annotated(annotated: AnnotatedGraph, how: Training, phase: str, plugins: Plugins) -> Run:
    graph, trained = frozen(annotated.graph, how.freeze)
    gradients = trained if phase == TRAIN else _nothing
    check_stored(graph, gradients)
    plan = recompute_plan(graph, how.recompute, plugins.operators) if phase == TRAIN else NO_RECOMPUTE
    whole = weights(annotated, how.optimizer, how.master, gradients)
    part = shard(whole.parameters, whole.gradients, whole.optimizer_state, how.dp, how.zero)
    activations = annotated.activations
    if activations is None:
        activations = activations_of(graph, plugins.operators, how.profile, gradients, plan, phase == TRAIN)
    return Run(graph, phase, how, annotated, whole, part, activations)


def _graph(
    found: Graph | ModelChoice | ReadChoice, phase: str | None, plugins: Plugins, options: Mapping[str, Any]
) -> tuple[Graph, str]:
    """Returns the model's graph and its phase, a training step by default; a finished graph is taken as it is."""
    if not isinstance(found, Graph):
        phase = phase or TRAIN
        return build(found, plugins=plugins, phase=phase, **options), phase
    if phase is None:
        own = own_phase(found)
        phase = own if own in CACHING else TRAIN
    return build(found, plugins=plugins, phase=phase, **options), phase


def _nothing(parameter: Parameter) -> bool:
    """Without gradients no parameter is trained."""
    return False
