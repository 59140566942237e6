"""Which results a gradient reaches from a graph's outputs, whatever is trained: what those depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphacct.dims import Dim
from graphacct.graph.graph import Graph, Node
from graphacct.graph.walk import BlockEnd, BodyEnd, Event, Result, Run, runs
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING, gradient_starts

NO_OPERATORS: Mapping[str, Operator] = {}


def used_operators(events: Iterable[Event], operators: Mapping[str, Operator]) -> dict[str, Operator]:
    """Returns the operators that the runs are of, by name; to look at the others would import them."""
    names = {event.node.operator for event in events if isinstance(event, Run)}
    return {name: operators[name] for name in names if name in operators}


def stopping_operators(operators: Mapping[str, Operator]) -> frozenset[str]:
    """Returns the names of those that stop gradients."""
    return frozenset(name for name, operator in operators.items() if operator.stops_gradient)


def starting_operators(operators: Mapping[str, Operator]) -> frozenset[str]:
    """Returns the names of those whose outputs get a gradient of their own."""
    return frozenset(name for name, operator in operators.items() if operator.starts_gradient)


def reached(events: Sequence[Event], graph: Graph, operators: Mapping[str, Operator] = NO_OPERATORS) -> set[Result]:
    """Returns the results that a gradient reaches from the graph's outputs, whatever is trained: what those depend on,
    unless one of `operators` stops gradients between.

    Gradients arrive from the end, so the runs are read from the last to the first.
    """
    stopping = stopping_operators(used_operators(events, operators))
    found = set(starts(events, graph))
    for event in reversed(events):
        if isinstance(event, BlockEnd):
            for stacked, results in event.stacks:
                if stacked in found:
                    found.update(results)
        elif isinstance(event, Run) and event.node.operator not in stopping and not found.isdisjoint(event.outputs):
            found.update(
                operand
                for operand in event.operands
                if isinstance(operand, Result) and operand.value.spec.dtype in FLOATING
            )
    return found


def starts(events: Sequence[Event], graph: Graph) -> Iterable[Result]:
    """Returns the outputs that gradients start at, each once."""
    end = events[-1]
    assert isinstance(end, BodyEnd)  # the graph's own, which is the last event
    indices = gradient_starts([value.spec for value in graph.outputs])
    return dict.fromkeys(end.values[graph.outputs[index].name] for index in indices)


def trained_inputs(events: Sequence[Event], graph: Graph) -> frozenset[Result]:
    """Returns the inputs of the graph that get a gradient."""
    if not graph.trained_inputs:
        return frozenset()
    end = events[-1]
    assert isinstance(end, BodyEnd)  # the graph's own, which is the last event
    found = (end.values[name] for name in graph.trained_inputs)
    return frozenset(result for result in found if result.value.spec.dtype in FLOATING)


def reached_times(graph: Graph, node: Node, operators: Mapping[str, Operator] = NO_OPERATORS) -> Dim:
    """Returns in how many of a node's runs a gradient reaches its outputs, whatever is trained."""
    events = list(runs(graph))
    found = reached(events, graph, operators)
    return sum(
        event.place.times
        for event in events
        if isinstance(event, Run) and event.node.name == node.name and not found.isdisjoint(event.outputs)
    )
