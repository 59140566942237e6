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
from graphacct.render.row_lines import lines
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
        target = os.path.realpath(path) if path else ""
        on_disk = os.path.isfile(target) or not os.path.exists(target)  # and is no device
        self._folder = os.path.dirname(target) if on_disk else ""

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

    def abandon(self) -> None:
        """Lets go of a file that is not finished."""

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
        if not disk.total:  # a pipe lies on no disk
            return None
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
        self.file.write((",".join(map(_field, names)) + "\n").encode())

    def _data(self, columns: Mapping[str, Any]) -> bytes:
        return lines([cells(values, _field) for values in columns.values()], ["", *"," * (len(columns) - 1), "\n"])


class JsonFile(RowFile):
    """Rows as JSON (docs/json.md): what was asked, the rows, one a line, then what became of the other points."""

    def _begin(self, names: Sequence[str]) -> None:
        said = [f"  {dumps(key)}: {dumps(value)}" for key, value in head(self.request).items()]
        self.file.write(("{\n" + ",\n".join(said) + ',\n  "rows": [').encode())

    def _data(self, columns: Mapping[str, Any]) -> bytes:
        begin, *others = (f"{dumps(name)}: " for name in columns)
        between = [f"\n    {{{begin}", *(f", {name}" for name in others), "},"]
        return lines([cells(values, dumps) for values in columns.values()], between)[:-1]

    def write(self, rows: Rows) -> None:
        """Writes some rows."""
        if self.rows:
            self.file.write(b",")
        super().write(rows)

    def finish(self, sweep: Sweep) -> None:
        """Writes the end of the object."""
        said = [f"  {dumps(key)}: {dumps(value)}" for key, value in tail(sweep).items()]
        self.file.write(("\n  ],\n" + ",\n".join(said) + "\n}\n").encode())


def _field(value: Any) -> str:
    """Returns a value as a field of CSV, in quotes if it needs them."""
    text = StringIO()
    writer(text, lineterminator="").writerow([cell(value), ""])
    return text.getvalue()[:-1]
