"""Networkx graphs with anything in their attributes: a Graph, or a GraphError."""

from __future__ import annotations

import random
from typing import Any

import networkx
import pytest
from cases import cases, junk

import graphacct
from graphacct.errors import GraphError

KEYS = ("operator", "shape", "shapes", "dtype", "params", "attributes", "node", "odd")
OPERATORS = ("linear", "relu", "add", "softmax", "split", "reshape", "einsum", "conv2d", "concat", "embedding")


def plain() -> networkx.MultiDiGraph[Any]:
    """A perceptron with a gate."""
    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(name="mlp")
    graph.add_node("x", shape=(2, 8), dtype="bfloat16")
    graph.add_node("fc", operator="linear", params={"weight": (16, 8), "bias": (16,)}, dtype="bf16")
    graph.add_node("halves", operator="split", attributes={"parts": 2}, shapes=[(2, 8), (2, 8)])
    graph.add_node("gated", operator="mul")
    graph.add_node("y", operator="softmax")
    graph.add_edges_from([("x", "fc"), ("fc", "halves"), ("gated", "y")])
    graph.add_edge("halves", "gated", operand=0, output=0)
    graph.add_edge("halves", "gated", operand=1, output=1)
    return graph


def damage(rng: random.Random, graph: networkx.MultiDiGraph[Any]) -> None:
    """Changes one thing in the graph."""
    node = rng.choice(list(graph))
    edges = list(graph.edges(keys=True))
    kind = rng.randrange(9)
    if kind < 4:
        graph.nodes[node][rng.choice(KEYS)] = rng.choice(OPERATORS) if rng.random() < 0.2 else junk(rng)
    elif kind == 4 and edges:
        graph.edges[rng.choice(edges)][rng.choice(("operand", "output", "value"))] = junk(rng)
    elif kind == 5:
        graph.graph[rng.choice(("name", "inputs", "outputs", "workload", "held"))] = junk(rng)
    elif kind == 6:
        graph.add_edge(node, rng.choice(list(graph)))
    elif kind == 7:
        graph.add_node(rng.choice([5, ("a",), "", "x:0", "x\n", 3.5, True]), operator=rng.choice(OPERATORS))
    else:
        attributes = graph.nodes[node].get(rng.choice(("params", "attributes")))
        if isinstance(attributes, dict):
            attributes[rng.choice(("weight", "parts", "dim", "odd"))] = junk(rng)


def from_damaged(rng: random.Random) -> None:
    """Builds a Graph of a damaged one, plain or of our own nodes, and accounts for it."""
    graph = plain()
    if rng.random() < 0.3:
        graph = graphacct.Graph.from_nx(graph).nx.copy()
    for _ in range(rng.randrange(1, 4)):
        damage(rng, graph)
    try:
        found = graphacct.Graph.from_nx(graph)
    except GraphError:
        raise
    except graphacct.GraphacctError as error:
        pytest.fail(f"{type(error).__name__}, not a GraphError: {error}")
    graphacct.account(found, unknown="report")


def test_damaged_graphs() -> None:
    """Whatever stands in its attributes."""
    cases("networkx", from_damaged)
