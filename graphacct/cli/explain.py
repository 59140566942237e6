"""graphacct explain."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, OUTPUT, QUANTITIES, account_options, arguments, format_option
from graphacct.cli.output import format_of, give, say_keys, width


@click.command("explain", cls=Command)
@MODEL_ARGUMENT
@click.argument("node")
@account_options
@click.option("--quantity", metavar="NAME", help="The one to explain.  [default: all]", shell_complete=QUANTITIES)
@format_option("text", "json")
@OUTPUT
def command(
    model: str, node: str, quantity: str | None, format_: str | None, output: str | None, **options: Any
) -> None:
    """Where the numbers of NODE of MODEL come from: the formula, the values put in, the convention and the source.

    NODE is a path as the reports show it, in quotes where it has a star ('transformer.h.*.attn.c_attn'), one with an
    index for the star, or the end of one that only one node has (mlp.c_fc).
    """
    from graphacct.explanations.explanation import explain
    from graphacct.verbs.account import account

    form = format_of(format_, output, ("text", "json"))
    given = arguments(options)
    report = account(model, **given)
    explanation = explain(report, node, quantity, given["plugins"])
    say_keys(report.model, report.config_keys)
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json({"schema": "graphacct.explanation/1", **explanation.to_dict()}), output)
        return
    from graphacct.render.explanation import to_text

    give(to_text(explanation, width(output)), output)
