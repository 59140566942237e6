"""graphacct draw."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli import waiting
from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, PAIRS, QUANTITIES, SIZE, account_options, arguments
from graphacct.cli.output import drawing, say_keys
from graphacct.cli.parameter_types import OutputPath

OWN = ("model", "output", "color_by", "depth", "unroll", "views")
"""The options that a report has not."""


@click.command("draw", cls=Command)
@MODEL_ARGUMENT
@account_options
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
    required=True,
    metavar="FILE",
    help="Where to; .svg, .png, .pdf, .dot, .html (a page to explore) or a plugin's ending gives the format.",
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
    """A picture of MODEL: its scopes as nested clusters, repeated blocks once, coloured by where the cost is; or, as
    .html, a page to explore and to compute with."""
    import warnings
    from functools import partial

    from graphacct.display import rendered
    from graphacct.files import write
    from graphacct.verbs.account import account
    from graphacct.verbs.page import branches_of

    given = arguments(options)
    plugins = given["plugins"]
    form = drawing(output, plugins)
    asked: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views}
    if "branches" in form.options:
        others = {name: value for name, value in given.items() if name != "plugins"}
        asked |= {"branches": partial(branches_of, model, others, plugins), "command": _command(model)}
    asked["plugins"] = plugins
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: _warn(message)
        report = account(model, **given)
        write(output, rendered(form, report, asked, plugins.origin("outputs", form.name)))
    say_keys(report.model, report.config_keys)
    waiting.end()
    click.echo(f"{report.model}: {output}", err=True)


def _command(model: str) -> list[tuple[str, str]]:
    """Returns what a reader types for this report, in words: the name of the keyword or key that each gives, and its
    text."""
    import shlex

    context = click.get_current_context()
    found = [("", "graphacct report"), ("", shlex.quote(model))]
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name in OWN or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        given = context.params[name]
        for each in given if getattr(option, "multiple", False) else [given]:
            key, text = (each[0], f"{each[0]}={_text(each[1])}") if name in PAIRS else (name, _text(each))
            found.append((key, f"{option.opts[0]} {shlex.quote(text)}"))
    return found


def _text(value: Any) -> str:
    """Returns the value of an option as it is typed."""
    import json

    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _warn(message: Warning | str) -> None:
    """Prints a warning as other messages are printed; most pictures have none."""
    from graphacct.cli.errors import say, with_dashes

    say(f"warning: {with_dashes(str(message))}")
