"""Files in and out: bounded reading of JSON, and writing that leaves no partial file behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from graphacct.errors import ReadError, WriteError

MOST_BYTES = 512 * 2**20
"""The largest JSON file that is read; a graph of a million nodes has about 300 MB."""


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises ReadError, which names the file and the place, for a file that is missing, too large, no JSON, nested too
    deep, or with numbers that no size can be (NaN, a million digits).
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ReadError(f"{path}: {size:,} bytes is more than the {MOST_BYTES:,} that are read")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: is no UTF-8 text (byte {error.start})") from error
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ReadError(f"{path}: is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ReadError(f"{path}: is nested too deep") from error
    except ValueError as error:
        raise ReadError(f"{path}: has a number that cannot be read: {str(error).split(':')[0]}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a whole file or none: the content goes to a file beside it, which then takes its place.

    Raises WriteError, which names the path, when that cannot be done.
    """
    target = Path(path)
    partial = target.parent / f".{target.name}.{os.getpid()}.partial"
    data = content.encode() if isinstance(content, str) else content
    try:
        if target.is_dir():
            raise WriteError(f"cannot write {str(target)!r}: it is a folder")
        if target.exists() and not target.is_file():  # a device or a pipe, such as /dev/stdout
            target.write_bytes(data)
            return
        partial.write_bytes(data)
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WriteError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
