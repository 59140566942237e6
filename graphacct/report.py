"""The Report: what rolling up gives, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim
from graphacct.graph import Parameter
from graphacct.paths import depth

if TYPE_CHECKING:
    from graphacct.annotate import AnnotatedGraph
    from graphacct.quantities import Quantity


@attrs.frozen
class Coverage:
    """How much of the graph the totals contain.

    Attributes:
        costed: Nodes with a cost.
        total: All nodes; a block's body counts once.
        uncosted: Name and operator of each node without one.
    """

    costed: int
    total: int
    uncosted: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        text = f"{self.costed} of {self.total} nodes costed"
        return f"{text}; no total contains {self.missing}" if self.uncosted else text

    @property
    def missing(self) -> str:
        """The first nodes without a cost, and how many more there are; empty when there is none."""
        named = [f"{name} ({operator})" for name, operator in self.uncosted[:3]]
        more = f" and {len(self.uncosted) - 3} more" if len(self.uncosted) > 3 else ""
        return ", ".join(named) + more


@attrs.frozen
class Row:
    """One line of a report: a scope, a node or an operator.

    Attributes:
        path: The module path, `*` for an index; for a row by operator, its name.
        operator: The operator of a node's row; empty for scopes.
        repeat: How many modules the path matches, or how often the operator runs.
        share: The row's part of the model's FLOPs, 0 to 1.
        names: The names of the report's quantities.
        figures: The quantities in that order, summed over everything the row stands for.
    """

    path: str
    operator: str
    repeat: Dim
    share: Any
    names: tuple[str, ...]
    figures: tuple[Dim, ...]

    @property
    def values(self) -> dict[str, Dim]:
        """The quantities by name."""
        return dict(zip(self.names, self.figures, strict=True))

    @property
    def depth(self) -> int:
        """How many scopes stand around it; an index does not count."""
        return depth(self.path)


@attrs.frozen
class ParameterRow:
    """One tensor of the checkpoint, or one per repetition when its name has a `*`.

    Attributes:
        parameter: Its name, shape, dtype and tie.
        count: How many tensors the name stands for.
    """

    parameter: Parameter
    count: Dim


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
        """A row for every scope and node: see `graphacct.rollup.by_scope`."""
        from graphacct.rollup import by_scope

        return by_scope(self)

    @cached_property
    def by_operator(self) -> tuple[Row, ...]:
        """A row for every operator, the most FLOPs first."""
        from graphacct.rollup import by_operator

        return by_operator(self)

    @cached_property
    def by_parameter(self) -> tuple[ParameterRow, ...]:
        """A row for every tensor of the checkpoint."""
        from graphacct.rollup import by_parameter

        return by_parameter(self)

    def __getitem__(self, path: str) -> Row:
        """The row of a path: `report["transformer.h.*.attn"]`."""
        for row in self.by_scope:
            if row.path == path:
                return row
        from graphacct.errors import unknown

        raise unknown("path", path, (row.path for row in self.by_scope))

    def records(self, by: str = "scope") -> list[dict[str, Any]]:
        """Plain dictionaries, one a row, for pandas or polars: `pandas.DataFrame(report.records())`."""
        from graphacct.render.records import records

        return records(self, by)

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract as plain Python values: see docs/json.md."""
        from graphacct.render.json import to_dict

        return to_dict(self)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.by_scope)

    def __str__(self) -> str:
        from graphacct.render.table import text

        return text(self)

    def __repr__(self) -> str:
        return f"<Report {self.model}: convention {self.convention}, {self.coverage}>"

    def _repr_html_(self) -> str:
        from graphacct.render.html import html

        return html(self)
