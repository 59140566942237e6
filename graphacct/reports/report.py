"""The Report: what rolling up gives, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.costs.coverage import Coverage
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim
from graphacct.display import display
from graphacct.errors import unknown
from graphacct.reports.rows import ParameterRow, Row, by_operator, by_parameter, by_scope


@attrs.frozen
class Report:
    """The cost of a model, rolled up.

    Attributes:
        annotated: The annotated graph that it rolls up.
        quantities: The columns.
        total: Each quantity of the whole model, by name.
        coverage: How much of the graph the totals contain.
        values: Each costed node's contribution to each quantity, repeats included, in schedule order.
    """

    annotated: AnnotatedGraph
    quantities: tuple[Quantity, ...]
    total: Mapping[str, Dim]
    coverage: Coverage
    values: tuple[tuple[Dim, ...], ...]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.annotated.graph.name

    @property
    def convention(self) -> str:
        """The convention's name."""
        return self.annotated.convention.name

    @property
    def workload(self) -> Mapping[str, Any]:
        """The sizes that the graph was built for."""
        return self.annotated.graph.workload

    @cached_property
    def by_scope(self) -> tuple[Row, ...]:
        """A row for every scope and node: see `graphacct.reports.rows.by_scope`."""
        return by_scope(self.annotated.costs, self.quantities, self.values, self.total)

    @cached_property
    def by_operator(self) -> tuple[Row, ...]:
        """A row for every operator, the most FLOPs first."""
        return by_operator(self.annotated.costs, self.quantities, self.values, self.total)

    @cached_property
    def by_parameter(self) -> tuple[ParameterRow, ...]:
        """A row for every tensor of the checkpoint."""
        return by_parameter(self.annotated.costs)

    def __getitem__(self, path: str) -> Row:
        """The row of a path: `report["transformer.h.*.attn"]`."""
        for row in self.by_scope:
            if row.path == path:
                return row
        raise unknown("path", path, (row.path for row in self.by_scope))

    def records(self, by: str = "scope") -> list[dict[str, Any]]:
        """Plain dictionaries, one a row, for pandas or polars: `pandas.DataFrame(report.records())`."""
        found: list[dict[str, Any]] = display("report.records", self, by)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract as plain Python values: see docs/json.md."""
        values: dict[str, Any] = display("report.dict", self)
        return values

    def __iter__(self) -> Iterator[Row]:
        return iter(self.by_scope)

    def __str__(self) -> str:
        return str(display("report.table", self))

    def __repr__(self) -> str:
        return f"<Report {self.model}: convention {self.convention}, {self.coverage}>"

    def _repr_html_(self) -> str:
        return str(display("report.html", self))
