"""graphacct plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from graphacct.cli.options import OUTPUT, format_option, plugin_options
from graphacct.cli.output import FORMATS, format_of, give_rows


@click.command("plugins")
@plugin_options
@format_option(*FORMATS)
@OUTPUT
def command(format_: str | None, output: str | None, **options: Any) -> None:
    """Each plugin, where it comes from and what it registers; a broken one is listed with its error."""
    show(format_of(format_, output), output, options)


def show(form: str, output: str | None, options: Mapping[str, Any]) -> None:
    """Prints or writes the plugins; exits with status 1 if one of them is broken."""
    from graphacct.errors import PluginError
    from graphacct.hooks.manager import load
    from graphacct.render.catalogue import catalogue, conflicts, failures

    failed: list[tuple[str, str, PluginError]] = []
    loaded = load(options["block"], options["plugin"], failed)
    rows = catalogue("plugins", loaded) + failures(failed)
    broken = [row["name"] for row in rows if row["error"]]
    problems = [] if broken else conflicts(loaded)
    give_rows("plugins", rows, form, output, problems)
    if broken or problems:
        raise PluginError("; ".join(problems) or f"broken: {', '.join(broken)}")
