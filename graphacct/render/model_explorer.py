"""Files for Model Explorer, Google's viewer of graphs: the graph of a model, and the costs to lay over it.

Both name a node by its path, so that the costs of one report colour the graph that any report of the model drew. A
block is a layer with its number of repetitions, as in a picture. Figures are those of all repetitions; the viewer
computes with floats, and the attributes have every digit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.graph.graph import Block, Graph, Node, Parameter, Value
from graphacct.graph.paths import last, outward
from graphacct.render.records import records

if TYPE_CHECKING:
    from graphacct.reports.report import Report

Made = dict[str, list[tuple[str, int]]]
"""What makes a value, by its name: nodes' paths, and which of their outputs it is."""
GRADIENT = ({"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d6604d"})
"""From a node without cost to the one with the most."""


def node_data(report: Report, columns: Sequence[str] | None = None) -> str:
    """Returns the figures of one quantity by node, `flops` or the first of `columns`, as the viewer lays them over the
    graph of that model."""
    name = columns[0] if columns else "flops"
    report.quantity(name)
    rows = (row for row in records(report, "node") if isinstance(row[name], (int, float)))
    results = {row["name"]: {"value": row[name]} for row in rows}
    return json.dumps({report.model: {"results": results, "name": name, "gradient": GRADIENT}}, indent=1) + "\n"


def graph(report: Report) -> str:
    """Returns the graph of a report, with the figures of each node as its attributes."""
    whole = report.annotated.graph
    written = _Writer({row["name"]: row for row in records(report, "node")}, dict(_repeats(whole)))
    inputs = [_input(value) for value in whole.inputs]
    nodes = [*inputs, *written.nodes(whole, {value.name: [(value.name, 0)] for value in whole.inputs})]
    return json.dumps({"label": report.model, "graphs": [{"id": report.model, "nodes": nodes}]}, indent=1) + "\n"


def _repeats(graph: Graph) -> Iterator[tuple[str, Any]]:
    for item in graph.nodes:
        if isinstance(item, Block):
            yield item.name, item.repeat
            yield from _repeats(item.body)


@attrs.frozen
class _Writer:
    """What every node is written with: the figures of all, and how often each block runs."""

    figures: Mapping[str, Mapping[str, Any]]
    repeats: Mapping[str, Any]

    def nodes(self, graph: Graph, made: Made) -> Iterator[dict[str, Any]]:
        """Yields the nodes of a graph, those of blocks once. `made` gets what makes each value."""
        for item in graph.nodes:
            if isinstance(item, Block):
                pairs = zip(item.body.inputs, item.entering, strict=True)
                inner = {value.name: [source for one in outer for source in made[one.name]] for value, outer in pairs}
                yield from self.nodes(item.body, inner)
                for values, inside in zip(item.returned, item.body.outputs, strict=True):
                    made |= {value.name: inner[inside.name] for value in values}
            else:
                yield self._node(item, made)
                made |= {value.name: [(item.name, place)] for place, value in enumerate(item.outputs)}

    def _node(self, node: Node, made: Made) -> dict[str, Any]:
        parameters = {item.name: str(item.spec) for item in node.inputs if isinstance(item, Parameter)}
        attributes = {"operator": node.operator, **parameters, **self._texts(self.figures[node.name])}
        return {
            "id": node.name,
            "label": last(node.name),
            "namespace": "/".join(self._layer(scope) for scope in reversed([*outward(node.name)][1:])),
            "attrs": [{"key": key, "value": value} for key, value in attributes.items()],
            "incomingEdges": [
                {"sourceNodeId": source, "sourceNodeOutputId": str(output), "targetNodeInputId": str(place)}
                for place, operand in enumerate(node.inputs)
                if isinstance(operand, Value)
                for source, output in made[operand.name]
            ],
            "outputsMetadata": [_tensor(value, place) for place, value in enumerate(node.outputs)],
        }

    def _layer(self, scope: str) -> str:
        times = f" ×{self.repeats[scope]}" if scope in self.repeats else ""
        return f"{last(scope)}{times}".replace("/", "∕")

    def _texts(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Returns the figures with every digit, without what the viewer shows elsewhere."""
        shown = {name: value for name, value in figures.items() if name not in ("name", "operator", "shapes", "share")}
        return {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in shown.items()}


def _input(value: Value) -> dict[str, Any]:
    return {"id": value.name, "label": value.name, "namespace": "", "outputsMetadata": [_tensor(value, 0)]}


def _tensor(value: Value, place: int) -> dict[str, Any]:
    return {"id": str(place), "attrs": [{"key": "tensor_shape", "value": str(value.spec)}]}
