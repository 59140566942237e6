"""Annotation: a cost for every node, never silently zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.classes import evolve
from graphacct.costs.conventions import EXACT, Convention, adjusted, by_formula, checked_cost
from graphacct.dims import Dim
from graphacct.errors import (
    GraphacctError,
    GraphError,
    PluginError,
    UnknownNameError,
    blame,
    brief,
    failure,
    suggest,
)
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.ordinals import Ordinals
from graphacct.graph.places import Place, nodes
from graphacct.graph.sharing import check_apart, check_repeats
from graphacct.hooks.manager import Plugins, default
from graphacct.operators.cost import Cost
from graphacct.operators.mask import FULL
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import suggest_operator
from graphacct.operators.shape_inference import check_outputs
from graphacct.tensors import conflict

if TYPE_CHECKING:
    from graphacct.costs.counted_node import CountedGraph
    from graphacct.training.options import Training

WAY_OUT = "register it in a plugin (docs/writing-a-plugin.md), or leave it out of the sums with unknown='report'"


NO_ANALYSES: Mapping[str, Any] = {}


@attrs.frozen(eq=False, repr=False)
class NodeCost:
    """A node and what it costs.

    Attributes:
        node: The node, named as in its graph (with `*` inside blocks).
        cost: One pass through it; None when nothing is registered that can cost it.
        repeats: How often each block around it repeats, outermost first.
        times: Their product: how often the node runs.
        owned: The parameters whose storage is attributed to this node: each storage of the graph has one owner.
        starts: The first index of each block around it, outermost first.
        analyses: What analyses found, by the analysis' name; a training step adds `training` and
            `training-memory` (`graphacct.costs.step`).
    """

    node: Node
    cost: Cost | None
    repeats: tuple[Dim, ...] = ()
    times: Dim = 1
    owned: tuple[Parameter, ...] = ()
    starts: tuple[int, ...] = ()
    analyses: Mapping[str, Any] = NO_ANALYSES

    def __repr__(self) -> str:
        return f"<NodeCost {self.node.name}: {self.times} times {self.cost}>"

    def with_analysis(self, name: str, value: Any) -> NodeCost:
        """Returns this record with one more entry in `analyses`."""
        return evolve(self, analyses={**self.analyses, name: value})


@attrs.frozen(eq=False)
class AnnotatedGraph:
    """A graph with a cost for each node.

    Attributes:
        graph: The graph.
        costs: One record a node, in schedule order; each block's body once.
        convention: The convention of the costs.
        training: How the training step runs; None for a forward pass.
        activations: The run that the memory of a training step is read from: `Activations` of footprint/.
    """

    graph: Graph
    costs: tuple[NodeCost, ...]
    convention: Convention
    training: Training | None = None
    activations: Any = attrs.field(default=None, eq=False, repr=False)

    def __repr__(self) -> str:
        return f"<AnnotatedGraph {self.graph.name}: {len(self.costs)} nodes, convention {self.convention.name}>"

    @property
    def uncosted(self) -> tuple[Node, ...]:
        """The nodes that no total contains, because nothing is registered that can cost them."""
        return tuple(record.node for record in self.costs if record.cost is None)


def annotate(
    graph: Graph, convention: Convention = EXACT, *, unknown: str = "error", plugins: Plugins | None = None
) -> AnnotatedGraph:
    """Returns the graph with the cost of every node.

    `unknown` says what to do with a node that nothing can cost: `error` raises UnknownNameError, which names it;
    `report` leaves it out of every sum and records it.
    Raises ShapeError if the operands do not fit the operator, OperatorError if its formula fails, ConfigError if the
    convention counts a part of attention's pairs and a node has masks that do not agree.
    """
    if unknown not in ("error", "report"):
        raise UnknownNameError(f"unknown is 'error' or 'report', not {unknown!r}")
    plugins = plugins or default()
    annotation = _Annotation(plugins, convention, unknown == "report")
    if convention.mask != FULL:
        from graphacct.costs.masking import masked  # most reports count every pair

        graph = masked(graph, convention.mask, plugins.operators)
    annotation.visit(graph)
    annotation.check_ties()
    return AnnotatedGraph(graph, tuple(annotation.records), convention)


class _Annotation:
    """The state of one walk over a graph."""

    def __init__(self, plugins: Plugins, convention: Convention, lenient: bool) -> None:
        self.plugins = plugins
        self.convention = convention
        self.ordinals = Ordinals()
        self.lenient = lenient
        self.records: list[NodeCost] = []
        self.storages: dict[tuple[str, tuple[int, ...]], tuple[Parameter, Place]] = {}
        self.names: dict[str, Parameter] = {}
        self.tied: list[tuple[Parameter, Node, Place]] = []

    def visit(self, graph: Graph) -> None:
        adjusts = self.convention.adjust is not None
        counted = self._counted(graph) if self.convention.formula is not None else None
        operators = self.plugins.operators
        direct = self.plugins.costs_nodes_itself
        append = self.records.append
        for node, place in nodes(graph):
            operator = operators.get(node.operator)
            try:
                cost = cost_of(node, operator) if direct else self._ask(node, operator)
            except Exception as error:
                raise self._blame(node, error) from error
            if cost is None:
                self._unknown(node)
            owned: tuple[Parameter, ...] = ()
            for operand in node.inputs:
                if type(operand) is Parameter and cost is not None:
                    owned += self._own(operand, node, place)
                    if operand.stored is not None:
                        cost = _as_stored(node, operator, operand, cost)
            if adjusts and cost is not None:
                cost = adjusted(self.convention, node, cost, self.ordinals.of(node, place.starts))
            if counted is not None and cost is not None:
                terms = by_formula(self.convention, counted.counted(node, cost, owned, place.repeats))
                cost = checked_cost(node, stated(cost, terms), f"convention {self.convention.name!r} states")
            append(NodeCost(node, cost, place.repeats, place.times, owned, place.starts))

    def _counted(self, graph: Graph) -> CountedGraph:
        from graphacct.costs.counted_node import CountedGraph  # most conventions have no formula

        return CountedGraph(graph, self.plugins.operators, self.convention.name)

    def _own(self, parameter: Parameter, node: Node, place: Place) -> tuple[Parameter, ...]:
        """Returns the parameter, if its storage is new: a name with `*` is another storage in a block that starts
        elsewhere."""
        if parameter.tied_to:
            self.tied.append((parameter, node, place))
            return ()
        name = parameter.name
        stars = name.count("*")
        key = (name, place.starts[:stars])
        known = self.storages.get(key)
        if known is None:
            self.storages[key] = (parameter, place)
            self.names[name] = parameter
            return (parameter,)
        before, owner = known
        if conflict(before.spec, parameter.spec):
            raise GraphError(
                f"node {node.name!r}: parameter {parameter.name!r} is {parameter.spec} here but {before.spec} before"
            )
        if stars:
            check_repeats(f"node {node.name!r}", name, place.repeats[:stars], owner.repeats[:stars])
        return ()

    def check_ties(self) -> None:
        for parameter, node, place in self.tied:
            name = parameter.tied_to
            target = self.names.get(name)
            who = f"parameter {brief(parameter.name)} is tied to {brief(name)}"
            if target is None:
                if self.lenient:
                    continue  # it may belong to a node that is left out
                raise GraphError(f"{who}, which no node of the graph has{suggest(name, self.names)}")
            if conflict(target.spec, parameter.spec):
                raise GraphError(f"{who}, but is {parameter.spec} where that is {target.spec}")
            if stars := name.count("*"):
                self._check_tied_repeats(node, place, name, stars)
        check_apart([(name, starts, place.repeats) for (name, starts), (_, place) in self.storages.items()])

    def _check_tied_repeats(self, node: Node, place: Place, name: str, stars: int) -> None:
        found = self.storages.get((name, place.starts[:stars]))
        if found is not None:
            check_repeats(f"node {node.name!r}", name, place.repeats[:stars], found[1].repeats[:stars])
        elif not self.lenient:
            raise GraphError(
                f"node {node.name!r}: parameter {brief(name)} is tied to from index {place.starts[:stars][-1]} on, "
                "where no block that has it starts: blocks that share it start and repeat alike"
            )

    def _ask(self, node: Node, operator: Operator | None) -> Cost | None:
        cost = self.plugins.manager.hook.graphacct_node_cost(node=node, operator=operator)
        who = f"graphacct_node_cost (of {self.plugins.who_has('graphacct_node_cost')}) returned"
        if cost is None and operator is not None:  # the core returned its cost, and a wrapper took it away
            raise PluginError(f"{who} None in place of the operator's cost: a wrapper returns what it adjusts")
        if cost is None:
            return None
        if not isinstance(cost, Cost):
            raise PluginError(f"{who} {brief(cost)}, which is no Cost")
        return checked_cost(node, cost, f"{who} a Cost with")

    def _blame(self, node: Node, error: Exception) -> GraphacctError:
        culprit = self.plugins.raised_by("graphacct_node_cost", error)
        if not culprit:
            return blame(node.name, node.operator, self.plugins.operators, error)
        who = f"node {node.name!r}, operator {node.operator!r}: graphacct_node_cost of plugin {culprit}"
        return PluginError(failure(who, error))

    def _unknown(self, node: Node) -> None:
        if not self.lenient:
            close = suggest_operator(node.operator, self.plugins.operators)
            close += self.plugins.note_of_left_out()
            raise UnknownNameError(f"node {node.name!r}: no operator {node.operator!r} is registered{close}\n{WAY_OUT}")


def stated(cost: Cost, terms: Mapping[str, Dim]) -> Cost:
    """Returns a cost with the FLOPs that a formula states, by term; bytes stay as they are."""
    from graphacct.costs.terms import OF_VECTORS

    vector: Dim = sum(value for term, value in terms.items() if term in OF_VECTORS)
    return attrs.evolve(cost, matmul_flops=sum(terms.values()) - vector, vector_flops=vector, transcendentals=0)


def _as_stored(node: Node, operator: Operator | None, parameter: Parameter, cost: Cost) -> Cost:
    from graphacct.costs.stored_reads import as_stored  # few models have such parameters

    return as_stored(node, operator, parameter, cost)


def cost_of(node: Node, operator: Operator | None) -> Cost | None:
    """Returns the exact cost of one pass through a node by its operator's formula; None when there is no operator.

    Checks the operands against the signature and the node's outputs against what the operator makes of them.
    """
    if operator is None:
        return None
    application = node.application
    if application is None:
        application = operator.apply([operand.spec for operand in node.inputs], node.attributes)
        check_outputs([value.spec for value in node.outputs], application.outputs)
    return application.cost
