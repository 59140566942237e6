"""Files: JSON is read within limits, and a file is written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

from graphacct.errors import ReadError, WriteError

MOST_BYTES = 512 * 2**20
"""The largest JSON file that is read; a graph of a million nodes has about 300 MB."""


def read_json(
    path: str | os.PathLike[str],
    most_bytes: int = MOST_BYTES,
    constants: Callable[[str], Any] | None = None,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """Returns the value in a JSON file. NaN and Infinity are not JSON, but Python writes them: `constants` turns their
    names into values. `pairs` makes each object of its keys and values; a dict, if it is not given.

    Raises ReadError, which names the file and the place, for a file that is missing, too large, not JSON or nested too
    deep, or that holds numbers that cannot be sizes (NaN, a million digits).
    """
    try:
        size = os.stat(path).st_size
        if size > most_bytes:
            raise ReadError(f"{path}: {size:,} bytes is more than the {most_bytes:,} that are read")
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: is no UTF-8 text (byte {error.start})") from error
    try:
        return json.loads(text, parse_constant=constants or _refuse, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise ReadError(f"{path}: is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ReadError(f"{path}: is nested too deep") from error
    except ValueError as error:
        raise ReadError(f"{path}: has a number that cannot be read: {str(error).split(':')[0]}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes a file whole or not at all: the content goes to a temporary file beside it, which then replaces it.

    Raises WriteError, which names the path, if that fails.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], instead: Callable[[], str] = str) -> Iterator[BinaryIO]:
    """Opens a new file that takes the place of `path` at the end, if nothing is raised until then. An error, or an
    interrupt, leaves nothing behind. At the end `instead` may return another path, whose place it then takes.

    Raises WriteError, which names the path, if the file cannot be written.
    """
    shown = os.fspath(path)
    try:
        target = os.path.realpath(shown)  # a link stays a link, and its target is written
        if os.path.isdir(target):
            raise WriteError(f"cannot write {shown!r}: it is a folder")
        if _is_stream(shown, target):
            with open(shown, "ab") as stream:  # append, because >> may have opened the file behind /dev/stdout
                yield stream
            return
        with _beside(target, instead) as file:
            yield file
    except (OSError, ValueError) as error:
        raise WriteError(f"cannot write {shown!r}: {getattr(error, 'strerror', None) or error}") from error


@contextlib.contextmanager
def _beside(target: str, instead: Callable[[], str]) -> Iterator[BinaryIO]:
    """Opens a new file beside `target`, which then takes its place and its permissions.

    The name is random and the file must not exist: another thread's has another name, and a link that somebody put
    there is not followed. A new file gets the permissions that the umask leaves.
    """
    folder, name = os.path.split(target)
    partial = os.path.join(folder, f".{name[:50]}.{os.urandom(8).hex()}.partial")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "r+b") as file:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
            yield file
        os.replace(partial, instead() or target)
    except BaseException:  # an interrupt leaves nothing behind either
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _is_stream(path: str, target: str) -> bool:
    """Returns whether a path is a device, a pipe, or an open stream (/dev/stdout, /dev/fd/3), even one on a file."""
    opened = os.path.abspath(path)
    if opened in ("/dev/stdout", "/dev/stderr") or opened.startswith(("/dev/fd/", "/proc/")):
        return True
    return os.path.exists(target) and not os.path.isfile(target)
