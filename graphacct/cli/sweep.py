"""graphacct sweep."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from graphacct.cli import completion, waiting
from graphacct.cli.help import Command
from graphacct.cli.options import (
    MODEL_ARGUMENT,
    OUTPUT,
    QUANTITIES,
    SIZE,
    account_options,
    arguments,
    format_option,
    pairs,
)
from graphacct.cli.output import give_sheet
from graphacct.cli.parameter_types import Named


@click.command("sweep", cls=Command)
@MODEL_ARGUMENT
@click.option(
    "--over",
    type=Named("NAME=VALUES", "seq_len=1k,4k or d_model=512:8192:128"),
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    shell_complete=completion.axes,
    help="An axis: START:STOP:STEP with STOP, or values with commas. Repeatable, the last one fastest.",
)
@click.option("--where", multiple=True, metavar="CONDITION", help="Repeatable: all are to hold.")
@click.option(
    "--keep",
    multiple=True,
    metavar="Q,Q",
    help="The columns besides the axes.  [default: by phase]",
    shell_complete=QUANTITIES,
)
@click.option("--pareto", multiple=True, metavar="Q,Q", help="Only rows that no other row beats: minimised.")
@click.option("--exact", is_flag=True, help="Integers rather than float64.")
@click.option("--strict", is_flag=True, help="A point that the model refuses is an error.")
@click.option(
    "--workers", type=SIZE, default=0, metavar="N", help="Processes, on a Dask cluster of this machine's own."
)
@click.option("--scheduler", default="", metavar="tcp://HOST:PORT", help="A Dask scheduler whose workers evaluate.")
@account_options
@format_option("table", "csv", "json", "parquet")
@OUTPUT
def command(
    model: str,
    over: tuple[tuple[str, str], ...],
    where: tuple[str, ...],
    keep: tuple[str, ...],
    pareto: tuple[str, ...],
    exact: bool,
    strict: bool,
    workers: int,
    scheduler: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """The figures of MODEL at every point of a grid of its sizes, as rows.

    An axis is a size of the workload, a key of the config, or an option such as dtype. A condition compares quantities
    and sizes: "params <= 1.5e9", "flops(attention) < flops(mlp)". Points that report refuses are left out, counted and
    named at the end.
    """
    from graphacct.render.printable import printable
    from graphacct.render.sweep import SHOWN, notes, sheet
    from graphacct.verbs.sweep import sweep

    to_file = output is not None and output != "-"
    asked: dict[str, Any] = {"where": where, "keep": keep, "pareto": pareto, "exact": exact, "strict": strict}
    asked |= {"over": pairs("--over", over), "workers": workers, "scheduler": scheduler, **arguments(options)}
    with bar() as progress:
        if not to_file and format_ in (None, "table"):
            found = sweep(model, first=SHOWN, progress=progress, **asked)
        elif to_file:
            found = sweep(model, output=output, format=format_ or "", progress=progress, **asked)
        else:
            found = sweep(model, output=sys.stdout.buffer, format=format_ or "", progress=progress, **asked)
            sys.stdout.buffer.flush()
    if found.columns:
        give_sheet(sheet(found), "table", None)
        return
    for note in notes(found):
        click.echo(printable(note), err=True)


@contextmanager
def bar() -> Iterator[Callable[[int, int, int], None] | None]:
    """Shows a bar of progress on standard error while a sweep runs, if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    waiting.end()
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def progress(points: int, rows: int, total: int) -> None:
            shown.update(task, completed=points, total=total, description=f"{points:,} points, {rows:,} rows")

        yield progress
