"""Reconciliation: why two conventions give a step of one model different figures, term by term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention, by_formula
from graphacct.costs.counted_node import CountedGraph
from graphacct.costs.masking import masked
from graphacct.costs.roles import in_layer, roles
from graphacct.costs.step_quantities import step_of
from graphacct.costs.terms import GRADIENTS, MASK, RECOMPUTE, TERMS, terms_of
from graphacct.dims import Dim, same
from graphacct.display import display
from graphacct.graph.attention_core import attention_core
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.operators.cost import Work
from graphacct.operators.mask import FULL
from graphacct.reports.step import train
from graphacct.training.options import Training

PASSES = 3
"""A formula's step: once forward, twice backward."""


@attrs.frozen
class Term:
    """What one convention counts of something above another one.

    Attributes:
        name: One of `graphacct.costs.terms.TERMS`.
        flops: The FLOPs in a step; below 0 if the other counts more.
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
        from_flops: The step's FLOPs under the first one.
        to_flops: The same under the other one.
        terms: What leads from the first figure to the other; none of them is 0.
    """

    model: str
    workload: Mapping[str, object]
    between: str
    and_: str
    masks: tuple[str, str]
    from_flops: Dim
    to_flops: Dim
    terms: tuple[Term, ...]

    @property
    def difference(self) -> Dim:
        """The sum of the terms."""
        return self.to_flops - self.from_flops

    def to_dict(self) -> dict[str, Any]:
        """Returns the reconciliation as plain values: see docs/json.md."""
        found: dict[str, Any] = display("reconciliation.dict", self)
        return found

    def __str__(self) -> str:
        return str(display("reconciliation.table", self))

    def _repr_html_(self) -> str:
        return str(display("reconciliation.html", self))


def reconcile(
    graph: Graph, between: Convention, and_: Convention, training: Training, plugins: Plugins, unknown: str = "error"
) -> Reconciliation:
    """Returns what leads from a training step's figure under one convention to that under another.

    Raises what `annotate` and a training step raise; ConfigError if a formula cannot be stated for the model.
    """
    exact = annotate(graph, unknown=unknown, plugins=plugins)
    sides = [_Side(exact, convention, training, plugins, unknown).terms() for convention in (between, and_)]
    first, other = sides
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
    )


class _Side:
    """A step's FLOPs by term under one convention."""

    def __init__(
        self, exact: AnnotatedGraph, convention: Convention, training: Training, plugins: Plugins, unknown: str
    ) -> None:
        self.exact, self.convention = exact, convention
        self.training, self.plugins, self.unknown = training, plugins, unknown

    def terms(self) -> dict[str, Dim]:
        """Returns the terms with every pair of positions counted, and in a term of its own what the mask hides."""
        found = self._counted(self.exact, attrs.evolve(self.convention, mask=FULL))
        if self.convention.mask != FULL:
            left = annotate(
                masked(self.exact.graph, self.convention.mask, self.plugins.operators),
                unknown=self.unknown,
                plugins=self.plugins,
            )
            counted = self._counted(left, self.convention)
            found[MASK] = found.get(MASK, 0) + sum(counted.values()) - sum(found.values())
        return found

    def _counted(self, exact: AnnotatedGraph, convention: Convention) -> dict[str, Dim]:
        found: dict[str, Dim] = {}
        terms = self._formula if convention.formula is not None else self._adjusted
        for name, flops in terms(exact, convention):
            found[name] = found.get(name, 0) + flops
        return found

    def _formula(self, exact: AnnotatedGraph, convention: Convention) -> Iterator[tuple[str, Dim]]:
        counted = CountedGraph(exact.graph, self.plugins.operators, convention.name)
        for record in exact.costs:
            if record.cost is not None:
                part = counted.counted(record.node, record.cost, record.owned, record.repeats)
                for name, flops in by_formula(convention, part).items():
                    yield name, PASSES * flops * record.times
                    if convention.layers_again and in_layer(record.node.name):
                        yield RECOMPUTE, flops * record.times

    def _adjusted(self, exact: AnnotatedGraph, convention: Convention) -> Iterator[tuple[str, Dim]]:
        annotated = annotate(exact.graph, convention, unknown=self.unknown, plugins=self.plugins)
        step = train(annotated, self.training, self.plugins, self.unknown, memory=())
        found = roles(step.graph, self.plugins.operators)
        core = attention_core(step.graph, self.plugins.operators)
        for record in step.costs:
            if record.cost is not None:
                name = record.node.name
                yield from self._of_step(record, found[name], name in core)

    def _of_step(self, record: NodeCost, role: str, in_core: bool) -> Iterator[tuple[str, Dim]]:
        """Yields a node's terms. Its products count as in a formula, three times forward; the gradients that differ
        from twice forward are a term of their own."""
        assert record.cost is not None
        step = step_of(record)
        forward = record.cost * record.times
        back = step.input_grad + step.weight_grad
        products = Work(PASSES * forward.matmul_flops, forward.vector_flops + back.vector_flops)
        yield from terms_of(products, record.node, role, in_core).items()
        yield GRADIENTS, back.matmul_flops - (PASSES - 1) * forward.matmul_flops
        yield RECOMPUTE, step.rerun.flops
