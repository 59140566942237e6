"""The Report: a model's rolled-up costs, as plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.costs.coverage import Coverage
from graphacct.costs.quantities import Quantity, not_there
from graphacct.dims import Dim, Figure
from graphacct.display import display
from graphacct.errors import ConfigError, unknown
from graphacct.graph.paths import pattern
from graphacct.phases import DECODE, GENERATE, PREFILL
from graphacct.reports.rows import ParameterRow, Row, by_operator, by_parameter, by_scope
from graphacct.reports.totals import Totals

if TYPE_CHECKING:
    from graphacct.footprint.memory import Memory
    from graphacct.graph.config_keys import ConfigKeys


@attrs.frozen(slots=False, eq=False)
class Report:
    """The cost of a model, rolled up.

    Attributes:
        annotated: The annotated graph that it rolls up.
        quantities: The columns.
        total: Each quantity of the whole model, by name.
        coverage: How much of the graph the totals contain.
        values: Each costed node's contribution to each quantity, repeats included, in schedule order.
        ratios: Ratios of quantities. They have no columns and are computed on request.
        elsewhere: Quantities that only reports of other phases have.
        origins: The plugin that each quantity comes from.
        conditions: What the figures assume of symbols among the sizes, as sympy relations: `seq_len > 1`.
    """

    annotated: AnnotatedGraph
    quantities: tuple[Quantity, ...]
    total: Mapping[str, Figure]
    coverage: Coverage
    values: tuple[tuple[Dim, ...], ...]
    ratios: tuple[Quantity, ...] = ()
    elsewhere: tuple[Quantity, ...] = ()
    origins: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    conditions: tuple[Any, ...] = ()

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "total", Totals(self.total, self.elsewhere))

    @property
    def model(self) -> str:
        """The model's name."""
        return self.annotated.graph.name

    @property
    def convention(self) -> str:
        """The convention's name."""
        return self.annotated.convention.name

    @property
    def mask(self) -> str:
        """Which of attention's pairs are counted: `full`, `causal`, `half` or `window`."""
        return self.annotated.convention.mask

    @property
    def counted(self) -> str:
        """The convention and its mask, `matmul:causal`: figures under two of them do not compare."""
        return self.annotated.convention.label

    @property
    def workload(self) -> Mapping[str, Any]:
        """The sizes that the graph was built for."""
        return self.annotated.graph.workload

    @property
    def config_keys(self) -> ConfigKeys | None:
        """What became of the keys of the model's config.json; None for a model without one."""
        return self.annotated.graph.config_keys

    @property
    def inexact(self) -> tuple[str, ...]:
        """What of a step's saved tensors is known not to equal the model's own code, a sentence each."""
        return self.annotated.graph.inexact

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
        known = [row.path for row in self.by_scope]
        end = pattern(path)
        inside = [name for name in known if name == end or name.endswith(f".{end}")][:1]
        way_out = f"{inside[0]!r} is the row of all of them" if inside else ""
        raise unknown("path", path, () if inside else known, way_out)

    def quantity(self, name: str, kind: str = "quantity") -> Quantity:
        """Returns the quantity or ratio of a name.

        Raises UnknownNameError, which suggests the closest and calls it a `kind`, and ConfigError for a quantity of
        another phase.
        """
        found = {item.name: item for item in (*self.quantities, *self.ratios)}
        if name not in found:
            known = [*found, "share"] if kind == "column" else found
            raise not_there(name, known, {item.name: item for item in self.elsewhere}, kind)
        return found[name]

    def at(self, **sizes: int) -> Report:
        """Returns this report with numbers in place of symbols, by name: `report.at(batch=2, seq_len=1024)`. Symbols
        that are not named stay.

        Raises UnknownNameError for a name that no figure has, and ConfigError for a size that is no positive integer,
        or for which the figures do not hold (`conditions`).
        """
        from graphacct.reports.numbers import Numbers

        figures = (*self.total.values(), *(figure for figures in self.values for figure in figures))
        numbers = Numbers(sizes, figures, self.conditions)
        graph = self.annotated.graph
        workload = {name: numbers.of(value) for name, value in graph.workload.items()} | sizes
        return attrs.evolve(
            self,
            annotated=attrs.evolve(self.annotated, graph=attrs.evolve(graph, workload=workload)),
            total={name: numbers.of(figure) for name, figure in self.total.items()},
            values=tuple(tuple(map(numbers.of, figures)) for figures in self.values),
            conditions=numbers.conditions,
        )

    def check_one_step(self, what: str) -> None:
        """Raises ConfigError if this is the report of a generation, which has no one graph; `what` needs one."""
        if self.workload.get("phase") == GENERATE:
            raise ConfigError(
                f"{what} of a generation: it is many steps, each with a graph of its own; take one of them, with "
                f"phase={PREFILL!r}, or phase={DECODE!r} and cache_len="
            )

    def figure(self, name: str, values: Mapping[str, Dim] | None = None) -> Any:
        """Returns a quantity or ratio of the row with these `values` (`row.values`), or of the whole model:
        `report.figure("arithmetic_intensity")`.

        A ratio that divides by zero is None. Raises what `quantity` raises, and PluginError for a ratio that fails.
        """
        values = self.total if values is None else values
        if name in values:
            return values[name]
        from graphacct.costs.ratios import ratio

        return ratio(self.quantity(name), self.origins.get(name, ""), values)

    def records(self, by: str = "scope", ratios: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Returns plain dictionaries, one per row, for pandas or polars: `pandas.DataFrame(report.records())`.

        They hold every quantity and the named `ratios`.
        """
        found: list[dict[str, Any]] = display("report.records", self, by, ratios)
        return found

    def to_dict(self, ratios: Sequence[str] = ()) -> dict[str, Any]:
        """Returns the JSON contract as plain Python values (docs/json.md), with the named `ratios`."""
        values: dict[str, Any] = display("report.dict", self, ratios)
        return values

    def to_frame(self, by: str = "scope") -> Any:
        """Returns `records(by)` as a pandas DataFrame: by `scope`, `operator`, `parameter` or `node`. Raises
        ConfigError where pandas is not installed."""
        return display("report.frame", self, by)

    def draw(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """Returns the picture, written to `path` too if one is given: `graphacct.draw(report, path, …)`."""
        return display("report.draw", self, path, **options)

    def page(self, **options: Any) -> str:
        """Returns the page of this report, which shows itself in a notebook: `graphacct.page(report, …)`."""
        found: str = display("report.page", self, **options)
        return found

    def explain(self, node: str, quantity: str | None = None, **options: Any) -> Any:
        """Returns where the numbers of a node or scope come from: `graphacct.explain(report, node, …)`."""
        return display("report.explain", self, node, quantity, **options)

    def memory(self, **options: Any) -> Memory:
        """Returns the memory of what the report is of, part by part: `graphacct.memory(report, …)`."""
        found: Memory = display("report.memory", self, **options)
        return found

    def __iter__(self) -> Iterator[Row]:
        return iter(self.by_scope)

    def __str__(self) -> str:
        return str(display("report.table", self))

    def __repr__(self) -> str:
        return f"<Report {self.model}: convention {self.convention}, {self.coverage}>"

    def _repr_html_(self) -> str:
        return str(display("report.html", self))
