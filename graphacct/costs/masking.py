"""Masking: a graph in which a part of attention's pairs of positions is counted.

Attention computes every pair of a query and a key, and counts in full by default. Under another mask the scores, the
softmax and the weighted values of each core count the pairs that its own mask leaves, in the backward pass too. Only
FLOPs change. The graph's nodes stay the same and remember another application of their operators, so that whatever asks
a node for its work gets the counted part.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct.dims import Dim, same
from graphacct.graph.attention_masks import attention_masks
from graphacct.graph.graph import Block, Graph, Node
from graphacct.operators.mask import FULL, Mask, Share
from graphacct.operators.operator import Operator


def masked(graph: Graph, counted: str, operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph with the pairs counted that a mask (`full`, `causal`, `half`, `window`) leaves.

    Raises ConfigError for attention with several masks that do not agree, and in a captured module for one that is
    computed by nodes that do not say what it hides.
    """
    if counted == FULL:
        return graph
    captured = graph.origin is not None  # a family says what its masks hide, and a module does not
    masks = attention_masks(graph, operators, strict=captured)
    return _with_shares(graph, counted, masks, operators) if masks else graph


def _with_shares(graph: Graph, counted: str, masks: Mapping[str, Mask], operators: Mapping[str, Operator]) -> Graph:
    nodes: list[Node | Block] = []
    for node in graph.nodes:
        if isinstance(node, Block):
            nodes.append(attrs.evolve(node, body=_with_shares(node.body, counted, masks, operators)))
        elif node.name in masks:
            nodes.append(_with_share(node, counted, masks, operators[node.operator]))
        else:
            nodes.append(node)
    return attrs.evolve(graph, nodes=tuple(nodes))


def _with_share(node: Node, counted: str, masks: Mapping[str, Mask], operator: Operator) -> Node:
    mask = masks[node.name]
    specs = [operand.spec for operand in node.inputs]
    pairs, twice, keys = mask.pairs(counted), mask.twice(counted), mask.keys
    width = _columns(node, operator, masks)
    if not same(width, keys):  # columns that belong to no key, such as a sink's, are seen by all
        more = mask.queries * (width - keys)
        pairs, twice, keys = pairs + more, twice + 2 * more, width
    share = Share(pairs, twice, mask.queries * keys)
    return attrs.evolve(node).applied(operator.masked(specs, node.attributes, share))


def _columns(node: Node, operator: Operator, masks: Mapping[str, Mask]) -> Dim:
    """Returns how many columns the scores have that a node of a core makes or takes: keys, and others such as a sink's.
    A product of scores makes them, one of values takes them from the core."""
    made = operator.apply([operand.spec for operand in node.inputs], node.attributes)
    if operator.pairs:
        return made.dims[operator.pairs.split()[1]]
    inside = [value for value in node.values if value.name.partition(":")[0] in masks]
    if same(made.cost.matmul_flops, 0):
        return (inside or node.values or node.outputs)[0].spec.shape[-1]
    return (inside or node.outputs)[0].spec.shape[-1]
