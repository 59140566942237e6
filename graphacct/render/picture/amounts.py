"""The figures of one picture: their text, their share and their colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, same
from graphacct.render.picture import palette
from graphacct.render.picture.labels import numeric
from graphacct.render.picture.scene import Scene
from graphacct.render.units import human, params, percent
from graphacct.reports.report import Report

MINOR = 0.01
"""The share below which a node has one line instead of two."""


class Amounts:
    """Texts and colours for the figures of a box, in a picture coloured by one quantity.

    Attributes:
        quantity: That quantity.
        largest: Its largest value in a box, which has the darkest colour; None if there is no such number (symbols,
            sweeps, only zeros), and then nothing is coloured.
    """

    def __init__(self, report: Report, quantity: Quantity, scene: Scene, fields: Sequence[str] | None = None) -> None:
        self.quantity = quantity
        self._report = report
        self._columns = {item.name: index for index, item in enumerate(report.quantities)}
        self._shown = [report.quantity(name) for name in ("params", "flops") if name in self._columns]
        self._shown += [] if quantity in self._shown else [quantity]
        if fields is not None:
            self._shown = [report.quantity(name) for name in dict.fromkeys(fields)]
        self._total = report.figure(quantity.name)
        values = [value for box in scene.boxes if (value := self.value(box.figures)) is not None]
        numbers = [float(value) for value in values if numeric(value)]
        largest = max(numbers, default=0.0)
        self.largest = largest if len(numbers) == len(values) and largest > 0 else None

    def value(self, figures: Sequence[Dim]) -> Any:
        """Returns the chosen quantity; None for a ratio that a box does not have."""
        return self._figure(self.quantity, figures)

    def _figure(self, quantity: Quantity, figures: Sequence[Dim]) -> Any:
        if quantity.name in self._columns:
            return figures[self._columns[quantity.name]]
        return self._report.figure(quantity.name, dict(zip(self._columns, figures, strict=True)))

    def words(self, figures: Sequence[Dim], uncosted: int = 0) -> str:
        """Returns parameters, FLOPs and the chosen quantity, without those that are 0 or undefined."""
        parts = []
        for quantity in self._shown:
            value = self._figure(quantity, figures)
            if value is None or same(value, 0):
                continue
            if quantity.name == "params":
                parts.append(f"{params(value)} params")
            else:
                legend = quantity == self.quantity and quantity.unit == "byte"  # which says which bytes
                named = quantity.name != "flops" and not legend
                parts.append(human(value, quantity.unit) + (f" {quantity.name}" if named else ""))
        if uncosted:
            parts.append(f"{uncosted} without cost")
        return " · ".join(parts)

    def share(self, figures: Sequence[Dim]) -> str:
        """Returns the chosen quantity as a share of the model's; empty for symbols, if the model's is 0, or if the
        total is not a sum."""
        value = self.value(figures)
        if not self.quantity.adds_up or not (numeric(self._total) and numeric(value)) or not self._total:
            return ""
        return "0 %" if value == 0 else percent(value / self._total)

    def colours(self, figures: Sequence[Dim]) -> tuple[str, str]:
        """Returns the fill for the chosen quantity, and the colour of text on it."""
        value = self.value(figures)
        if self.largest is None or not numeric(value):
            return palette.PAPER, palette.INK
        fill = palette.heat(float(value) / self.largest)
        return fill, palette.ink(fill)

    def minor(self, figures: Sequence[Dim]) -> bool:
        """Returns whether the share is less than MINOR, so that one line is enough. A ratio has no share."""
        value = self.value(figures)
        if value is None or self.quantity.of_row is not None:
            return value is None
        return bool(numeric(self._total) and numeric(value) and value < MINOR * self._total)

    def nothing(self, figures: Sequence[Dim]) -> bool:
        """Returns whether all figures are 0: parameters, FLOPs and the chosen quantity."""
        told = [self._figure(quantity, figures) for quantity in self._shown]
        return all(value is None or same(value, 0) for value in told)
