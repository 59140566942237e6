"""graphacct draw."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, QUANTITIES, SIZE, account_options, arguments
from graphacct.cli.output import drawing, say_keys
from graphacct.cli.parameter_types import OutputPath


@click.command("draw", cls=Command)
@MODEL_ARGUMENT
@account_options
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
    required=True,
    metavar="FILE",
    help="Where to; .svg, .png, .pdf, .dot or a plugin's ending gives the format.",
)
@click.option(
    "--color-by",
    default="flops",
    metavar="QUANTITY",
    help="What the heat shows.  [default: flops]",
    shell_complete=QUANTITIES,
)
@click.option("--depth", type=SIZE, metavar="N", help="Levels of scopes to open.  [default: what fits a screen]")
@click.option("--unroll", is_flag=True, help="Draw every repetition of a block.")
@click.option("--views", is_flag=True, help="Draw views too (reshapes, transposes), which cost nothing.")
def command(
    model: str, output: str, color_by: str, depth: int | None, unroll: bool, views: bool, **options: Any
) -> None:
    """A picture of MODEL: its scopes as nested clusters, repeated blocks once, coloured by where the cost is."""
    import warnings

    from graphacct.display import rendered
    from graphacct.files import write
    from graphacct.verbs.account import account

    given = arguments(options)
    form = drawing(output, given["plugins"])
    asked = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views, "plugins": given["plugins"]}
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: _warn(message)
        report = account(model, **given)
        write(output, rendered(form, report, asked, given["plugins"].origin("outputs", form.name)))
    say_keys(report.model, report.config_keys)
    click.echo(f"{report.model}: {output}", err=True)


def _warn(message: Warning | str) -> None:
    """Prints a warning as other messages are printed; most pictures have none."""
    from graphacct.cli.errors import say, with_dashes

    say(f"warning: {with_dashes(str(message))}")
