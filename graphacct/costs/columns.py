"""Columns: one quantity of every costed node, and its total."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, maximum
from graphacct.graph.paths import instances


def column(quantity: Quantity, records: Sequence[NodeCost], times: Sequence[Dim]) -> list[Dim]:
    """One quantity of every costed node, repeats included."""
    if quantity.of_node is None:
        return [_over_parameters(quantity, record) if record.owned else 0 for record in records]
    values = map(quantity.of_node, records)
    return list(values if quantity.combine == "max" or quantity.repeats_included else map(mul, values, times))


def total(quantity: Quantity, values: Sequence[Dim]) -> Dim:
    start: Dim = 0
    return reduce(maximum, values, start) if quantity.combine == "max" else sum(values)


def _over_parameters(quantity: Quantity, record: NodeCost) -> Dim:
    result: Dim = 0
    for parameter in record.owned:
        if parameter.buffer:
            continue
        value: Dim = 0
        if quantity.of_parameter is not None:
            value = quantity.of_parameter(parameter)
        elif quantity.of_owned is not None:
            value = quantity.of_owned(parameter, record.node)
        if quantity.combine == "max":
            result = maximum(result, value)
        else:
            result = result + value * instances(parameter.name, record.repeats)
    return result
