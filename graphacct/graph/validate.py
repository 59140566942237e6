"""Validation of a graph that did not come from a builder or a reader."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.dims import Dim
from graphacct.errors import GraphError, brief, suggest
from graphacct.graph.graph import Block, Graph, Node, Value
from graphacct.graph.paths import check_levels
from graphacct.graph.repetitions import MOST_ALIVE
from graphacct.tensors import conflict


def validate(graph: Graph) -> None:
    """Checks that a graph is a DAG of well-formed nodes, in an order in which they can run.

    Raises GraphError, which names the node, for a name used twice, an operand that nothing before it produces or
    that has another shape there, or a block whose body does not fit. That operands fit their operators, and that a
    parameter has one shape wherever it is used, is checked by `annotate`.
    """
    values: dict[str, Value] = {}
    names: set[str] = set()
    for what, kinds in (("inputs", Value), ("nodes", (Node, Block)), ("outputs", Value)):
        strange = next((item for item in getattr(graph, what) if not isinstance(item, kinds)), None)
        if strange is not None:
            raise GraphError(f"the {what} of {graph.name!r} have {brief(strange)} among them")
    for value in graph.inputs:
        if value.name in values:
            raise GraphError(f"input {value.name!r}: the value {value.name!r} exists already")
        values[value.name] = value
    for node in graph.nodes:
        check_levels(node.name)
        if node.name in names:
            raise GraphError(f"two nodes are named {node.name!r}")
        names.add(node.name)
        for operand in node.values:
            if values.get(operand.name) is not operand:
                _known(operand, f"node {node.name!r}", values)
        if isinstance(node, Block):
            where = f"block {node.name!r}"
            check_one_by_one(where, node.body, node.repeat, len(node.carry), node.each, node.apart)
            check_body(where, node.body, node.carry, node.constants, node.each)
            validate(node.body)
        for value in node.outputs:
            if value.name in values:
                raise GraphError(f"node {node.name!r}: the value {value.name!r} exists already")
            values[value.name] = value
    for name in graph.held:
        if name not in values:
            raise GraphError(f"{graph.name!r} holds {name!r}, which is none of its values{suggest(name, values)}")
    for value in graph.outputs:
        _known(value, f"the outputs of {graph.name!r}", values)


def _known(value: Value, where: str, values: dict[str, Value]) -> None:
    producer = values.get(value.name)
    if producer is None:
        raise GraphError(f"{where} takes {value.name!r}, which nothing before it produces{suggest(value.name, values)}")
    if conflict(producer.spec, value.spec):
        raise GraphError(f"{where} takes {value.name!r} as {value.spec}, but it is {producer.spec}")


def check_one_by_one(
    where: str, body: Graph, repeat: Dim, carried: int, each: Sequence[Sequence[Value]], apart: int
) -> None:
    """Raises GraphError unless what the repetitions of a block take and return one by one are as many as those."""
    if not each and not apart:
        return
    if type(repeat) is not int:
        raise GraphError(
            f"{where}: its repetitions take values of their own or return some, so that they are a number, not {repeat}"
        )
    if repeat > MOST_ALIVE:
        raise GraphError(
            f"{where}: {brief(repeat)} repetitions take values of their own or return some, at most {MOST_ALIVE:,} can"
        )
    for values in each:
        if len(values) != repeat:
            raise GraphError(f"{where}: gives {len(values)} values one by one to {repeat} repetitions")
    if not 0 <= apart <= len(body.outputs) - carried:
        raise GraphError(
            f"{where}: returns {apart} results of each repetition one by one, but the body returns "
            f"{len(body.outputs) - carried} besides what it carries"
        )


def check_body(
    where: str, body: Graph, carry: Sequence[Value], constants: Sequence[Value], each: Sequence[Sequence[Value]] = ()
) -> None:
    """Raises GraphError unless a block's body takes what the block gives it and carries round what it takes."""
    entering = [(value,) for value in (*carry, *constants)] + [tuple(values) for values in each]
    if len(body.inputs) != len(entering):
        raise GraphError(f"{where}: the body takes {len(body.inputs)} values, the block gives {len(entering)}")
    for inside, values in zip(body.inputs, entering, strict=True):
        for outside in values:
            if conflict(inside.spec, outside.spec):
                raise GraphError(
                    f"{where}: the body's {inside.name!r} is {inside.spec}, the block gives {outside.spec}"
                )
    if len(body.outputs) < len(carry):
        raise GraphError(f"{where}: carries {len(carry)} values, but the body returns {len(body.outputs)}")
    for inside, after in zip(body.inputs, body.outputs[: len(carry)], strict=False):
        if conflict(inside.spec, after.spec):
            raise GraphError(f"{where}: carries {inside.spec} in but {after.spec} round: they must be equal")
    for name in (node.name for node in body.nodes):
        if "*" not in name:
            raise GraphError(f"{where}: the node {name!r} in its body needs a '*' where the repetition's index goes")
