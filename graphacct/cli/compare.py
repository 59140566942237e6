"""graphacct compare."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import BYTES, DEPTH, OUTPUT, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, say_keys
from graphacct.cli.parameter_types import OneOf


@click.command("compare")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@account_options
@click.option("--quantity", default="flops", metavar="NAME", help="What to compare.  [default: flops]")
@click.option("--by", type=OneOf(("scope", "operator")), default="scope", help="[default: scope]")
@DEPTH
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(
    models: tuple[str, ...],
    quantity: str,
    by: str,
    depth: int | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """Several models side by side: one quantity of each scope or operator, and its share of the model's total."""
    from graphacct.api import account
    from graphacct.render.compare import compare

    form = format_of(format_, output)
    given = arguments(options)
    reports = [account(model, **given) for model in models]
    comparison = compare(reports, quantity, by, depth)
    for report in reports if form == "csv" else ():
        say_keys(report.model, report.config_keys)
    if form in ("json", "csv"):
        give(comparison.json() if form == "json" else comparison.csv(), output)
    else:
        give_sheet(comparison.sheet(bytes_ == "binary"), form, output)
