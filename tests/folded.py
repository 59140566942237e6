"""Graphs folded and checked: written out again they are what they were. And graphs of layers to fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphacct import Block, Builder, Graph, Value
from graphacct.graph.validate import validate
from graphacct.hooks.manager import default

SHAPE = (2, 4)
Layer = Callable[[Builder, Value, int], Value]


def folded(graph: Graph) -> Graph:
    """The graph folded; it is sound, and written out it is what it was."""
    result = graph.fold()
    validate(result)
    assert result.unroll() == graph
    return result


def blocks(graph: Graph) -> Iterator[Block]:
    """The blocks of a graph, outer ones before those in them."""
    for node in graph.nodes:
        if isinstance(node, Block):
            yield node
            yield from blocks(node.body)


def count(graph: Graph) -> int:
    """How many nodes a graph has, each block's body once."""
    return sum(1 for _ in graph.walk())


def fc(b: Builder, x: Value, name: str = "fc", width: int = 4) -> Value:
    return b.apply("linear", x, b.parameter(f"{name}.weight", (width, x.spec.shape[-1])), name=name)  # type: ignore[no-any-return]


def written(layers: int, layer: Layer, scope: str = "layers", first: int = 0) -> Graph:
    """A graph of layers written out; `layer(builder, x, index)` makes one."""
    b = Builder("written", default().operators, workload={"phase": "train"})
    x = b.input("x", SHAPE)
    for index in range(first, first + layers):
        with b.scope(f"{scope}.{index}"):
            x = layer(b, x, index)
    return b.graph(x)


def residual(b: Builder, x: Value, index: int = 0) -> Value:
    return b.apply("add", x, fc(b, x), name="residual")  # type: ignore[no-any-return]


def found(graph: Graph) -> list[tuple[str, Any, int, int]]:
    """The blocks of a graph once folded: their names, repeats, first indices and numbers of nodes."""
    return [(block.name, block.repeat, block.start, len(block.body.nodes)) for block in blocks(folded(graph))]
