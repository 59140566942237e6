"""The Sweep: the rows of a grid, or the file that has them, and what became of the other points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.display import display
from graphacct.sweeping.columns import Refusal


@attrs.frozen(eq=False, repr=False)
class Request:
    """What was asked of a grid.

    Attributes:
        model: The model's name.
        options: The options that were given, besides the axes.
        axes: The axes, the outermost first: the values of each as they are typed, by its name.
        keys: The model's own name of each axis that has another one.
        where: The conditions.
        keep: The columns besides the axes.
        pareto: What is minimised.
        exact: Whether figures are integers rather than float64.
        points: How many points the grid has.
        forward_alone: The quantities asked for that are of a training step's forward pass alone, each with that of the
            step.
        stays: The sizes of the configuration that follow from no axis, by key, if an axis is of the configuration.
    """

    model: str
    options: Mapping[str, Any]
    axes: Mapping[str, str]
    keys: Mapping[str, str]
    where: tuple[str, ...]
    keep: tuple[str, ...]
    pareto: tuple[str, ...]
    exact: bool
    points: int
    forward_alone: Mapping[str, str]
    stays: Mapping[str, int]


@attrs.frozen(eq=False, repr=False)
class Sweep:
    """A grid of a model's sizes: the points that are rows, with their figures.

    Attributes:
        request: What was asked.
        rows: How many rows there are.
        points: How many points were evaluated: all of the grid's, unless a full disk ended it.
        refusals: The points that the model refuses, by kind of reason.
        columns: A numpy array a column: sizes as integers, figures as float64, or as Python ints if they are exact.
            Empty if the rows are in a file; shorter than `rows` if only the first ones were asked for.
        path: The file with the rows; empty without one.
        error: The largest relative error of the figures; 0 if they are exact.
    """

    request: Request
    rows: int
    points: int
    refusals: tuple[Refusal, ...]
    columns: Mapping[str, Any]
    path: str
    error: float

    @property
    def model(self) -> str:
        """The model's name."""
        return self.request.model

    @property
    def refused(self) -> int:
        """How many points the model refuses."""
        return sum(refusal.count for refusal in self.refusals)

    @property
    def left_out(self) -> int:
        """How many points are no rows because of the conditions or the front."""
        return self.points - self.refused - self.rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> Any:
        """The values of a column: `sweep["params"]`."""
        from graphacct.errors import unknown

        if name not in self.columns:
            raise unknown("column", name, self.columns, f"the rows are in {self.path!r}" if self.path else "")
        return self.columns[name]

    def to_dict(self) -> dict[str, Any]:
        """Returns the sweep as plain values: see docs/json.md."""
        found: dict[str, Any] = display("sweep.dict", self)
        return found

    def __str__(self) -> str:
        return str(display("sweep.table", self))

    def __repr__(self) -> str:
        where = f", in {self.path!r}" if self.path else ""
        return f"<Sweep {self.model}: {self.rows:,} rows of {self.points:,} points{where}>"

    def _repr_html_(self) -> str:
        return str(display("sweep.html", self))
