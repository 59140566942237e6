"""Parts of a model that stay in memory while others run."""

from __future__ import annotations

from functools import partial

from graphacct import Block, Builder, Graph, Value
from graphacct_architectures.layers import resident


def reside(b: Builder, graph: Graph, prefix: str = "") -> None:
    """Adds nodes for the parameters of a graph that has run before, under the same names."""
    for node in graph.nodes:
        name = node.name.removeprefix(prefix)
        if isinstance(node, Block):
            b.repeat(name.removesuffix(".*"), node.repeat, partial(_body_resides, node), start=node.start)
        elif node.parameters:
            resident(b, name, *node.parameters, lookup=node.operator == "embedding")


def _body_resides(block: Block, b: Builder) -> tuple[Value, ...]:
    reside(b, block.body, f"{block.name}.")
    return ()
