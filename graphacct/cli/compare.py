"""graphacct compare."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli import completion
from graphacct.cli.help import Command
from graphacct.cli.options import BYTES, DEPTH, OUTPUT, QUANTITIES, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, say_keys
from graphacct.cli.parameter_types import Named, OneOf, OutputPath
from graphacct.phases import TRAIN


@click.command("compare", cls=Command)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=completion.models)
@click.option(
    "--over",
    multiple=True,
    type=Named("SIZE=VALUES", "seq_len=1k,4k,16k"),
    metavar="SIZE=VALUES",
    shell_complete=completion.axes,
    help="Several sizes of one model: seq_len=1k,4k,16k; batch=1:8:1; d_model=512:2k:256, the end too.",
)
@account_options
@click.option(
    "--quantity", default="flops", metavar="NAME", help="What to compare.  [default: flops]", shell_complete=QUANTITIES
)
@click.option("--by", type=OneOf(("scope", "operator", "role")), help="[default: scope; role with --plot]")
@click.option(
    "--plot",
    type=OutputPath(),
    metavar="FILE",
    help="Draw the shares of roles too: bars, or lines over sizes. .png, .svg or .pdf (extra plot).",
)
@click.option(
    "--against",
    metavar="NAME",
    help="In place of shares, plot the quantity against another one: params.",
    shell_complete=QUANTITIES,
)
@click.option("--width-cm", type=float, metavar="CM", help="The plot's width.  [default: 22.86; with --against 20.32]")
@DEPTH
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(
    models: tuple[str, ...],
    over: tuple[tuple[str, str], ...],
    quantity: str,
    by: str | None,
    plot: str | None,
    against: str | None,
    width_cm: float | None,
    depth: int | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """Several models side by side under one workload, or one model at several sizes (--over): one quantity of each
    scope, operator or role, and its share of the model's total.

    Roles are the same for every family: embedding, attention, mlp, experts, router, norms, head, loss, other.
    """
    from graphacct.verbs.compare import compare

    form = format_of(format_, output)
    if len(over) > 1:
        names = " and ".join(f"--over {name}" for name, _ in over)
        raise click.UsageError(f"{names}: one size at a time", click.get_current_context(silent=True))
    for option, given_value in (("--against", against), ("--width-cm", width_cm)):
        if given_value is not None and plot is None:
            raise click.UsageError(f"{option} is of a plot: add --plot FILE", click.get_current_context(silent=True))
    if plot is not None:
        from graphacct.render.plotting import check_ending

        check_ending(plot)
    sizes = dict(over) or None
    by = by or ("scope" if plot is None else "role")
    of_steps = against is not None and over and options["phase"] == TRAIN
    others = (against, "params") if of_steps else None  # which alone would lack it
    given = {"quantity": quantity, "by": by, "depth": depth, "quantities": others, **arguments(options)}
    found = compare(*models, over=sizes, **given)
    if plot is not None:
        found.plot(plot, against, width_cm)
    if form == "csv":
        for report in found.reports if sizes is None else found.reports[:1]:
            say_keys(report.model, report.config_keys)
    if form in ("json", "csv"):
        give(found.json() if form == "json" else found.csv(), output)
    else:
        give_sheet(found.sheet(bytes_ == "binary"), form, output)
