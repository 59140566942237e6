"""The report of a generation: a prefill and all decoding steps, added up node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from graphacct.costs.annotate import AnnotatedGraph, NodeCost
from graphacct.costs.columns import total
from graphacct.costs.coverage import Coverage
from graphacct.costs.quantities import Quantity
from graphacct.dims import maximum
from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph
from graphacct.models.generate import Generation
from graphacct.models.steps import Sample, Steps, marks
from graphacct.reports.report import Report

Key: TypeAlias = tuple[str, str]
"""A node in the graphs of several steps: its name and its operator."""


@attrs.frozen(slots=False, eq=False, repr=False)
class GenerationReport(Report):
    """The cost of a generation, rolled up. Its graph is that of the prefill; its rows have the nodes of all steps.

    Attributes:
        prefill: Each quantity of the prefill, from which the first new token of each sequence comes.
        decode: What all decoding steps add, of the quantities that add up over steps.
        tokens: New tokens of all sequences.
    """

    prefill: Mapping[str, Any] = attrs.field(factory=dict)
    decode: Mapping[str, Any] = attrs.field(factory=dict)
    tokens: int = 1

    @property
    def per_token(self) -> dict[str, Any]:
        """What one new token costs on average, of the quantities that add up over steps: an int where it is whole."""
        found = {}
        for name in self.decode:
            whole, over = divmod(self.total[name], self.tokens)
            found[name] = self.total[name] / self.tokens if over else whole
        return found


def adds_up(quantity: Quantity) -> bool:
    """Returns whether a generation's figure is the sum over its steps: what is done in each, and not what is there."""
    return quantity.of_node is not None and quantity.combine == "sum" and not quantity.at_end


def generated(asked: Generation, report: Callable[[Graph], Report]) -> GenerationReport:
    """Returns the report of a generation; `report` accounts for one graph.

    Raises ConfigError if sizes are symbols or arrays, and if the steps follow no polynomials.
    """
    first = report(asked.prefill())
    batch = first.workload.get("batch", 1)
    if type(batch) is not int or not all(type(value) is int for row in first.values for value in row):
        raise ConfigError("a generation adds up whole steps: give a number for every size, no symbol and no array")
    rows = _Rows(first)
    last = first
    if asked.first <= asked.last:
        steps = Steps(
            lambda cached: _sample(report(asked.step(cached, first.annotated.graph))), asked.first, asked.last
        )
        ends = [steps.sample(cached).source for cached in (asked.first, asked.last)]
        last = ends[1]
        for start, stop in steps.pieces(marks([end.annotated.graph for end in ends])):
            rows.add(steps, start, stop)
        rows.end(last)
    return rows.report(asked, last, batch)


def _sample(found: Report) -> Sample:
    structure = tuple((*_key(record), record.times, record.cost is None) for record in found.annotated.costs)
    figures: list[Any] = [value for row in found.values for value in row]
    return Sample(structure, tuple(figures), found)


def _key(record: NodeCost) -> Key:
    return record.node.name, record.node.operator


def _values(report: Report) -> Sequence[tuple[Key, tuple[Any, ...]]]:
    """Returns the values of each costed node of a report."""
    costed = [record for record in report.annotated.costs if record.cost is not None]
    return [(_key(record), row) for record, row in zip(costed, report.values, strict=True)]


class _Rows:
    """The rows of a generation as they grow: those of the prefill first."""

    def __init__(self, first: Report) -> None:
        self.first = first
        self.quantities = first.quantities
        self.records = {_key(record): record for record in first.annotated.costs}
        self.times = {_key(record): record.times for record in first.annotated.costs}
        self.values: dict[Key, list[Any]] = {key: list(row) for key, row in _values(first)}
        self.order = list(self.records)

    def add(self, steps: Steps, start: int, stop: int) -> None:
        """Adds the steps on `start` to `stop` cached tokens, a piece of equal structure."""
        one, other = (dict(_values(steps.sample(length).source)) for length in (start, stop))
        sums = iter(steps.sums(start, stop))
        before = -1
        for record in steps.sample(start).source.annotated.costs:
            key = _key(record)
            if key not in self.records:
                self.order.insert(before + 1, key)
                self.records[key] = attrs.evolve(record, owned=())
                self.times[key] = 0
                if record.cost is not None:
                    self.values[key] = [0] * len(self.quantities)
            before = self.order.index(key)
            self.times[key] += record.times * (stop - start + 1)
            if record.cost is None:
                continue
            row = self.values[key]
            for index, quantity in enumerate(self.quantities):
                added = next(sums)
                if adds_up(quantity):
                    row[index] += added
                elif quantity.combine == "max":
                    row[index] = maximum(row[index], maximum(one[key][index], other[key][index]))

    def end(self, last: Report) -> None:
        """Sets the quantities of what stands at the end to those of the last step."""
        at_end = [index for index, quantity in enumerate(self.quantities) if quantity.at_end]
        found = dict(_values(last))
        for key, row in self.values.items():
            for index in at_end:
                row[index] = found[key][index] if key in found else 0

    def report(self, asked: Generation, last: Report, batch: int) -> GenerationReport:
        """Returns the rows as a report."""
        first, quantities = self.first, self.quantities
        costs = tuple(attrs.evolve(self.records[key], times=self.times[key]) for key in self.order)
        values = tuple(tuple(self.values[key]) for key in self.order if self.records[key].cost is not None)
        columns = list(zip(*values, strict=True)) if values else [()] * len(quantities)
        sums: dict[str, Any] = {
            item.name: total(item, column) for item, column in zip(quantities, columns, strict=True)
        }
        uncosted = tuple((record.node.name, record.node.operator) for record in costs if record.cost is None)
        graph = first.annotated.graph
        named = attrs.evolve(graph, workload=asked.workload(graph, None if last is first else last.annotated.graph))
        added = {item.name: sums[item.name] - first.total[item.name] for item in quantities if adds_up(item)}
        return GenerationReport(
            AnnotatedGraph(named, costs, first.annotated.convention),
            quantities,
            sums,
            Coverage(len(costs) - len(uncosted), len(costs), uncosted),
            values,
            first.ratios,
            first.elsewhere,
            first.origins,
            prefill={name: first.total[name] for name in added},
            decode=added,
            tokens=asked.new_tokens * batch,
        )
