"""The masks of a graph's attention: which keys each query sees, found where masks are made and followed to the cores.

An operator that makes a mask says what it hides (`Operator.sees`), and so does one that applies a mask by itself, such
as fused attention that is causal. This file follows what a core takes back to such an operator, through casts, sums and
blocks. A core that takes no mask sees everything: an encoder's, cross-attention. So does one whose mask is a row for
all queries, which hides padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from graphacct.dims import same
from graphacct.errors import ConfigError
from graphacct.graph.attention_core import WHOLE, attention_core
from graphacct.graph.graph import Block, Graph, Node
from graphacct.operators.mask import Mask
from graphacct.operators.operator import Operator

Sources: TypeAlias = frozenset[Mask | str]
"""What a value comes from: masks, and the names of nodes that compare queries with keys and say nothing of it."""


def attention_masks(graph: Graph, operators: Mapping[str, Operator], strict: bool = False) -> dict[str, Mask]:
    """Returns the mask of each node of an attention core that has one, by the node's name.

    Raises ConfigError for a core with two masks of which neither is the other with a window; if `strict`, also for one
    whose mask is computed by nodes that do not say what it hides.
    """
    return dict(_Masks(operators, attention_core(graph, operators), strict).of(graph, {}))


class _Masks:
    """The masks of one graph."""

    def __init__(self, operators: Mapping[str, Operator], core: frozenset[str], strict: bool) -> None:
        self.operators, self.core, self.strict = operators, core, strict

    def of(self, graph: Graph, entering: Mapping[str, Sources]) -> Iterator[tuple[str, Mask]]:
        """Yields the names and masks of the nodes in a body, blocks inside it too. `entering` is what the body's inputs
        come from."""
        behind: dict[str, Sources] = dict(entering)
        makers: dict[str, Node] = {}
        for node in graph.nodes:
            if isinstance(node, Block):
                given = [_NONE.union(*(behind.get(v.name, _NONE) for v in group)) for group in node.entering]
                names = [value.name for value in node.body.inputs]
                yield from self.of(node.body, dict(zip(names, given, strict=True)))
                continue
            found = self._behind(node, behind)
            for value in node.outputs:
                behind[value.name] = found
                makers[value.name] = node
        for component in _components([node for node in graph.nodes if self._in_core(node)], makers, self.core):
            sources = _NONE.union(*(self._applied(node, behind) for node in component))
            masks = [source for source in sources if isinstance(source, Mask)]
            name = next((n.name for n in component if self.operators[n.operator].attention), component[0].name)
            if masks:
                mask = _one(masks, name)
                yield from ((node.name, mask) for node in component)
            elif sources and self.strict:
                raise ConfigError(
                    f"node {name!r}: its attention's mask is computed by node {min(map(str, sources))!r}, "
                    "which does not say what it hides (an operator does with sees=, docs/writing-a-plugin.md); "
                    "mask='full' counts all pairs"
                )

    def _in_core(self, node: Node | Block) -> bool:
        return isinstance(node, Node) and node.name in self.core

    def _behind(self, node: Node, behind: Mapping[str, Sources]) -> Sources:
        """Returns what a node's results come from: a mask of its own, or what its operands come from. What is
        multiplied or attended to is a mask no more."""
        rule = self.operators.get(node.operator)
        if rule is None or rule.attention == WHOLE:
            return _NONE
        own = rule.seen([operand.spec for operand in node.inputs], node.attributes)
        if own is not None:
            return frozenset((own,))
        found = _NONE.union(*(behind.get(value.name, _NONE) for value in node.values))
        if found:
            return _NONE if _contracts(node, rule) else found
        return frozenset((node.name,)) if rule.sees is None and _compares(node) else _NONE

    def _applied(self, node: Node, behind: Mapping[str, Sources]) -> Sources:
        """Returns what a node of a core applies: a mask of its own, and what its operands come from."""
        rule = self.operators[node.operator]
        found = _NONE.union(*(behind.get(value.name, _NONE) for value in node.values))
        own = rule.seen([operand.spec for operand in node.inputs], node.attributes)
        return found if own is None else found | {own}


def _compares(node: Node) -> bool:
    """Returns whether a node makes a bool for each of many rows and columns of something that is not the same for all
    rows."""
    spec = node.outputs[0].spec
    if spec.dtype != "bool" or any(same(size, 1) for size in spec.shape[-2:]) or len(spec.shape) < 2:
        return False
    return any(len(value.spec.shape) > 1 and not same(value.spec.shape[-2], 1) for value in node.values)


_NONE: Sources = frozenset()


def _components(
    nodes: list[Node | Block], makers: Mapping[str, Node], core: frozenset[str]
) -> Iterator[tuple[Node, ...]]:
    """Yields the nodes of each attention core of a body: those that hand values to one another."""
    groups: list[list[Node]] = []
    group_of: dict[str, list[Node]] = {}
    for node in nodes:
        assert isinstance(node, Node)
        mine = [node]
        for value in node.values:
            maker = makers.get(value.name)
            other = group_of.get(maker.name) if maker is not None and maker.name in core else None
            if other is not None and other is not mine:
                other.extend(mine)
                groups = [group for group in groups if group is not mine]
                for each in mine:
                    group_of[each.name] = other
                mine = other
        if not any(group is mine for group in groups):
            groups.append(mine)
        group_of[node.name] = mine
    return (tuple(group) for group in groups)


def _one(masks: Iterable[Mask], name: str) -> Mask:
    """Returns the mask that several are together: the one with a window, if all are of the same positions."""
    different: list[Mask] = []
    for mask in masks:
        if not any(mask.equals(other) for other in different):
            different.append(mask)
    near = [mask for mask in different if mask.window is not None or mask.chunk is not None]
    chosen = near or different
    alike = all(same(mask.keys, chosen[0].keys) and same(mask.queries, chosen[0].queries) for mask in different)
    if len(chosen) > 1 or not alike:
        raise ConfigError(
            f"node {name!r}: its attention has several masks, {', '.join(map(_said, different))}; mask='full' counts "
            "all pairs"
        )
    return chosen[0]


def _said(mask: Mask) -> str:
    return f"{mask.queries} queries of {mask.keys} keys" + (f" in a window of {mask.window}" if mask.window else "")


def _contracts(node: Node, rule: Operator) -> bool:
    made = node.application or rule.apply([operand.spec for operand in node.inputs], node.attributes)
    return not same(made.cost.matmul_flops, 0)
