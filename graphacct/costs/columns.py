"""Columns: one quantity of every costed node, and its total."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import TypeAlias

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, is_array, is_symbol, is_traced, largest_of, maximum
from graphacct.errors import brief
from graphacct.graph.graph import Node, Parameter
from graphacct.graph.paths import instances

Owned: TypeAlias = Sequence[tuple[int, Parameter, Node, Dim]]
"""The parameters whose storage nodes own: the place of the node, the parameter, the node, and how many there are."""


def owned(records: Sequence[NodeCost]) -> Owned:
    """Returns the parameters, without buffers, that the columns of parameters are of: found once for all of them."""
    return [
        (place, parameter, record.node, instances(parameter.name, record.repeats))
        for place, record in enumerate(records)
        for parameter in record.owned
        if not parameter.buffer
    ]


def column(quantity: Quantity, records: Sequence[NodeCost], times: Sequence[Dim], parameters: Owned) -> list[Dim]:
    """One quantity of every costed node, repeats included; `parameters` are those that the records own."""
    if quantity.of_node is None:
        return _of_parameters(quantity, len(records), parameters)
    values = map(quantity.of_node, records)
    return list(values if quantity.combine == "max" or quantity.repeats_included else map(mul, values, times))


def no_number(quantity: Quantity, records: Sequence[NodeCost], who: str) -> str:
    """Returns which value of a column that failed is no number, as a message; empty if its function raises."""
    for record in records if quantity.of_node is not None else ():
        try:
            value: object = quantity.of_node(record)  # type: ignore[misc]
        except Exception:
            return ""
        if not (isinstance(value, (int, float)) or is_symbol(value) or is_array(value) or is_traced(value)):
            return f"{who} is {brief(value)} of node {record.node.name!r}, which is no number"
    return ""


def total(quantity: Quantity, values: Sequence[Dim]) -> Dim:
    return largest_of(values) if quantity.combine == "max" else sum(values)


def _of_parameters(quantity: Quantity, nodes: int, parameters: Owned) -> list[Dim]:
    result: list[Dim] = [0] * nodes
    for place, parameter, node, count in parameters:
        if quantity.of_parameter is not None:
            value = quantity.of_parameter(parameter)
        else:
            assert quantity.of_owned is not None
            value = quantity.of_owned(parameter, node)
        if quantity.combine == "max":
            result[place] = maximum(result[place], value)
        else:
            result[place] = result[place] + value * count
    return result
