"""The cache that a step leaves for the next one, as operators declare it (`Operator.caches`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphacct.costs.annotate import AnnotatedGraph, NodeCost
from graphacct.dims import Dim, has_value, same
from graphacct.errors import OperatorError, blame, brief
from graphacct.operators.operator import Operator


def cached_bytes(annotated: AnnotatedGraph, operators: Mapping[str, Operator]) -> dict[str, Dim]:
    """Returns the bytes that each node leaves in the cache, by the node's name, repetitions included."""
    sizes = {
        record.node.name: sum(value.spec.bytes for value in record.node.outputs) * record.times
        for record, _ in _caching(annotated, operators)
    }
    return {name: size for name, size in sizes.items() if not same(size, 0)}


def token_bytes(annotated: AnnotatedGraph, operators: Mapping[str, Operator], following: bool = False) -> Dim:
    """Returns what one more token of one sequence adds to the cache, in bytes: while there is room, or if `following`
    the next token after those that are in it, which adds nothing where the cache is full, and less than nothing where
    it completes an entry that stands for several tokens, which then wait no longer.

    Raises OperatorError, which names the node, if the operator's function fails or gives no number of bytes.
    """
    total: Dim = 0
    for record, operator in _caching(annotated, operators):
        try:
            total = total + _of_token(record, operator, following) * record.times
        except Exception as error:
            raise blame(record.node.name, record.node.operator, operators, error) from error
    return total


def _of_token(record: NodeCost, operator: Operator, following: bool) -> Dim:
    node, specs = record.node, [operand.spec for operand in record.node.inputs]
    application = node.application or operator.apply(specs, node.attributes)
    function, name = operator.caches, "caches"
    if following and operator.caches_next is not None:
        function, name = operator.caches_next, "caches_next"
    assert function is not None
    found = operator.call(function, application.dims, application.batch, specs, application.outputs, node.attributes)
    less = has_value(found) and found < 0 and function is operator.caches
    if found is None or isinstance(found, (str, bool, float)) or less:
        raise OperatorError(f"{name}= returned {brief(found)}, which is no number of bytes")
    return found


def _caching(annotated: AnnotatedGraph, operators: Mapping[str, Operator]) -> Iterator[tuple[NodeCost, Operator]]:
    """Yields the nodes that a cost is known of and whose outputs stay in a cache."""
    for record in annotated.costs:
        operator = operators.get(record.node.operator)
        if operator is not None and operator.caches is not None and record.cost is not None:
            yield record, operator
