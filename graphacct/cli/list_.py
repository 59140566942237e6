"""graphacct list."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import OUTPUT, OneOf, format_option, plugin_options, plugins
from graphacct.cli.output import format_of, give, give_sheet

KINDS = ("architectures", "operators", "conventions", "quantities", "readers", "plugins")


@click.command("list", short_help="Models, operators, conventions, quantities, readers, plugins.")
@click.argument("kind", required=False, default="architectures", metavar="[KIND]", type=OneOf(KINDS))
@plugin_options
@format_option("table", "json", "csv", "markdown")
@OUTPUT
def command(kind: str, format_: str | None, output: str | None, **options: Any) -> None:
    """What there is to use: architectures (the default), operators, conventions, quantities, readers or plugins.

    JSON shows the whole of it, the keys and values of each architecture's configuration (for --set) among them.
    """
    form = format_of(format_, output)
    if kind == "plugins":
        from graphacct.cli.plugins import show

        show(form, output, options)
        return
    from graphacct.catalogue import catalogue

    give_rows(kind, catalogue(kind, plugins(options)), form, output)


def give_rows(kind: str, rows: list[dict[str, Any]], form: str, output: str | None, problems: Any = ()) -> None:
    """Print or write the catalogue's rows."""
    if form == "json":
        from graphacct.render.json import text

        give(text({"schema": "graphacct.list/1", "kind": kind, "items": rows}), output)
    elif form == "csv":
        from graphacct.render.csv import table

        give(table(rows), output)
    elif form == "markdown":
        from graphacct.render.listing import sheet
        from graphacct.render.markdown import drawn

        give(drawn(sheet(kind, rows, problems)), output)
    else:
        from graphacct.render.listing import sheet

        give_sheet(sheet(kind, rows, problems), output)
