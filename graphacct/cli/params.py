"""graphacct params."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import BYTES, MODEL_ARGUMENT, OUTPUT, arguments, format_option, model_options
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, say_keys


@click.command("params", cls=Command)
@MODEL_ARGUMENT
@model_options
@click.option("--expand", is_flag=True, help="Write the * of repeated blocks out as indices.")
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(model: str, expand: bool, bytes_: str, format_: str | None, output: str | None, **options: Any) -> None:
    """The tensors of MODEL's checkpoint, named as in its state_dict; tied ones and buffers are marked."""
    from graphacct.verbs.account import account

    form = format_of(format_, output)
    given = arguments(options)
    report = account(model, unknown="report", **given)
    if expand:
        from graphacct.render.checkpoint import expanded

        report = expanded(report, given["plugins"])
    if form in ("json", "csv"):
        say_keys(report.model, report.config_keys)
    if form == "json":
        from graphacct.render.checkpoint import to_dict
        from graphacct.render.json import to_json

        give(to_json(to_dict(report)), output)
    elif form == "csv":
        from graphacct.render.csv import csv

        give(csv(report, "parameter"), output)
    else:
        from graphacct.render.sheet import sheet

        give_sheet(sheet(report, "parameter", binary=bytes_ == "binary"), form, output)
