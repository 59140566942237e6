"""Reconciliation: why two conventions give one model different figures, term by term."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention, by_formula
from graphacct.costs.counted_node import CountedGraph
from graphacct.costs.masking import masked
from graphacct.costs.roles import in_layer, roles
from graphacct.costs.step_quantities import step_of
from graphacct.costs.terms import BACKWARD, GRADIENTS, MASK, RECOMPUTE, TERMS, terms_of
from graphacct.dims import Dim, digits, same
from graphacct.display import display
from graphacct.graph.attention_core import attention_core
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.operators.cost import Work
from graphacct.operators.mask import FULL
from graphacct.phases import TRAIN
from graphacct.reports.step import train
from graphacct.training.options import Training

BACKWARD_PASSES = 2
"""A formula's step has twice its forward pass for the backward pass."""


@attrs.frozen
class Term:
    """What one convention counts of something above another one.

    Attributes:
        name: One of `graphacct.costs.terms.TERMS`.
        flops: The FLOPs in a step, or in a forward pass; below 0 if the other counts more.
    """

    name: str
    flops: Dim


@attrs.frozen(eq=False)
class Reconciliation:
    """The difference between two conventions on one model, whose terms sum to it exactly.

    Attributes:
        model: The model's name.
        workload: What it is built for.
        between: The convention from which the difference counts; with a mask that is not its own, `matmul:causal`.
        and_: The other convention.
        masks: Which of attention's pairs each of them counts.
        from_flops: The FLOPs of the step, or of the forward pass, under the first one.
        to_flops: The same under the other one.
        terms: What leads from the first figure to the other; none of them is 0.
        forward_alone: Those of the two that count a training step's forward pass and nothing of its backward pass.
    """

    model: str
    workload: Mapping[str, object]
    between: str
    and_: str
    masks: tuple[str, str]
    from_flops: Dim
    to_flops: Dim
    terms: tuple[Term, ...]
    forward_alone: tuple[str, ...] = ()

    @property
    def difference(self) -> Dim:
        """The sum of the terms."""
        return self.to_flops - self.from_flops

    def to_dict(self) -> dict[str, Any]:
        """Returns the reconciliation as plain values: see docs/json.md."""
        found: dict[str, Any] = display("reconciliation.dict", self)
        return found

    def __repr__(self) -> str:
        return f"<Reconciliation {self.model}: {digits(self.difference)} FLOPs from {self.between} to {self.and_}>"

    def __str__(self) -> str:
        return str(display("reconciliation.table", self))

    def _repr_html_(self) -> str:
        return str(display("reconciliation.html", self))


def reconcile(
    graph: Graph, between: Convention, and_: Convention, training: Training, plugins: Plugins, unknown: str = "error"
) -> Reconciliation:
    """Returns what leads from the figure of a training step, or of a forward pass, under one convention to that under
    another. If one of them counts nothing of a step's backward pass, that pass is a term of its own.

    Raises what `annotate` and a training step raise; ConfigError if a formula cannot be stated for the model.
    """
    exact = annotate(graph, unknown=unknown, plugins=plugins)
    sides = [_Side(exact, convention, training, plugins, unknown) for convention in (between, and_)]
    alone = [side for side in sides if side.forward_alone]
    first, other = (_summed(side.terms(bool(alone))) for side in sides)
    names = [name for name in TERMS if name in first or name in other]
    names += sorted({*first, *other} - set(names))  # a plugin's own
    found = [Term(name, other.get(name, 0) - first.get(name, 0)) for name in names]
    return Reconciliation(
        graph.name,
        graph.workload,
        between.label,
        and_.label,
        (between.mask, and_.mask),
        sum(first.values()),
        sum(other.values()),
        tuple(term for term in found if not same(term.flops, 0)),
        tuple(dict.fromkeys(side.convention.label for side in alone)),
    )


def _summed(terms: Iterable[tuple[str, Dim]]) -> dict[str, Dim]:
    found: dict[str, Dim] = {}
    for name, flops in terms:
        found[name] = found.get(name, 0) + flops
    return found


