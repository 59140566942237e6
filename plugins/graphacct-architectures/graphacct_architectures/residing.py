"""Parts of a model that stay in memory while others run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from graphacct import Block, Builder, Dim, Graph, Value
from graphacct_architectures.layers import resident


def reside(b: Builder, graph: Graph, prefix: str = "") -> None:
    """Adds nodes for the parameters of a graph that has run before, under the same names."""
    for node in graph.nodes:
        name = node.name.removeprefix(prefix)
        if isinstance(node, Block):
            b.repeat(name.removesuffix(".*"), node.repeat, partial(_body_resides, node), start=node.start)
        elif node.parameters:
            resident(b, name, *node.parameters, lookup=node.operator == "embedding")


def unread(b: Builder, name: str, run: Callable[..., Value], *shapes: Sequence[Dim]) -> None:
    """Adds the parameters of a part `name` that does not run: those that `run` uses in a graph of its own, whose inputs
    have these shapes. No parameter is tied."""
    aside = Builder(name, b.operators, b.dtype)
    graph = aside.graph(run(aside, *(aside.input(f"input_{index}", shape) for index, shape in enumerate(shapes))))
    with b.scope(name):
        for node in graph.nodes:
            assert not isinstance(node, Block)
            own = [b.parameter(p.name, p.spec.shape, buffer=p.buffer) for p in node.parameters]
            if own:
                resident(b, node.name, *own)


def _body_resides(block: Block, b: Builder) -> tuple[Value, ...]:
    reside(b, block.body, f"{block.name}.")
    return ()
