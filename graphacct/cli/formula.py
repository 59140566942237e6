"""graphacct formula."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli import completion
from graphacct.cli.help import Command
from graphacct.cli.options import DEPTH, MODEL_ARGUMENT, OUTPUT, QUANTITIES, account_options, arguments, format_option
from graphacct.cli.output import give, width
from graphacct.cli.parameter_types import OneOf

FORMATS = ("text", "latex", "markdown", "python", "json")
ENDINGS = {"tex": "latex", "md": "markdown", "markdown": "markdown", "py": "python", "json": "json", "txt": "text"}


@click.command("formula", cls=Command)
@MODEL_ARGUMENT
@click.argument("node", required=False)
@click.option(
    "--quantity",
    metavar="NAME[,NAME]",
    help="What to give formulas of.  [default: params,flops]",
    shell_complete=QUANTITIES,
)
@click.option("--by", type=OneOf(("scope",)), help="One formula for each scope at --depth, which sum to the whole.")
@DEPTH
@click.option(
    "--symbols",
    metavar="NAME[,NAME]",
    shell_complete=completion.sizes,
    help="The sizes that stay symbols.  [default: all]",
)
@click.option("--exponents", is_flag=True, help="Also by how many % a figure grows when a size grows by 1 %.")
@account_options
@format_option(*FORMATS)
@OUTPUT
def command(
    model: str,
    node: str | None,
    quantity: str | None,
    by: str | None,
    depth: int | None,
    symbols: str | None,
    exponents: bool,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """The closed formula of a figure of MODEL in its own sizes, or of its part NODE (a node, a scope or a glob).

    Every size of the workload and of the configuration is a symbol, unless --symbols names those that are. Sizes that
    are given have that value where the formula's value is stated.
    """
    from graphacct.render import formula as render
    from graphacct.verbs.formula import formula

    form = _format(format_, output)
    quantities = quantity.split(",") if quantity is not None else None
    names = symbols.split(",") if symbols is not None else None
    found: Any = formula(model, node, quantity=quantities, by=by, depth=depth, symbols=names, **arguments(options))
    formulas = tuple(found)
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(render.to_dict(formulas)), output)
    elif form == "latex":
        give(render.to_latex(formulas), output)
    elif form == "markdown":
        give(render.to_markdown(formulas, exponents), output)
    elif form == "python":
        give(render.to_python(formulas), output)
    else:
        give(render.to_text(formulas, exponents, min(width(output) or render.WIDTH, render.WIDTH)), output)


def _format(asked: str | None, output: str | None) -> str:
    """Returns the format that was asked for, or else that of the file's ending."""
    if asked or output is None or output == "-":
        return asked or FORMATS[0]
    ending = output.rpartition(".")[2].lower() if "." in output else "txt"
    if ending not in ENDINGS:
        from graphacct.errors import suggest

        raise click.UsageError(
            f"no format ends in {'.' + ending!r} (of {output!r}){suggest(ending, ENDINGS)}; or say it with --format",
            click.get_current_context(silent=True),
        )
    return ENDINGS[ending]
