"""graphacct list."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import OUTPUT, format_option, plugin_options, plugins
from graphacct.cli.output import FORMATS, format_of, give_rows
from graphacct.errors import UnknownNameError, brief, suggest
from graphacct.render.catalogue import KINDS, catalogue


@click.command("list", cls=Command)
@click.argument("words", nargs=-1, metavar="[KIND] [WORD]...")
@plugin_options
@format_option(*FORMATS)
@OUTPUT
def command(words: tuple[str, ...], format_: str | None, output: str | None, **options: Any) -> None:
    """What there is to use: architectures (the default), operators, conventions, quantities, profiles, readers,
    transforms, optimizers, recompute-policies, weight-formats, devices, outputs, commands or plugins.

    With words, what has each of them in its name. A model is also found by its family and by its names on the
    Hugging Face Hub, and shown with its parameters: `graphacct list qwen3 8b`.

    JSON shows the whole of it, the keys and values of each architecture's configuration (for --set) among them.
    """
    form = format_of(format_, output)
    kind, words = (words[0], words[1:]) if words and words[0] in KINDS else (KINDS[0], words)
    if kind == "plugins" and not words:
        from graphacct.cli.plugins import show

        show(form, output, options)
        return
    try:
        rows = catalogue(kind, plugins(options), words, whole=form in ("json", "csv"))
    except UnknownNameError:
        meant = suggest(words[0], KINDS) if kind == KINDS[0] else ""
        if not meant:
            raise
        raise click.UsageError(f"{brief(words[0])} is no kind, and no model has such a name{meant}") from None
    give_rows(kind, rows, form, output)
