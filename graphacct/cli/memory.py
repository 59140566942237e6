"""graphacct memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphacct.cli.options import BYTES, OUTPUT, OutputPath, arguments, format_option, memory_options
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, give_sheets, say_keys

if TYPE_CHECKING:
    from graphacct.footprint.memory import Memory


@click.command("memory")
@click.argument("model")
@memory_options
@click.option("--fits", metavar="SIZE", help="Whether it fits in that memory, and the room left: 24GiB, 80GB, 24G.")
@click.option("--max-batch", is_flag=True, help="The largest batch that fits in --fits.")
@click.option("--max-seq-len", is_flag=True, help="The longest sequence that fits in --fits.")
@click.option(
    "--on",
    metavar="DEVICES",
    help="Whether it fits on h100,a100-80gb,…, all, or FILE.toml; what would fit; the ways out.",
)
@click.option(
    "--timeline", is_flag=True, help="What is alive after each kernel, in place of the parts (CSV always is)."
)
@click.option(
    "--plot", type=OutputPath(), metavar="FILE", help="Draw the timeline too: .png, .svg or .pdf (extra plot)."
)
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(
    model: str,
    fits: str | None,
    max_batch: bool,
    max_seq_len: bool,
    on: str | None,
    timeline: bool,
    plot: str | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """The memory of a training step of MODEL (or, with --phase forward, prefill or decode, of inference) on one rank.

    Parameters, gradients, the optimizer's state, and the activations where the most of them are alive at once.
    """
    from graphacct.render.memory import sheet, timeline_sheet, to_dict

    form = format_of(format_, output)
    search = "batch" if max_batch else "seq_len" if max_seq_len else ""
    if on is not None:
        _check_on({"--fits": fits, "--max-batch": max_batch, "--max-seq-len": max_seq_len, "--timeline": timeline})
    _check(fits, max_batch, max_seq_len, search, options)
    found, extra, notes = _measured(model, fits, search, on, arguments(options))
    if plot is not None:
        from graphacct.render.memory_plot import plot as drawn

        drawn(found, plot, bytes_ == "binary")
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found, extra)), output)
    elif form == "csv":
        from graphacct.render.csv import table

        if on is not None:
            from graphacct.render.devices import rows
        else:
            from graphacct.render.memory import timeline as rows

        give(table(rows(found)), output)
    elif on is not None:
        from graphacct.render.devices import sheets

        give_sheets(sheets(found, bytes_ == "binary"), form, output)
    else:
        binary = bytes_ == "binary"
        give_sheet(timeline_sheet(found, binary) if timeline else sheet(found, binary, notes), form, output)
    if form == "csv" or (timeline and form != "json"):
        say_keys(found.model, found.config_keys)


def _check(fits: str | None, max_batch: bool, max_seq_len: bool, search: str, options: dict[str, Any]) -> None:
    flag = f"--max-{search.replace('_', '-')}"
    problem = ""
    if max_batch and max_seq_len:
        problem = "--max-batch and --max-seq-len exclude each other: give one of the two sizes"
    elif search and fits is None:
        problem = f"{flag} needs the memory to fit in: --fits 24GiB"
    elif search and options[search] is not None:
        problem = f"{flag} looks for what --{search.replace('_', '-')} gives: leave one of them out"
    elif search == "seq_len" and options["cache_len"] is not None:
        problem = f"{flag} looks for what --cache-len gives (and one more): leave one of them out"
    if problem:
        raise click.UsageError(problem, click.get_current_context(silent=True))


def _check_on(given: dict[str, Any]) -> None:
    """Refuses the flags that ask for something else beside --on."""
    reasons = {
        "--fits": "--on answers for devices, --fits for one memory",
        "--max-batch": "--on gives the largest sizes for each device",
        "--max-seq-len": "--on gives the largest sizes for each device",
        "--timeline": "--on shows devices in place of the parts",
    }
    flag = next((flag for flag, value in given.items() if value), "")
    if flag:
        raise click.UsageError(f"{reasons[flag]}: leave {flag} out", click.get_current_context(silent=True))


def _measured(
    model: str, fits: str | None, search: str, on: str | None, given: dict[str, Any]
) -> tuple[Memory, dict[str, Any], tuple[str, ...]]:
    """Returns the memory, and the additions of --fits and the searches to the JSON and to the table."""
    from graphacct.api import memory

    if fits is None:
        return memory(model, on=on, **given), {}, ()
    from graphacct.footprint.fits import fit, largest
    from graphacct.render.memory import answer
    from graphacct.render.units import bytes_
    from graphacct.sizes import bytes_text, parse_bytes

    budget = parse_bytes(fits)
    extra: dict[str, Any] = {}
    notes: list[str] = []
    if search:
        best = largest(lambda size: memory(model, **{**given, search: size}), budget, search)
        found = best.memory
        extra = {f"max_{search}": best.size, "limit": best.limit or None}
        notes.append(f"the largest {search} that fits is {best.size:,}" + (f" ({best.limit})" if best.limit else ""))
    else:
        found = memory(model, **given)
    result = fit(found, budget)
    binary = "i" in fits.lower()
    room = bytes_(abs(result.headroom), binary)
    notes.append(
        f"fits {bytes_text(fits)}: yes, {room} left" if result.fits else f"fits {bytes_text(fits)}: no, {room} too many"
    )
    return found, {"fits": answer(result), **extra}, tuple(notes)
