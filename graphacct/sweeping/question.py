"""What is asked at every point of a grid that has the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.hooks.manager import Plugins
from graphacct.models.size import Size, config_sizes
from graphacct.reports.report import Report
from graphacct.solving.asked import Figure, Figures


@attrs.frozen(eq=False)
class Question:
    """Some figures of a model, whose sizes are to be given.

    Attributes:
        found: The model, as `find_model` found it.
        account: The verb that makes a report of it.
        options: The keywords of that verb, words of the grid among them, without the sizes that are swept.
        sizes: The sizes that are swept, in the grid's order.
        figures: What is asked; none of them is one of those sizes.
        quantities: The quantities in the figures.
        exact: Whether figures are Python ints rather than float64.
        plugins: Those in use.
    """

    found: Any
    account: Callable[..., Report]
    options: Mapping[str, Any]
    sizes: tuple[Size, ...]
    figures: tuple[Figure, ...]
    quantities: tuple[str, ...]
    exact: bool
    plugins: Plugins | None

    @property
    def model(self) -> str:
        """The model's name."""
        return str(getattr(self.found, "name", "the model"))

    def given(self, point: Sequence[int]) -> dict[str, Any]:
        """Returns the options of a point."""
        options = dict(self.options)
        for size, value in zip(self.sizes, point, strict=True):
            options = size.given(options, value)
        return options

    def report(self, point: Sequence[Any]) -> Report:
        """Returns the report of a point, whose sizes may be whatever sizes may be. Raises what `account` raises."""
        return self.account(self.found, quantities=self.quantities, plugins=self.plugins, **self.given(point))

    def answer(self, point: Sequence[Any]) -> list[Any]:
        """Returns the figures of a point. Raises ConfigError or GraphError if the model refuses it."""
        report = self.report(point)
        assert self.plugins is not None
        keys = self.given(point).get("set") or {}
        workload = {name: value for name, value in report.workload.items() if isinstance(value, int)}
        own = {size.key: value for size, value in zip(self.sizes, point, strict=True)}
        figures = Figures(report, {**config_sizes(self.found, keys), **workload, **own}, self.plugins)
        return [figures.value(figure) for figure in self.figures]
