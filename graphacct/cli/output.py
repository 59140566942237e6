"""Where a command's result goes: to the terminal, or into a file, which is written whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from graphacct.cli import waiting
from graphacct.errors import RenderError, WriteError, brief, suggest

if TYPE_CHECKING:
    from graphacct.display import Output as Form
    from graphacct.graph.config_keys import ConfigKeys
    from graphacct.hooks.manager import Plugins
    from graphacct.render.sheet_parts import Sheet

_PLAIN = str.maketrans(dict(zip("─×–…█▏▎▍▌▋▊▉", "-x-~#       ", strict=True)))
FORMATS = ("table", "json", "csv", "markdown")
TABLE = "graphacct.render.table:table"
"""The function of the table, which a terminal shows in its width and colours."""
ENDINGS = {"json": "json", "csv": "csv", "md": "markdown", "markdown": "markdown", "txt": "table", "text": "table"}


def format_of(asked: str | None, output: str | None, formats: tuple[str, ...] = FORMATS) -> str:
    """Returns the requested format, or else that of the output file's ending, or else the first."""
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


def reporting(asked: str | None, output: str | None, plugins: Plugins) -> Form:
    """Returns the output of `report` with the requested name, or for the file's ending, or else the first: the
    table."""
    from graphacct.display import REPORT, by_ending, of_command

    known = of_command(REPORT, plugins.outputs)
    problem = ""
    if asked is not None:
        if asked in known:
            return known[asked]
        problem = f"--format {brief(asked)} is no choice{suggest(asked, known)}"
    else:
        name = os.path.basename(output or "-")
        endings = by_ending(REPORT, plugins.outputs)
        ending = os.path.splitext(name)[1].lower()
        if not ending and "." not in name:
            return next(iter(known.values()))
        if ending in endings:
            return endings[ending]
        problem = f"no format ends in {ending!r} (of {output!r}){suggest(ending, endings)}; or say it with --format"
    raise click.UsageError(problem, click.get_current_context(silent=True))


def drawing(output: str, plugins: Plugins) -> Form:
    """Returns the output of `draw` for a file's ending. Raises RenderError for an unknown ending."""
    from graphacct.display import DRAW, by_ending

    endings = by_ending(DRAW, plugins.outputs)
    ending = os.path.splitext(output)[1].lower()
    if ending not in endings:
        said = f"{ending!r} is not known" if ending else "there is none"
        raise RenderError(f"{output!r}: the suffix says the format, and {said}; known: {', '.join(endings)}")
    return endings[ending]


def give(content: str | bytes, output: str | None) -> None:
    """Prints a text, or writes it to a file; bytes are written as they are."""
    whole = content if isinstance(content, bytes) or content.endswith("\n") else f"{content}\n"
    if output is not None and output != "-":
        from graphacct.files import write

        write(output, whole)
    elif isinstance(whole, bytes):
        _stdout().buffer.write(whole)
    else:
        _stdout().write(_encodable(whole))


def give_sheet(sheet: Sheet, form: str, output: str | None) -> None:
    """Prints a sheet as Markdown or as a table, which has colour on a terminal and plain characters in a file."""
    give_sheets([sheet], form, output)


def give_sheets(sheets: Sequence[Sheet], form: str, output: str | None) -> None:
    """Prints or writes several sheets, one below the other."""
    if form == "markdown":
        from graphacct.render.markdown import to_markdown

        give("\n".join(map(to_markdown, sheets)), output)
        return
    from graphacct.render.table import WIDTH, show, to_text

    if output is not None and output != "-":
        give("\n\n".join(map(to_text, sheets)), output)
    elif not _stdout().isatty():
        give("\n\n".join(to_text(sheet, _columns() or WIDTH) for sheet in sheets), None)
    else:
        from rich.console import Console

        console = Console()
        for place, sheet in enumerate(sheets):
            if place:
                console.print()
            show(sheet, console)


def say_keys(model: str, keys: ConfigKeys | None) -> None:
    """Prints on standard error what a reader must know of the keys of a model's config.json, for outputs that cannot
    say it."""
    for note in () if keys is None else keys.notes():
        from graphacct.cli.errors import say

        say(f"{model}: {note}")


def give_rows(
    kind: str, rows: list[dict[str, Any]], form: str, output: str | None, problems: Sequence[str] = ()
) -> None:
    """Prints or writes the catalogue's rows of a kind, and the conflicts among them."""
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json({"schema": "graphacct.list/1", "kind": kind, "items": rows}), output)
    elif form == "csv":
        from graphacct.render.csv import table

        give(table(rows), output)
    else:
        from graphacct.render.listing import sheet

        give_sheet(sheet(kind, rows, problems), form, output)


def _stdout() -> TextIO:
    """Returns standard output, unless the caller closed it."""
    waiting.end()
    stream: TextIO | None = sys.stdout
    if stream is None or stream.closed:
        raise WriteError("cannot write the output: standard output is closed; -o FILE writes to a file")
    return stream


def width(output: str | None) -> int | None:
    """Returns the width of the terminal, or that in the variable COLUMNS; None for a file and a pipe without it."""
    if output is not None and output != "-":
        return None
    if not _stdout().isatty():
        return _columns() or None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _columns() -> int:
    """Returns the width in the variable COLUMNS, or 0 without one."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0


def _encodable(text: str) -> str:
    """Returns text that standard output can encode: bars and rules become plain characters if necessary."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
