"""A model at one size after the other: what it refuses, and where its learned positions are raised with the size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct.errors import ConfigError, GraphError
from graphacct.models.size import Size
from graphacct.reports.report import Report


class SizedModel:
    """A model whose reports are asked for by one size.

    Attributes:
        refused: The sizes that the model refuses, each with the reason.
        extended: The sizes for which it got more positions than it has learned.
    """

    def __init__(
        self, size: Size, report: Callable[[Mapping[str, Any]], Report], options: Mapping[str, Any], beyond: bool
    ) -> None:
        """`report` makes a report of options. `beyond` says whether a length may exceed the learned positions: they are
        raised with it."""
        self.size, self.options = size, options
        self._account, self._beyond = report, beyond
        self.refused: dict[int, str] = {}
        self.extended: set[int] = set()

    @property
    def positions(self) -> str:
        """The key of the positions that were raised; empty if none were."""
        return self.size.positions[0] if self.extended and self.size.positions else ""

    def report(self, size: int) -> Report | None:
        """Returns the report of a size; None if the model refuses it."""
        try:
            return self._account(self.size.given(self.options, size))
        except (ConfigError, GraphError) as error:
            reason = str(error)
        if self._beyond and self.size.positions is not None and size > self.size.positions[1]:
            try:
                report = self._account(self.size.given(self.options, size, extended=True))
            except (ConfigError, GraphError):
                self.refused[size] = reason
                return None
            self.extended.add(size)
            return report
        self.refused[size] = reason
        return None
