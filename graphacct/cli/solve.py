"""graphacct solve."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli import completion
from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, OUTPUT, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheet


@click.command("solve", cls=Command)
@MODEL_ARGUMENT
@click.option(
    "--for",
    "for_",
    required=True,
    metavar="SIZE",
    shell_complete=completion.sizes,
    help="One of the workload, or a key of the config.",
)
@click.option("--where", multiple=True, required=True, metavar="CONDITION", help="Repeatable: all are to hold.")
@click.option("--max", "max_", is_flag=True, help="The largest size at which they hold.")
@click.option("--min", "min_", is_flag=True, help="The smallest size at which they hold.")
@click.option("--range", "range_", metavar="START:STOP[:STEP]", help="Among these sizes alone, STOP too.")
@account_options
@format_option(*FORMATS)
@OUTPUT
def command(
    model: str,
    for_: str,
    where: tuple[str, ...],
    max_: bool,
    min_: bool,
    range_: str | None,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """The size of MODEL at which conditions hold: whole, found by a search and checked on both sides of it.

    A condition compares quantities and sizes: "params <= 1.5e9". flops(attention) is a quantity of a role, and
    flops("*.mlp") one of scopes. Without --max and --min it is an equality, "flops(attention) == flops(mlp)": the
    smallest size at which the left side reaches the right one.
    """
    from graphacct.render.solution import records, sheet, to_dict
    from graphacct.verbs.solve import solve

    form = format_of(format_, output)
    found = solve(model, for_=for_, where=where, max=max_, min=min_, range_=range_, **arguments(options))
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    elif form == "csv":
        from graphacct.render.csv import table

        give(table(records(found)), output)
    else:
        give_sheet(sheet(found), form, output)
