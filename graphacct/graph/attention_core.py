"""The attention core of a graph, found by its structure: the part that saves much and computes little.

It has every node on a path from a product of two activations (the scores) through a node that turns them into weights
(a softmax) to the next product of two activations (the values), both products included (Korthikanti et al., "Reducing
Activation Recomputation in Large Transformer Models", 2022). An operator that does all of that is a core by itself.
Scales, masks, biases and dropout lie on such a path. A product with a parameter ends it, so a router's softmax, or the
one over a vocabulary, is no attention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphacct.dims import same
from graphacct.graph.graph import Graph, Node
from graphacct.graph.paths import is_index, repetition
from graphacct.graph.places import bodies
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING

WEIGHTS, WHOLE = "weights", "whole"
"""The parts that operators declare (`Operator.attention`)."""


def attention_core(graph: Graph, operators: Mapping[str, Operator]) -> frozenset[str]:
    """Returns the names of the nodes of all attention cores; a core lies within one repetition, also of a graph that is
    written out."""
    return frozenset(name for body in bodies(graph) for name in _core(body, operators))


def _core(graph: Graph, operators: Mapping[str, Operator]) -> Iterator[str]:
    """Yields the nodes of the cores in one body.

    Why two sweeps: a node can lie on several paths, and some of them are no attention. One search from product to
    product would have to remember every path. Instead, one sweep along the edges finds what a path to each node has
    passed, and one against the edges what a path from it will pass. A node is in the core if the two make a whole path:
    it comes after a product with weights still to come, or after weights with a product still to come.

        scores = q @ k.T          a product                                                  in the core
        scaled = scores / 8       after a product, weights to come, then a product           in the core
        weights = softmax(scaled) makes weights, after a product, with another to come       in the core
        dropped = dropout(weights) after weights, a product to come                          in the core
        out = dropped @ v         a product                                                  in the core
        loud = relu(scaled)       after a product, but neither weights nor a product follow  not in the core
    """
    nodes = [node for node in graph.nodes if isinstance(node, Node) and node.operator in operators]
    near, paths = _Neighbours(graph, nodes), _Neighbours(graph, nodes, numbers=True)
    parts = [operators[node.operator].attention for node in nodes]
    works = [_contracts(node, operators[node.operator]) for node in nodes]
    products = [work and len(node.values) > 1 and not node.parameters for node, work in zip(nodes, works, strict=True)]
    passes = [not work for work in works]
    weights = [part == WEIGHTS for part in parts]
    order = range(len(nodes))
    after_product, after_weights = _reach(order, paths.before, products, passes, weights)
    before_product, before_weights = _reach(order[::-1], paths.after, products, passes, weights)
    core = {i for i in order if parts[i] == WHOLE}
    core |= {i for i in order if after_product[i] and before_weights[i]}
    core |= {i for i in order if after_weights[i] and before_product[i]}
    core |= {i for i in order if products[i] and any(before_weights[j] for j in paths.after[i])}
    core |= {i for i in order if products[i] and any(after_weights[j] for j in paths.before[i])}
    yield from (nodes[i].name for i in core | _made_for(core, nodes, near))


class _Neighbours:
    """The edges between some nodes of a graph, by position. An edge between repetitions is none: in a folded graph it
    leaves the body. With `numbers`, only edges of floating-point values are: an indexer that chooses keys by their
    places is no part of the attention that sees them.

    Attributes:
        before: For each node, the nodes whose values it takes.
        after: For each node, the nodes that take its values.
        fed: The nodes that also take a value from elsewhere: an input, another repetition, a block, an operator that is
            not registered.
        used: The nodes whose values also go elsewhere.
    """

    def __init__(self, graph: Graph, nodes: Sequence[Node], numbers: bool = False) -> None:
        makers = {value.name: position for position, node in enumerate(nodes) for value in node.outputs}
        places = [_repetition(node.name) for node in nodes]
        ours = {node.name for node in nodes}
        elsewhere = [value.name for node in graph.nodes if node.name not in ours for value in node.values]
        elsewhere += [value.name for value in graph.outputs]
        self.before: list[list[int]] = [[] for _ in nodes]
        self.after: list[list[int]] = [[] for _ in nodes]
        for position, node in enumerate(nodes):
            values = [value for value in node.values if not numbers or value.spec.dtype in FLOATING]
            for name in [value.name for value in values if value.name in makers]:
                source = makers[name]
                if places[source] == places[position]:
                    self.before[position].append(source)
                    self.after[source].append(position)
                else:
                    elsewhere.append(name)
        self.fed = {i for i, node in enumerate(nodes) if len(self.before[i]) < len(node.values)}
        self.used = {makers[name] for name in elsewhere if name in makers}


def _repetition(name: str) -> str:
    """Returns the repetition that a node belongs to; an index at the end of its name is the node's own."""
    parts = name.split(".")
    while is_index(parts[-1]) and len(parts) > 1:
        parts.pop()
    return repetition(".".join(parts))


def _contracts(node: Node, operator: Operator) -> bool:
    """Returns whether a node does work in contractions."""
    application = node.application or operator.apply([operand.spec for operand in node.inputs], node.attributes)
    return not same(application.cost.matmul_flops, 0)


def _reach(
    order: Sequence[int],
    neighbours: Sequence[Sequence[int]],
    products: Sequence[bool],
    passes: Sequence[bool],
    weights: Sequence[bool],
) -> tuple[list[bool], list[bool]]:
    """Returns two facts about each node that is no contraction: whether a path without contractions comes here from a
    product, and whether such a path has made weights by now, this node included. Against the edges, paths go on to a
    product instead."""
    reached, weighed = [False] * len(products), [False] * len(products)
    for i in order:
        if passes[i]:
            reached[i] = any(products[j] or reached[j] for j in neighbours[i])
            weighed[i] = any(weighed[j] for j in neighbours[i]) or (weights[i] and reached[i])
    return reached, weighed


def _made_for(core: set[int], nodes: Sequence[Node], near: _Neighbours) -> set[int]:
    """Returns the nodes that need no input and that only the core of the same repetition uses: a causal mask."""
    constant: list[bool] = []
    for i, node in enumerate(nodes):
        constant.append(not node.parameters and i not in near.fed and all(constant[j] for j in near.before[i]))
    found: set[int] = set()
    for i in reversed(range(len(nodes))):
        users = near.after[i]
        if constant[i] and users and i not in near.used and all(j in core or j in found for j in users):
            found.add(i)
    return found
