"""graphacct report."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import BYTES, DEPTH, OUTPUT, OneOf, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheet


@click.command("report", short_help="What a model costs, by scope, operator or parameter.")
@click.argument("model")
@account_options
@click.option("--by", type=OneOf(("scope", "operator", "parameter")), default="scope", help="[default: scope]")
@DEPTH
@click.option("--columns", metavar="NAMES", help="Quantities of the table, with commas between; share is one too.")
@BYTES
@format_option(*FORMATS)
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

    form = format_of(format_, output)
    names = [name.strip() for name in (columns or "").split(",") if name.strip()]
    report = account(model, **arguments(options))
    ratios = [name for name in names if name != "share" and report.quantity(name, "column").of_row]
    if form == "json":
        from graphacct.render.json import json

        give(json(report, ratios), output)
    elif form == "csv":
        from graphacct.render.csv import csv

        give(csv(report, by, ratios), output)
    else:
        from graphacct.render.sheet import sheet

        give_sheet(sheet(report, by, depth, names or None, bytes_ == "binary"), form, output)
