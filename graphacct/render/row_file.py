"""A file of rows, written slab by slab: what CSV, JSON and Parquet share, and CSV and JSON themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from csv import writer
from io import StringIO
from json import dumps
from typing import TYPE_CHECKING, Any, BinaryIO

from graphacct.render.csv import cell
from graphacct.render.row_cells import cells
from graphacct.render.sweep import head, tail

if TYPE_CHECKING:
    from graphacct.sweeping.selection import Rows
    from graphacct.sweeping.sweep import Request, Sweep

SPARED = 64 * 2**20
"""Bytes of the disk that are left free, so that the file can be finished; of a small disk a fiftieth."""
SAMPLE = 200
"""So many rows tell how many bytes a row takes."""


class RowFile:
    """A file of rows.

    Attributes:
        file: The open file.
        path: Its path, for messages.
        rows: How many rows are written.
    """

    def __init__(self, file: BinaryIO, path: str, request: Request) -> None:
        self.file, self.path, self.request = file, path, request
        self.rows = self.written = 0
        self._folder = os.path.dirname(os.path.realpath(path)) if path else ""

    def write(self, rows: Rows) -> None:
        """Writes some rows."""
        if not self.rows:
            self._begin(tuple(rows.columns))
        data = self._data(rows.columns)
        self.file.write(data)
        self.rows += rows.count
        self.written += len(data)

    def finish(self, sweep: Sweep) -> None:
        """Writes what stands at the end."""

    def bytes_of(self, rows: Rows) -> int:
        """Returns about how many bytes some rows take: as those that are written, or as a sample of these."""
        if self.rows:
            return rows.count * self.written // self.rows
        sample = rows.chosen(slice(SAMPLE))
        return rows.count * len(self._data(sample.columns)) // max(1, sample.count)

    def room(self) -> int | None:
        """Returns how many bytes of the disk may be taken."""
        if not self._folder:
            return None
        disk = shutil.disk_usage(self._folder)
        return max(0, disk.free - min(SPARED, disk.total // 50))

    def place(self) -> str:
        """Returns where the rows go, for messages."""
        return f"in {self.path!r}"

    def _begin(self, names: Sequence[str]) -> None:
        """Writes what stands before the rows."""

    def _data(self, columns: Mapping[str, Any]) -> bytes:
        raise NotImplementedError


class CsvFile(RowFile):
    """Rows as CSV: a line of names, then a line a row, figures in full digits."""

    def _begin(self, names: Sequence[str]) -> None:
        self.file.write(_csv([[cell(name) for name in names]]))

    def _data(self, columns: Mapping[str, Any]) -> bytes:
        return _csv(zip(*[cells(values, cell) for values in columns.values()], strict=True))


class JsonFile(RowFile):
    """Rows as JSON (docs/json.md): what was asked, the rows, one a line, then what became of the other points."""

    def _begin(self, names: Sequence[str]) -> None:
        lines = [f"  {dumps(key)}: {dumps(value)}" for key, value in head(self.request).items()]
        self.file.write(("{\n" + ",\n".join(lines) + ',\n  "rows": [\n    ').encode())

    def _data(self, columns: Mapping[str, Any]) -> bytes:
        template = "{" + ", ".join(f"{dumps(name).replace('%', '%%')}: %s" for name in columns) + "}"
        texts = [cells(values, _json) for values in columns.values()]
        lines = ",\n    ".join([template % row for row in zip(*texts, strict=True)])
        return ((",\n    " if self.rows else "") + lines).encode()

    def finish(self, sweep: Sweep) -> None:
        """Writes the end of the object."""
        lines = [f"  {dumps(key)}: {dumps(value)}" for key, value in tail(sweep).items()]
        self.file.write(("\n  ],\n" + ",\n".join(lines) + "\n}\n").encode())


def _json(value: Any) -> str:
    return dumps(value)


def _csv(rows: Any) -> bytes:
    text = StringIO()
    writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