@attrs.frozen
class _Part:
    """What a convention counts of one node.

    Attributes:
        forward: The terms of the forward pass.
        backward: Those of the backward pass; a product's is twice its forward one, and what differs is GRADIENTS.
        again: The layers that run again.
    """

    forward: Mapping[str, Dim]
    backward: Mapping[str, Dim]
    again: Dim


class _Side:
    """The FLOPs of a training step, or of a forward pass, by term under one convention."""

    def __init__(
        self, exact: AnnotatedGraph, convention: Convention, training: Training, plugins: Plugins, unknown: str
    ) -> None:
        self.exact, self.convention = exact, convention
        self.training, self.plugins, self.unknown = training, plugins, unknown
        self.step = exact.graph.workload.get("phase") == TRAIN
        self.parts = [*self._counted(exact, attrs.evolve(convention, mask=FULL))]

    @property
    def forward_alone(self) -> bool:
        """Whether it counts a forward pass of the step, and nothing of the backward pass."""
        return (
            self.step
            and all(same(sum(part.backward.values()), 0) for part in self.parts)
            and any(not same(flops, 0) for part in self.parts for flops in part.forward.values())
        )

    def terms(self, backward_apart: bool) -> Iterator[tuple[str, Dim]]:
        """Yields the terms with every pair of positions counted, and in a term of its own what the mask hides."""
        yield from self._terms(self.parts, backward_apart)
        if self.convention.mask != FULL:
            left = annotate(
                masked(self.exact.graph, self.convention.mask, self.plugins.operators),
                unknown=self.unknown,
                plugins=self.plugins,
            )
            yield MASK, sum(flops for _, flops in self._terms(self._counted(left, self.convention), False))
            yield MASK, -sum(flops for _, flops in self._terms(self.parts, False))

    def _terms(self, parts: Iterable[_Part], backward_apart: bool) -> Iterator[tuple[str, Dim]]:
        for part in parts:
            yield from part.forward.items()
            for name, flops in part.backward.items():
                yield BACKWARD if backward_apart else name, flops
            yield RECOMPUTE, part.again

    def _counted(self, exact: AnnotatedGraph, convention: Convention) -> Iterator[_Part]:
        return (self._formula if convention.formula is not None else self._adjusted)(exact, convention)

    def _formula(self, exact: AnnotatedGraph, convention: Convention) -> Iterator[_Part]:
        counted = CountedGraph(exact.graph, self.plugins.operators, convention.name)
        for record in exact.costs:
            if record.cost is not None:
                part = counted.counted(record.node, record.cost, record.owned, record.repeats)
                stated = by_formula(convention, part).items()
                forward = {name: flops * record.times for name, flops in stated}
                again = self.step and convention.layers_again and in_layer(record.node.name)
                backward = {name: BACKWARD_PASSES * flops for name, flops in forward.items()} if self.step else {}
                yield _Part(forward, backward, sum(forward.values()) if again else 0)

    def _adjusted(self, exact: AnnotatedGraph, convention: Convention) -> Iterator[_Part]:
        counted = annotate(exact.graph, convention, unknown=self.unknown, plugins=self.plugins)
        if self.step:
            counted = train(counted, self.training, self.plugins, self.unknown, memory=())
        found = roles(counted.graph, self.plugins.operators)
        core = attention_core(counted.graph, self.plugins.operators)
        for record in counted.costs:
            if record.cost is not None:
                name = record.node.name
                yield self._of_node(record, found[name], name in core)

    def _of_node(self, record: NodeCost, role: str, in_core: bool) -> _Part:
        assert record.cost is not None
        work = record.cost * record.times
        forward = terms_of(Work(work.matmul_flops, work.vector_flops), record.node, role, in_core)
        if not self.step:
            return _Part(forward, {}, 0)
        step = step_of(record)
        back = step.input_grad + step.weight_grad
        twice = BACKWARD_PASSES * work.matmul_flops
        backward = terms_of(Work(twice, back.vector_flops), record.node, role, in_core)
        return _Part(forward, backward | {GRADIENTS: back.matmul_flops - twice}, step.rerun.flops)
