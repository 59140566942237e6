"""graphacct draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphacct.cli import waiting
from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, PAIRS, QUANTITIES, SIZE, account_options, arguments
from graphacct.cli.output import drawing, say_keys
from graphacct.cli.parameter_types import OneOf, OutputPath

if TYPE_CHECKING:
    from graphacct.display import Output

LOOK = ("orientation", "font_size", "grey", "fields", "scope", "width_cm", "bare")
"""The options of a picture in a file, which a page does not have."""
OWN = ("model", "output", "color_by", "depth", "unroll", "views", *LOOK)
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
@click.option(
    "--scope",
    metavar="GLOB",
    help="Draw one scope only, as 'model.layers.*' (repetitions summed) or layers.0 (one of them).",
)
@click.option(
    "--fields", metavar="QUANTITIES", help="What the boxes show, as params,read_bytes.  [default: params,flops]"
)
@click.option("--orientation", type=OneOf(("top-down", "left-right")), default="top-down", help="[default: top-down]")
@click.option("--font-size", type=SIZE, default=9, metavar="POINTS", help="Of the text in the boxes.  [default: 9]")
@click.option("--grey", is_flag=True, help="Greys of the same lightness in place of colours.")
@click.option("--width-cm", type=float, metavar="CM", help="The picture's width.  [default: as its text is large]")
@click.option("--bare", is_flag=True, help="Without title and legend, which a paper's caption replaces.")
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

    look = {name: options.pop(name) for name in LOOK}
    look["fields"] = None if look["fields"] is None else [name.strip() for name in look["fields"].split(",")]
    given = arguments(options)
    plugins = given["plugins"]
    form = drawing(output, plugins)
    asked: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views}
    asked |= look
    _check(form, output)
    if "branches" in form.options:
        others = {name: value for name, value in given.items() if name != "plugins"}
        asked |= {"branches": partial(branches_of, model, others, plugins), "command": _command(model)}
    asked["plugins"] = plugins
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        report = account(model, **given)
        write(output, rendered(form, report, asked, plugins.origin("outputs", form.name)))
    say_keys(report.model, report.config_keys)
    waiting.end()
    click.echo(f"{report.model}: {output}", err=True)


def _check(form: Output, output: str) -> None:
    """Raises a UsageError for an option of pictures that is given for another format."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if name in LOOK and name not in form.options and given:
            raise click.UsageError(
                f"{option.opts[0]} is for pictures (.svg, .png, .pdf, .dot), not for {output}", context
            )


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
