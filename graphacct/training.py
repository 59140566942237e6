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
from graphacct.graph import Block, Graph, Parameter
from graphacct.kept import kept
from graphacct.liveness import live_bytes
from graphacct.plugins import Plugins
from graphacct.schedule import ACTIVATION, Schedule, schedule


def train(annotated: AnnotatedGraph, training: Training, plugins: Plugins, unknown: str = "error") -> AnnotatedGraph:
    """The annotated graph with what a training step adds to each node.

    Raises ConfigError for a glob of parameters or nodes that matches nothing, and
    OperatorError, unless `unknown` is `report`, for an operator that states no gradient of an operand that needs one;
    such a node is then left out of every sum and named in the coverage.
    """
    graph, trained = frozen(annotated.graph, training.freeze)
    again = recomputed(graph, training.recompute)
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
    steps = schedule(graph, operators, training.profile, trained, lambda node: node.name in again)
    saved, peaks = _memory(steps)
    costs = tuple(
        attrs.evolve(record, cost=None, owned=())
        if record.node.name in lacking
        else attrs.evolve(
            _record(record, work, saved, peaks, annotated.convention), recomputed=record.node.name in again
        )
        for record in annotated.costs
    )
    named = attrs.evolve(graph, workload={**graph.workload, "profile": training.profile.name})
    return attrs.evolve(annotated, graph=named, costs=costs, training=training)


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


def _memory(steps: Schedule) -> tuple[dict[str, Dim], dict[str, Dim]]:
    """By node: the bytes that it is the first to keep, and the most that is alive while it runs."""
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


SELECTIVE = tuple(
    f"*.{name}" for name in ("scores", "scale", "mask", "masked", "softmax", "attn_dropout", "values", "sdpa")
)
"""The attention core, by the names that architectures give its nodes (Korthikanti et al., 2022): much memory, little
work."""


def recomputed(graph: Graph, what: str) -> frozenset[str]:
    """The names of the nodes that are run again in the backward pass.

    Raises ConfigError, which suggests the closest name, for a glob that matches no node.
    """
    if what == "none":
        return frozenset()
    names = [node.name for node in graph.walk()]
    if what == "full":
        inside = frozenset(node.name for block in graph.nodes if isinstance(block, Block) for node in block.body.walk())
        if not inside:
            raise ConfigError("--recompute full runs blocks again, and the graph has none: give a glob of nodes")
        return inside
    globs = SELECTIVE if what == "selective" else (what,)
    found = frozenset(name for glob in globs for name in _matching(glob, names))
    if not found:
        raise ConfigError(f"--recompute {what!r} matches no node{suggest(what, (*names, 'none', 'full', 'selective'))}")
    return found


def frozen(graph: Graph, globs: Sequence[str]) -> tuple[Graph, Callable[[Parameter], bool]]:
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
