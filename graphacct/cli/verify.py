"""graphacct verify."""

from __future__ import annotations

import os
from typing import Any

import click

from graphacct.cli.options import OUTPUT, arguments, format_option, model_options
from graphacct.cli.output import format_of, give, give_sheet


@click.command("verify")
@click.argument("model")
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="A .safetensors file, the index of a sharded one, or a folder with either.  [default: MODEL, a folder]",
)
@model_options
@format_option("table", "json")
@OUTPUT
def command(model: str, checkpoint: str | None, format_: str | None, output: str | None, **options: Any) -> None:
    """Whether a checkpoint has the tensors that MODEL has: names and shapes, from the files' headers alone.

    The exit status is 1 where they differ.
    """
    from graphacct.api import account
    from graphacct.checkpoints.safetensors import tensors
    from graphacct.checkpoints.verify import verify
    from graphacct.render.checkpoint import expanded
    from graphacct.render.verification import sheet, to_dict

    form = format_of(format_, output, ("table", "json"))
    if checkpoint is None and not os.path.isdir(model):
        raise click.UsageError("--checkpoint says which file to compare with", click.get_current_context(silent=True))
    given = arguments(options)
    report = expanded(account(model, unknown="report", **given), given["plugins"])
    where = checkpoint or model
    found = verify(report, tensors(where), given["plugins"])
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    else:
        give_sheet(sheet(found, where), form, output)
    if not found.equal:
        click.get_current_context().exit(1)
