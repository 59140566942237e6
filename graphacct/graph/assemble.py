"""Assembling a graph from records that name their operands: the last step of every reader.

Records may come in any order; the graph puts them in one in which they can run. The operator infers output shapes that
a record does not state, and checks those that it states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from graphacct.dims import Dim
from graphacct.errors import GraphError, blame, suggest
from graphacct.graph.fold import fold
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Operand, Parameter, Value, value_names
from graphacct.graph.paths import check_levels
from graphacct.graph.rerun import Rerun
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import suggest_operator
from graphacct.operators.shape_inference import check_outputs
from graphacct.tensors import TensorSpec


@attrs.frozen
class NodeRecord:
    """A node whose operands are named.

    Attributes:
        name: The node's name.
        operator: The operator's name.
        operands: Names of values, and parameters.
        outputs: The outputs' specs; None lets the operator infer them.
        attributes: The operator's arguments that are not tensors.
        rerun: The region that it is in, if the model has it run again.
        keeps: What it keeps for the backward pass, if the model's own code says so.
    """

    name: str
    operator: str
    operands: Sequence[str | Parameter]
    outputs: Sequence[TensorSpec] | None = None
    attributes: Mapping[str, Any] = NO_ATTRIBUTES
    rerun: Rerun | None = None
    keeps: tuple[int, ...] | None = None


@attrs.frozen
class BlockRecord:
    """A block whose operands are named: the fields of Block, and the body as a GraphRecord."""

    name: str
    body: GraphRecord
    repeat: Dim
    carry: Sequence[str]
    constants: Sequence[str] = ()
    start: int = 0
    each: Sequence[Sequence[str]] = ()
    apart: int = 0

    @property
    def operands(self) -> Sequence[str]:
        return (*self.carry, *self.constants, *(name for names in self.each for name in names))


Record: TypeAlias = NodeRecord | BlockRecord


@attrs.frozen
class GraphRecord:
    """A graph whose edges are names: its inputs as values, its nodes as records, its outputs by name."""

    name: str
    inputs: Sequence[Value]
    records: Sequence[Record]
    outputs: Sequence[str]
    workload: Mapping[str, Any] = NO_ATTRIBUTES
    held: Mapping[str, str] = NO_ATTRIBUTES
    trained_inputs: frozenset[str] = frozenset()


def assemble(record: GraphRecord, operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph of a record.

    Raises GraphError, which names the node, for a name used twice, an operand that nothing produces, a cycle, a block
    whose body does not fit what it carries, or an operator that is not registered and states no outputs; ShapeError
    and OperatorError for operands that do not fit.
    """
    values: dict[str, Value] = {}
    for value in record.inputs:
        if value.name in values:
            raise GraphError(f"two inputs are named {value.name!r}")
        values[value.name] = value
    nodes: list[Node | Block] = []
    for item in _ordered(record, values):
        node = _block(item, values, operators) if isinstance(item, BlockRecord) else _node(item, values, operators)
        nodes.append(node)
        values.update((value.name, value) for value in node.outputs)
        if len(node.outputs) == 1:
            values[f"{node.name}:0"] = node.outputs[0]
    outputs = tuple(_find(name, f"the outputs of {record.name!r}", values) for name in record.outputs)
    for name in record.held:
        _find(name, f"the held values of {record.name!r}", values)
    parts = (tuple(record.inputs), tuple(nodes), outputs, dict(record.workload), dict(record.held))
    return Graph(record.name, *parts, trained_inputs=record.trained_inputs)


def _ordered(record: GraphRecord, inputs: Mapping[str, Value]) -> Iterable[Record]:
    """Returns the records in an order in which each follows what it needs: the given one if it is such an order."""
    records: dict[str, Record] = {}
    for item in record.records:
        check_levels(item.name)
        if item.name in records or item.name in inputs:
            raise GraphError(f"two nodes are named {item.name!r}")
        records[item.name] = item
    seen = set(inputs)
    sorted_already = True
    needs: dict[str, list[str]] = {}
    for item in record.records:
        needs[item.name] = producers = []
        for operand in item.operands:
            if isinstance(operand, Parameter) or operand in inputs:
                continue
            producer = operand if operand in records else operand.rpartition(":")[0]
            if producer not in records:
                known = [*inputs, *records]
                raise GraphError(
                    f"node {item.name!r} takes {operand!r}, which nothing produces{suggest(operand, known)}"
                )
            producers.append(producer)
            sorted_already = sorted_already and producer in seen
        seen.add(item.name)
    if sorted_already:
        return record.records
    from graphlib import CycleError, TopologicalSorter

    try:
        return [records[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        cycle = list(error.args[1])
        shown = cycle if len(cycle) <= 8 else [*cycle[:4], "…", *cycle[-3:]]
        raise GraphError(
            f"the graph has a cycle: {' -> '.join(map(repr, shown))}; unroll loops into a block"
        ) from error


def _node(record: NodeRecord, values: Mapping[str, Value], operators: Mapping[str, Operator]) -> Node:
    operands: tuple[Operand, ...] = tuple(
        [o if isinstance(o, Parameter) else _find(o, f"node {record.name!r}", values) for o in record.operands]
    )
    operator = operators.get(record.operator)
    declared = record.outputs
    if operator is None:
        if declared is None:
            raise GraphError(
                f"node {record.name!r}: no operator {record.operator!r} is registered"
                f"{suggest_operator(record.operator, operators)}, and the node states no output shape\n"
                "register it in a plugin (docs/writing-a-plugin.md), or state the node's outputs"
            )
        specs = tuple(declared)
    else:
        try:
            application = operator.apply([operand.spec for operand in operands], record.attributes)
            if declared is not None:
                check_outputs(declared, application.outputs)
        except Exception as error:
            raise blame(record.name, record.operator, operators, error) from error
        specs = application.outputs
    outputs = (
        (Value(record.name, specs[0]),)
        if len(specs) == 1
        else tuple(map(Value, value_names(record.name, len(specs)), specs))
    )
    node = Node(record.name, record.operator, operands, outputs, record.attributes, record.rerun, record.keeps)
    return node if operator is None else node.applied(application)


def _block(record: BlockRecord, values: Mapping[str, Value], operators: Mapping[str, Operator]) -> Block:
    where = f"block {record.name!r}"
    carry = tuple(_find(name, where, values) for name in record.carry)
    constants = tuple(_find(name, where, values) for name in record.constants)
    each = [tuple(_find(name, where, values) for name in names) for names in record.each]
    firsts = [names[0] for names in each if names]
    body = assemble(_laid_out(record.body, (*carry, *constants, *firsts)), operators)
    return fold(record.name, body, record.repeat, carry, constants, record.start, each, record.apart)


def _laid_out(body: GraphRecord, entering: Sequence[Value]) -> GraphRecord:
    """Returns the body whose inputs lie in memory as what the block gives them: a record states shapes, not strides."""
    inputs = [
        attrs.evolve(inside, spec=attrs.evolve(inside.spec, strides=outside.spec.strides))
        for inside, outside in zip(body.inputs, entering, strict=False)
    ]
    return attrs.evolve(body, inputs=[*inputs, *body.inputs[len(inputs) :]])


def _find(name: str, where: str, values: Mapping[str, Value]) -> Value:
    value = values.get(name)
    if value is None:
        raise GraphError(f"{where} takes {name!r}, which nothing produces{suggest(name, values)}")
    return value
