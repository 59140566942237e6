"""graphacct report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import BYTES, DEPTH, MODEL_ARGUMENT, OUTPUT, QUANTITIES, account_options, arguments
from graphacct.cli.output import TABLE, give, give_sheet, reporting, say_keys
from graphacct.cli.parameter_types import OneOf
from graphacct.phases import FORWARD

TABLES = ("table", "markdown", "csv")
"""The formats whose columns can be chosen."""
SAYING = ("table", "markdown", "json")
"""The formats that say what became of the keys of a config.json."""


@click.command("report", cls=Command)
@MODEL_ARGUMENT
@account_options
@click.option("--by", type=OneOf(("scope", "operator", "parameter")), default="scope", help="[default: scope]")
@DEPTH
@click.option(
    "--columns",
    metavar="NAMES",
    help="Those of a table or CSV, with commas between; share is one too.",
    shell_complete=QUANTITIES,
)
@click.option(
    "--quantities",
    metavar="NAMES",
    help="Count these alone, with commas between.  [default: everything]",
    shell_complete=QUANTITIES,
)
@BYTES
@click.option("--format", "format_", metavar="NAME", help="table, json, csv, markdown or another.  [default: table]")
@OUTPUT
def command(
    model: str,
    by: str,
    depth: int | None,
    columns: str | None,
    quantities: str | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """What MODEL costs: parameters, FLOPs, bytes and activations, with the convention and the coverage.

    JSON holds everything (by scope, by operator and by parameter, at every depth) as integers, and a ratio, such as
    arithmetic_intensity, if --columns names it. CSV has integers too, of the --columns alone if they are given.
    """
    from graphacct.display import rendered
    from graphacct.verbs.account import account

    given = arguments(options)
    form = reporting(format_, output, given["plugins"])
    names, counted = _names(columns), _names(quantities)
    if counted is None and names is not None and form.name in TABLES:
        counted = _counted(names, given["plugins"].quantities, options["phase"] or FORWARD)
    report = account(model, quantities=counted, **given)
    asked: dict[str, Any] = {"by": by, "depth": depth, "columns": names, "binary": bytes_ == "binary"}
    if form.function == TABLE:
        from graphacct.render.sheet import sheet

        give_sheet(sheet(report, **asked), "table", output)
    else:
        give(rendered(form, report, asked, given["plugins"].origin("outputs", form.name)), output)
    if form.name not in SAYING:
        say_keys(report.model, report.config_keys)


def _counted(columns: list[str], known: Mapping[str, Any], phase: str) -> list[str] | None:
    """Returns the quantities to count for a table of these columns: all (None), or all but the memory of a training
    step, which takes longer than all the rest, if no column needs it."""
    from graphacct.costs.step_quantities import MEMORY, needs_memory

    names = [name for name in columns if name != "share"]
    if needs_memory(names, known):
        return None
    others = [item.name for item in known.values() if item.analysis != MEMORY and item.of_row is None]
    return [name for name in others if known[name].in_phase(phase)] + names


def _names(text: str | None) -> list[str] | None:
    """Returns the comma-separated names in an option; None without it."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
