"""Rewrites a graph node by node, as most transforms do.

The walk passes changes on: nodes after a replaced one take the new values, inside blocks, across them and in the
graph's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import GraphacctError, blame
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Operand, Value, value_names
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import unknown_operator


class Replacement:
    """The place of a node: what a transform puts there.

    Attributes:
        inputs: The node's operands, with new values in place of those that were replaced.
    """

    def __init__(self, node: Node | None, inputs: tuple[Operand, ...], operators: Mapping[str, Operator]) -> None:
        self.inputs = inputs
        self._node, self._operators = node, operators
        self._nodes: list[Node] = []
        self._held: dict[str, str] = {}

    def apply(self, operator: str, *operands: Operand, name: str, **attributes: Any) -> Any:
        """Adds a new node here. Returns its output, or a tuple if there are several.

        Raises UnknownNameError for an operator that is not registered, and the operator's own errors with the node's
        name.
        """
        rule = self._operators.get(operator)
        if rule is None:
            error: GraphacctError = unknown_operator(operator, self._operators)
            raise type(error)(f"node {name!r}: {error}")
        try:
            application = rule.apply([operand.spec for operand in operands], attributes)
        except Exception as problem:
            raise blame(name, operator, self._operators, problem) from problem
        names = value_names(name, len(application.outputs))
        outputs = tuple(map(Value, names, application.outputs))
        self._nodes.append(Node(name, operator, operands, outputs, attributes or NO_ATTRIBUTES).applied(application))
        return outputs[0] if len(outputs) == 1 else outputs

    def keep(self, inputs: Sequence[Operand] | None = None, name: str = "") -> Any:
        """Adds the node itself here, with operands of the same shapes and another name if given. Returns its output, or
        a tuple if there are several."""
        node, operands = self._node, self.inputs if inputs is None else tuple(inputs)
        assert node is not None  # one is being replaced
        if name or any(ours is not theirs for ours, theirs in zip(operands, node.inputs, strict=True)):
            outputs = node.outputs
            if name:
                names = value_names(name, len(outputs))
                outputs = tuple(Value(own, value.spec) for own, value in zip(names, outputs, strict=True))
            made = attrs.evolve(node, name=name or node.name, inputs=operands, outputs=outputs)
            node = made if node.application is None else made.applied(node.application)
        self._nodes.append(node)
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs

    def hold(self, value: Value, until: str) -> None:
        """Keeps a value alive until the last node of a scope has run, as a local variable of its function does."""
        self._held[value.name] = until


def rewrite(
    graph: Graph,
    operators: Mapping[str, Operator],
    replace: Callable[[Node, Replacement], Any],
    workload: Mapping[str, Any] | None = None,
) -> Graph:
    """Returns the graph with each node replaced by what `replace(node, place)` puts in its place.

    `replace` returns the value, or the tuple of values, in place of the node's output: the result of `place.keep()` or
    `place.apply(...)`, or one of `place.inputs` to leave the node out. `operators` are those that it may apply;
    `workload` adds to the graph's workload. The body of a block is rewritten once.
    """
    made = _rewritten(graph, operators, replace)
    return attrs.evolve(made, workload={**graph.workload, **(workload or {})})


def extended(
    graph: Graph,
    operators: Mapping[str, Operator],
    extend: Callable[[Replacement, tuple[Value, ...]], tuple[Value, ...]],
) -> Graph:
    """Returns the graph with further nodes at its end: `extend(place, outputs)` adds them with `place.apply(...)`
    behind the graph's outputs, and returns the new outputs."""
    place = Replacement(None, graph.outputs, operators)
    outputs = extend(place, graph.outputs)
    return attrs.evolve(graph, nodes=(*graph.nodes, *place._nodes), outputs=outputs)


def _rewritten(graph: Graph, operators: Mapping[str, Operator], replace: Callable[[Node, Replacement], Any]) -> Graph:
    values: dict[str, Value] = {}
    held: dict[str, str] = {}
    nodes: list[Node | Block] = []

    def now(operands: Iterable[Value]) -> tuple[Value, ...]:
        return tuple(values.get(value.name, value) for value in operands)

    for node in graph.nodes:
        if isinstance(node, Block):
            body = _rewritten(node.body, operators, replace)
            carry, constants, each = now(node.carry), now(node.constants), tuple(now(values) for values in node.each)
            nodes.append(attrs.evolve(node, body=body, carry=carry, constants=constants, each=each))
            continue
        inputs = [values.get(item.name, item) if isinstance(item, Value) else item for item in node.inputs]
        place = Replacement(node, tuple(inputs), operators)
        result = replace(node, place)
        standing = result if isinstance(result, tuple) else (result,)
        if len(standing) != len(node.outputs) or not all(isinstance(value, Value) for value in standing):
            raise GraphacctError(f"node {node.name!r} was replaced by no values for its {len(node.outputs)} outputs")
        values.update({old.name: new for old, new in zip(node.outputs, standing, strict=True) if old is not new})
        nodes.extend(place._nodes)
        held |= place._held
    held |= {values[name].name if name in values else name: scope for name, scope in graph.held.items()}
    return attrs.evolve(graph, nodes=tuple(nodes), outputs=now(graph.outputs), held=held)
