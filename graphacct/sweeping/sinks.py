"""Where rows go: here into memory. `render/` has those that write files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy

from graphacct.errors import ConfigError
from graphacct.sweeping.selection import Rows
from graphacct.sweeping.sweep import Request, Sweep

MOST_BYTES = 512 * 2**20
"""The most bytes of rows that are held in memory."""
OF_INT = 40
"""Bytes of a Python int of up to 18 digits, with the pointer to it."""


class Sink(Protocol):
    """What takes the rows of a sweep, slab by slab, in the grid's order."""

    def write(self, rows: Rows) -> None:
        """Takes some rows."""
        ...

    def finish(self, sweep: Sweep) -> None:
        """Ends what was begun: there are no more rows. The sweep says what became of the other points."""
        ...

    def bytes_of(self, rows: Rows) -> int:
        """Returns about how many bytes some rows take here."""
        ...

    def room(self) -> int | None:
        """Returns how many bytes there is room for; None if it is not known."""
        ...

    def place(self) -> str:
        """Returns where the rows go, for messages: `in rows.csv`."""
        ...


class Memory:
    """Rows as arrays in memory: all of them, or the first ones.

    Attributes:
        columns: The columns so far, once it is finished.
    """

    def __init__(self, request: Request, first: int | None = None) -> None:
        self.request, self.first = request, first
        self.columns: Mapping[str, Any] = {}
        self._blocks: list[Rows] = []
        self._rows = self._bytes = 0

    def write(self, rows: Rows) -> None:
        """Takes some rows. Raises ConfigError if they are more than memory should hold."""
        if self.first is not None:
            rows = rows.chosen(slice(max(0, self.first - self._rows)))
        self._rows += rows.count
        self._bytes += self.bytes_of(rows)
        if self._bytes > MOST_BYTES:
            raise ConfigError(
                f"more than {self._rows - rows.count:,} rows, which take over {MOST_BYTES // 2**20} MiB of memory: "
                "output='rows.parquet' writes them to a file, and first=1000 holds the first ones"
            )
        if rows.count:
            self._blocks.append(rows)

    def finish(self, sweep: Sweep) -> None:
        """Joins the rows."""
        names = self._blocks[0].columns if self._blocks else ()
        self.columns = {name: numpy.concatenate([block.columns[name] for block in self._blocks]) for name in names}

    def bytes_of(self, rows: Rows) -> int:
        """Returns about how many bytes some rows take in memory."""
        return sum(len(values) * (OF_INT if values.dtype == object else 8) for values in rows.columns.values())

    def room(self) -> int | None:
        """Returns how many bytes of rows are held at most."""
        return None if self.first is not None else MOST_BYTES

    def place(self) -> str:
        """Returns where the rows go, for messages."""
        return "in memory"
