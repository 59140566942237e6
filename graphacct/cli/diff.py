"""graphacct diff."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import BYTES, OUTPUT, SIZE, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, say_keys


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@account_options
@click.option("--quantity", default="flops", metavar="NAME", help="What the table shows.  [default: flops]")
@click.option(
    "--fail-if",
    multiple=True,
    metavar="CONDITION",
    help="Exit with 1 if it holds: 'flops > +3%', 'params > 1e6', 'peak_bytes > 1GiB'. Repeatable.",
)
@click.option("--depth", type=SIZE, metavar="N", help="Levels of scopes.  [default: as many as fit in 30 lines]")
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(
    a: str,
    b: str,
    quantity: str,
    fail_if: tuple[str, ...],
    depth: int | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> int:
    """Which nodes of two models differ under one workload: added, removed, changed, and what that costs.

    In a CONDITION a name is the change of that quantity from A to B: in per cent of A's if a percentage stands in the
    comparison, else in its own unit.
    """
    from graphacct.api import diff
    from graphacct.cli.errors import say
    from graphacct.render.diff import columns, holding, records, sheet, to_dict

    form = format_of(format_, output)
    found = diff(a, b, quantity=quantity, fail_if=fail_if, **arguments(options))
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    elif form == "csv":
        from graphacct.render.csv import table

        for report in (found.first, found.other):
            say_keys(report.model, report.config_keys)
        give(table(records(found), columns(found)), output)
    else:
        give_sheet(sheet(found, depth, bytes_ == "binary"), form, output)
    for sentence in holding(found):
        say(sentence)
    return 1 if found.failing else 0
