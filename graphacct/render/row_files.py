"""The file that a sweep's rows go to: its format, and that it is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias

import attrs

from graphacct.errors import ConfigError, WriteError, suggest
from graphacct.files import replacing
from graphacct.render.row_file import CsvFile, JsonFile, RowFile
from graphacct.sweeping.sweep import Request, Sweep

FORMATS = ("csv", "json", "parquet")
Output: TypeAlias = "str | os.PathLike[str] | BinaryIO"
Run: TypeAlias = Callable[[RowFile, Callable[[str], Any] | None], Sweep]
"""Runs a sweep into a file. The function that it is given is called if it ends early, with the reason."""


def form_of(output: Output, form: str = "") -> str:
    """Returns the format of a file by its ending, unless it is given. Raises ConfigError for an unknown one."""
    path = "" if hasattr(output, "write") else os.fspath(output)
    found = form or os.path.splitext(str(path))[1].lower().removeprefix(".")
    if found not in FORMATS:
        raise ConfigError(
            f"rows are written as .csv, .json or .parquet, not {str(path) or found!r}{suggest(found, FORMATS)}"
        )
    return found


def written(run: Run, output: Output, request: Request, form: str = "") -> Sweep:
    """Runs a sweep whose rows go to a file, and returns it.

    An error or an interrupt leaves no file, and an earlier file of the name as it was. If the disk is nearly full, or a
    cluster is lost, the rows so far are finished beside it, as `rows.unfinished.csv`, and WriteError says so.
    """
    kind = _kind(form_of(output, form))
    if hasattr(output, "write"):
        return _ran(run, kind(output, "", request), None)
    path = os.fspath(output)
    base, ending = os.path.splitext(path)
    other = f"{base}.unfinished{ending}"
    reasons: list[str] = []
    with replacing(path, lambda: os.path.realpath(other) if reasons else "") as file:
        found = _ran(run, kind(file, path, request), reasons.append)
    if reasons:
        raise WriteError(
            f"{reasons[0]}: {found.rows:,} rows of the first {found.points:,} points of {request.points:,} are in "
            f"{other!r}"
        )
    return attrs.evolve(found, path=path)


def _ran(run: Run, rows: RowFile, stopped: Callable[[str], Any] | None) -> Sweep:
    try:
        return run(rows, stopped)
    except BaseException:  # an interrupt too
        rows.abandon()
        raise


def _kind(form: str) -> Callable[[Any, str, Request], RowFile]:
    if form == "parquet":
        from graphacct.render.parquet import ParquetFile

        return ParquetFile
    return JsonFile if form == "json" else CsvFile
