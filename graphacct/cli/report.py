"""graphacct report."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import BYTES, DEPTH, OUTPUT, OneOf, account_options, arguments
from graphacct.cli.output import TABLE, give, give_sheet, reporting


@click.command("report")
@click.argument("model")
@account_options
@click.option("--by", type=OneOf(("scope", "operator", "parameter")), default="scope", help="[default: scope]")
@DEPTH
@click.option("--columns", metavar="NAMES", help="Quantities of the table, with commas between; share is one too.")
@BYTES
@click.option("--format", "format_", metavar="NAME", help="table, json, csv, markdown or another.  [default: table]")
@OUTPUT
def command(
    model: str,
    by: str,
    depth: int | None,
    columns: str | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """What MODEL costs: parameters, FLOPs, bytes and activations, with the convention and the coverage.

    JSON holds everything (by scope, by operator and by parameter, at every depth) as integers; CSV has integers too.
    Both have a ratio, such as arithmetic_intensity, where --columns names it.
    """
    from graphacct.api import account
    from graphacct.display import written

    given = arguments(options)
    form = reporting(format_, output, given["plugins"])
    report = account(model, **given)
    names = [name.strip() for name in columns.split(",") if name.strip()] if columns else None
    asked: dict[str, Any] = {"by": by, "depth": depth, "columns": names, "binary": bytes_ == "binary"}
    if form.function == TABLE:
        from graphacct.render.sheet import sheet

        give_sheet(sheet(report, **asked), "table", output)
    else:
        give(written(form, report, asked, given["plugins"].origin("outputs", form.name)), output)
