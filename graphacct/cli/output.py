"""Where a command's result goes: to the terminal, or whole into a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import click

from graphacct.errors import WriteError, suggest

if TYPE_CHECKING:
    from graphacct.render.sheet import Sheet

_PLAIN = str.maketrans(dict(zip("─×–█▏▎▍▌▋▊▉", "-x-#       ", strict=True)))
ENDINGS = {"json": "json", "csv": "csv", "md": "markdown", "markdown": "markdown", "txt": "table", "text": "table"}


def format_of(
    asked: str | None, output: str | None, formats: tuple[str, ...] = ("table", "json", "csv", "markdown")
) -> str:
    """The format asked for, or else the one that the output file's ending stands for, or else the first."""
    if asked or output is None or output == "-":
        return asked or formats[0]
    if "text" in formats:
        return "json" if output.lower().endswith(".json") else "text"
    ending = output.rpartition(".")[2].lower() if "." in output else "txt"
    found = ENDINGS.get(ending)
    if found not in formats:
        known = [name for name, of in ENDINGS.items() if of in formats]
        raise click.UsageError(
            f"no format ends in {'.' + ending!r} (of {output!r}){suggest(ending, known)}; or say it with --format",
            click.get_current_context(silent=True),
        )
    return found


def give(text: str, output: str | None) -> None:
    """Print a text, or write it to a file."""
    if output is not None and output != "-":
        from graphacct.files import write

        write(output, text if text.endswith("\n") else f"{text}\n")
        return
    _stdout().write(_encodable(text if text.endswith("\n") else f"{text}\n"))


def give_sheet(sheet: Sheet, output: str | None) -> None:
    """Print a sheet, in colour on a terminal, or write it to a file in plain characters."""
    from graphacct.render.table import WIDTH, drawn, show

    if output is not None and output != "-":
        give(drawn(sheet), output)
    elif not _stdout().isatty():
        give(drawn(sheet, _columns() or WIDTH), None)
    else:
        from rich.console import Console

        show(sheet, Console())


def _stdout() -> TextIO:
    """Standard output, unless whoever started the command closed it."""
    stream: TextIO | None = sys.stdout
    if stream is None or stream.closed:
        raise WriteError("cannot write the output: standard output is closed; -o FILE writes to a file")
    return stream


def _columns() -> int:
    """The width that the COLUMNS variable asks for; 0 for none."""
    import os

    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0


def _encodable(text: str) -> str:
    """Text that standard output can encode: bars and rules become plain characters where it cannot."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
