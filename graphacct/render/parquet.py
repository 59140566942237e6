"""Rows as Parquet, through pyarrow: sizes as int64, figures as double; exact ones as int64 where all of a column fit,
or else as decimal128(38, 0).

Which of the two an exact column needs is known at its end. It begins as int64, and the first figure that does not fit
has what is written so far written again: once for a column, a row group at a time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from json import dumps
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy

from graphacct.errors import WriteError
from graphacct.render.row_file import RowFile
from graphacct.render.sweep import head, tail

try:
    import pyarrow
    from pyarrow import parquet
except ImportError as error:
    raise WriteError(
        f"Parquet needs pyarrow ({error}): pip install 'graphacct[sweep]', or write a .csv or .json file"
    ) from error

if TYPE_CHECKING:
    from graphacct.sweeping.selection import Rows
    from graphacct.sweeping.sweep import Request, Sweep

GROUP = 131_072
"""Rows of a row group."""
METADATA = b"graphacct.sweep"
"""The key of the file's metadata that has what was asked and what became of the other points, as JSON."""
INT64, DECIMAL, DOUBLE, TEXT = pyarrow.int64(), pyarrow.decimal128(38, 0), pyarrow.float64(), pyarrow.string()
WIDER = [INT64, DECIMAL, DOUBLE]
MOST = 10**38
"""No integer of a decimal128(38, 0) is as large."""


class ParquetFile(RowFile):
    """Rows as Parquet. Small slabs are gathered into row groups."""

    def __init__(self, file: BinaryIO, path: str, request: Request) -> None:
        super().__init__(file, path, request)
        if not file.seekable():
            raise WriteError("Parquet needs a file, and this is a stream: -o rows.parquet, or format='csv'")
        self._writer: Any = None
        self._waiting: list[Mapping[str, Any]] = []
        self._count = 0
        self._types: dict[str, Any] = {}

    def write(self, rows: Rows) -> None:
        """Takes some rows, and writes a row group when there are enough."""
        self._waiting.append(rows.columns)
        self.rows += rows.count
        self._count += rows.count
        if self._count >= GROUP:
            self._write_group()

    def finish(self, sweep: Sweep) -> None:
        """Writes the last rows and the file's metadata."""
        if self._waiting:
            self._write_group()
        said = {**head(sweep.request), **tail(sweep)}
        self._writer.add_key_value_metadata({METADATA: dumps(said).encode()})
        self._writer.close()

    def abandon(self) -> None:
        """Ends the writer while the file is open: pyarrow would when it is not, with a traceback."""
        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.close()
            self._writer.is_open = False

    def bytes_of(self, rows: Rows) -> int:
        """Returns about how many bytes some rows take: as those that are written, or 8 for each figure at most."""
        if self.written and self.rows > self._count:
            return rows.count * self.written // (self.rows - self._count)
        return rows.count * 8 * len(rows.columns)

    def _write_group(self) -> None:
        first = self._waiting[0]
        columns = {name: numpy.concatenate([columns[name] for columns in self._waiting]) for name in first}
        self._waiting, self._count = [], 0
        needed = {name: self._type(name, values) for name, values in columns.items()}
        if needed != self._types:
            before, self._types = self._types, needed
            self._open(bool(before))
        arrays = [_array(values, needed[name], name) for name, values in columns.items()]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema()), row_group_size=GROUP)
        self.written = self.file.tell()

    def _type(self, name: str, values: Any) -> Any:
        """Returns the type that a column needs for these values too."""
        known = self._types.get(name)
        if values.dtype != object:
            return INT64 if values.dtype.kind in "iu" else DOUBLE
        kinds = {type(value) for value in values.tolist()} - {type(None)}
        if kinds <= {int}:
            plain = [value for value in values.tolist() if value is not None]
            fits = not plain or (min(plain) >= -(2**63) and max(plain) < 2**63)
            found = INT64 if fits else DECIMAL
        elif kinds <= {int, float}:
            found = DOUBLE
        else:
            found = pyarrow.bool_() if kinds == {bool} else TEXT
        if known in WIDER and found in WIDER:
            return max(known, found, key=WIDER.index)
        return found if known is None or known == found else TEXT

    def _open(self, again: bool) -> None:
        """Begins the file, with what it had so far if it is begun again."""
        if not again:
            self._writer = self._begun()
            return
        if not self.file.readable():
            raise WriteError("a figure is beyond 64 bits, and what is written cannot be read back: -o rows.parquet")
        self._writer.close()
        with TemporaryFile(dir=os.path.dirname(os.path.realpath(self.path)) or None) as earlier:
            self.file.seek(0)
            while part := self.file.read(2**20):
                earlier.write(part)
            earlier.seek(0)
            self.file.seek(0)
            self.file.truncate()
            self._writer = self._begun()
            old = parquet.ParquetFile(earlier)
            for group in range(old.num_row_groups):
                self._writer.write_table(old.read_row_group(group).cast(self._schema()), row_group_size=GROUP)

    def _begun(self) -> Any:
        """Returns the writer of a new file. Figures mostly differ from row to row: a dictionary of them would take most
        of the time, and only grow the file."""
        doubles = [name for name, kind in self._types.items() if kind == DOUBLE]
        return parquet.ParquetWriter(
            self.file,
            self._schema(),
            compression="zstd",
            use_dictionary=[*self.request.axes],
            use_byte_stream_split=doubles or False,
        )

    def _schema(self) -> Any:
        return pyarrow.schema(list(self._types.items()))


def _array(values: Any, kind: Any, name: str) -> Any:
    if values.dtype != object:
        return pyarrow.array(values, type=kind)
    listed: Sequence[Any] = values.tolist()
    if kind == TEXT:
        return pyarrow.array([None if value is None else str(value) for value in listed], type=kind)
    if kind == DECIMAL and (too_large := next((value for value in listed if abs(value) >= MOST), None)) is not None:
        raise WriteError(f"{name} is {too_large}, and Parquet's decimals have 38 digits: write a .csv or .json file")
    return pyarrow.array(listed, type=kind)
