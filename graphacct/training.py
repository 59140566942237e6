"""A training step: the work of the gradients and the memory that is kept, for every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import attrs

from graphacct.annotate import AnnotatedGraph, NodeCost, Training, annotate
from graphacct.backward import NOTHING, backward
from graphacct.conventions import Convention
from graphacct.costs import Cost, Work
from graphacct.dims import Dim, maximum
from graphacct.errors import ConfigError, OperatorError, suggest
from graphacct.graph import Graph, Parameter
from graphacct.kept import kept
from graphacct.liveness import live_bytes
from graphacct.plugins import Plugins
from graphacct.profiles import Profile
from graphacct.schedule import ACTIVATION, schedule


def train(
    annotated: AnnotatedGraph, profile: Profile, freeze: Sequence[str], plugins: Plugins, unknown: str = "error"
) -> AnnotatedGraph:
    """The annotated graph with what a training step adds to each node.

    `freeze` has globs of parameters that are not trained. Raises ConfigError for a glob that matches nothing, and
    OperatorError, unless `unknown` is `report`, for an operator that states no gradient of an operand that needs one;
    such a node is then left out of every sum and named in the coverage.
    """
    graph, trained = _frozen(annotated.graph, freeze)
    if graph is not annotated.graph:
        annotated = annotate(graph, annotated.convention, unknown=unknown, plugins=plugins)
    operators = plugins.operators
    work: dict[str, tuple[Work, Work]] = {}
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
        inputs, weights = work.get(name, (NOTHING, NOTHING))
        gradients = record.gradients
        work[name] = (
            _more(inputs, gradients.input_grad, record.times),
            _more(weights, gradients.weight_grad, record.times),
        )
    saved, peaks = _memory(graph, trained, profile, plugins)
    costs = tuple(
        attrs.evolve(record, cost=None, owned=())
        if record.node.name in lacking
        else _record(record, work, saved, peaks, annotated.convention)
        for record in annotated.costs
    )
    named = attrs.evolve(graph, workload={**graph.workload, "profile": profile.name})
    return attrs.evolve(annotated, graph=named, costs=costs, training=Training(profile, tuple(freeze)))


def _record(
    record: NodeCost,
    work: dict[str, tuple[Work, Work]],
    saved: dict[str, Dim],
    peaks: dict[str, Dim],
    convention: Convention,
) -> NodeCost:
    name = record.node.name
    inputs, weights = work.get(name, (NOTHING, NOTHING))
    return attrs.evolve(
        record,
        input_grad=_cost(inputs, convention),
        weight_grad=_cost(weights, convention),
        saved_bytes=saved.get(name, 0),
        peak_bytes=peaks.get(name, 0),
    )


def _more(total: Work, work: Work, times: Dim) -> Work:
    return Work(
        total.matmul_flops + work.matmul_flops * times,
        total.vector_flops + work.vector_flops * times,
        total.transcendentals + work.transcendentals * times,
    )


def _cost(work: Work, convention: Convention) -> Cost:
    """The gradient work that a convention counts: all of it, or the contractions alone."""
    if convention.adjust is None:
        return Cost(work.matmul_flops, work.vector_flops, work.transcendentals)
    return Cost(work.matmul_flops)


def _memory(
    graph: Graph, trained: Callable[[Parameter], bool], profile: Profile, plugins: Plugins
) -> tuple[dict[str, Dim], dict[str, Dim]]:
    """By node: the bytes that it is the first to keep, and the most that is alive while it runs."""
    steps = schedule(graph, plugins.operators, profile, trained)
    keeping = kept(steps)
    saved: dict[str, Dim] = {}
    for item in keeping:
        if item.storage.kind == ACTIVATION:
            saved[item.node] = saved.get(item.node, 0) + item.bytes
    peaks: dict[str, Dim] = {}
    alive = live_bytes(steps, [(item.storage, item.position) for item in keeping])
    for step, live in zip(steps.steps, alive, strict=True):
        peaks[step.node.name] = maximum(peaks.get(step.node.name, 0), live)
    return saved, peaks


def _frozen(graph: Graph, globs: Sequence[str]) -> tuple[Graph, Callable[[Parameter], bool]]:
    """The graph, written out where a glob names single layers, and which parameters are trained.

    Parameters that share storage are frozen together.
    """
    if not globs:
        return graph, lambda parameter: not parameter.buffer
    names = _storages(graph)
    if any(not _matching(glob, names) for glob in globs):
        graph = graph.unroll()
        names = _storages(graph)
    for glob in globs:
        if not _matching(glob, names):
            raise ConfigError(f"--freeze {glob!r} matches no parameter{suggest(glob, names)}")
    frozen = {names[name] for glob in globs for name in _matching(glob, names)}
    return graph, lambda parameter: not parameter.buffer and (parameter.tied_to or parameter.name) not in frozen


def _storages(graph: Graph) -> dict[str, str]:
    """The storage of each parameter, by name."""
    parameters = [parameter for node in graph.walk() for parameter in node.parameters]
    return {parameter.name: parameter.tied_to or parameter.name for parameter in parameters}


def _matching(glob: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if fnmatchcase(name, glob)]
