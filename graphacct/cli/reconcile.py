"""graphacct reconcile."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import CONVENTIONS, MASK, MODEL_ARGUMENT, OUTPUT, arguments, format_option, memory_options
from graphacct.cli.output import FORMATS, format_of, give, give_sheet


@click.command("reconcile", cls=Command)
@MODEL_ARGUMENT
@click.option(
    "--between", default="exact", metavar="NAME", shell_complete=CONVENTIONS, help="A convention.  [default: exact]"
)
@click.option(
    "--and",
    "and_",
    required=True,
    metavar="NAME",
    shell_complete=CONVENTIONS,
    help="Another one (list conventions), or NAME:MASK.",
)
@memory_options
@MASK
@format_option(*FORMATS)
@OUTPUT
def command(model: str, between: str, and_: str, format_: str | None, output: str | None, **options: Any) -> None:
    """Why two conventions give a training step of MODEL different FLOPs: the terms sum to the difference.

    With --phase forward, why they give a forward pass different ones.
    """
    from graphacct.render.reconciliation import records, sheet, to_dict
    from graphacct.verbs.reconcile import reconcile

    form = format_of(format_, output)
    found = reconcile(model, between=between, and_=and_, **arguments(options))
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    elif form == "csv":
        from graphacct.render.csv import table

        give(table(records(found)), output)
    else:
        give_sheet(sheet(found), form, output)
