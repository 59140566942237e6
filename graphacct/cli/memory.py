"""graphacct memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphacct.cli import completion
from graphacct.cli.help import Command
from graphacct.cli.options import BYTES, MODEL_ARGUMENT, OUTPUT, arguments, format_option, memory_options
from graphacct.cli.output import FORMATS, format_of, give, give_sheet, give_sheets, say_keys
from graphacct.cli.parameter_types import OutputPath
from graphacct.phases import FORWARD, TRAIN

if TYPE_CHECKING:
    from graphacct.footprint.memory import Memory

LONG = 8192
"""From how many tokens on a length that was not given is said: most activations are of it, and few are trained so."""


@click.command("memory", cls=Command)
@MODEL_ARGUMENT
@memory_options
@click.option("--fits", metavar="SIZE", help="Whether it fits in that memory, and the room left: 24GiB, 80GB, 24G.")
@click.option("--max-batch", is_flag=True, help="The largest batch that fits in --fits.")
@click.option("--max-seq-len", is_flag=True, help="The longest sequence that fits in --fits.")
@click.option(
    "--on",
    metavar="DEVICES",
    shell_complete=completion.devices,
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
    """The memory of a training step of MODEL on one rank; with --phase forward, prefill, decode or generate, of
    inference.

    Parameters, gradients, the optimizer's state, and the activations where the most of them are alive at once.
    """
    from graphacct.render.memory import sheet, timeline_sheet, to_dict

    form = format_of(format_, output)
    length = "prompt_len" if options["phase"] == "generate" else "seq_len"
    search = "batch" if max_batch else length if max_seq_len else ""
    if on is not None:
        _check_on(on, {"--fits": fits, "--max-batch": max_batch, "--max-seq-len": max_seq_len, "--timeline": timeline})
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

        give_sheets(sheets(found, bytes_ == "binary", notes), form, output)
    else:
        binary = bytes_ == "binary"
        give_sheet(timeline_sheet(found, binary) if timeline else sheet(found, binary, notes), form, output)
    if form == "csv" or (timeline and form != "json"):
        say_keys(found.model, found.config_keys)


def _check(fits: str | None, max_batch: bool, max_seq_len: bool, search: str, options: dict[str, Any]) -> None:
    flag = "--max-batch" if max_batch else "--max-seq-len"
    problem = ""
    if max_batch and max_seq_len:
        problem = "--max-batch and --max-seq-len exclude each other: give one, or a device (--on h100), which has both"
    elif search and fits is None:
        problem = f"{flag} needs the memory to fit in: --fits 24GiB"
    elif search and options[search] is not None:
        problem = f"{flag} looks for what --{search.replace('_', '-')} gives: leave one of them out"
    elif search == "seq_len" and options["cache_len"] is not None:
        problem = f"{flag} looks for what --cache-len gives (and one more): leave one of them out"
    if problem:
        raise click.UsageError(problem, click.get_current_context(silent=True))


def _check_on(on: str, given: dict[str, Any]) -> None:
    """Refuses the flags that ask for something else beside --on, and a size of memory in place of a device."""
    reasons = {
        "--fits": "--on answers for devices, --fits for one memory",
        "--max-batch": "--on gives the largest sizes for each device",
        "--max-seq-len": "--on gives the largest sizes for each device",
        "--timeline": "--on shows devices in place of the parts",
    }
    flag = next((flag for flag, value in given.items() if value), "")
    size = next((name.strip() for name in on.split(",") if _is_memory(name)), "")
    problem = f"{reasons[flag]}: leave {flag} out" if flag else ""
    if size:
        problem = f"--on takes devices, and {size} is a size of memory: ask with --fits {size}"
    if problem:
        raise click.UsageError(problem, click.get_current_context(silent=True))


def _is_memory(text: str) -> bool:
    """Returns whether a text is a size of memory."""
    from graphacct.errors import ConfigError
    from graphacct.sizes import parse_bytes

    try:
        parse_bytes(text)
    except ConfigError:
        return False
    return True


def _measured(
    model: str, fits: str | None, search: str, on: str | None, given: dict[str, Any]
) -> tuple[Memory, dict[str, Any], tuple[str, ...]]:
    """Returns the memory, and the additions of --fits and the searches to the JSON and to the table."""
    from graphacct.verbs.memory import memory

    if fits is None:
        found = memory(model, on=on, **given)
        return found, {}, _taken(found, given) if on is not None else ()
    from graphacct.footprint.fits import fit, largest
    from graphacct.render.memory import answer
    from graphacct.render.notes import beyond_positions
    from graphacct.render.units import bytes_
    from graphacct.sizes import bytes_text
    from graphacct.verbs.fits import budget_bytes

    budget = budget_bytes(fits, given["plugins"])
    extra: dict[str, Any] = {}
    notes: list[str] = []
    if search:
        best = largest(lambda size: memory(model, **{**given, search: size}), budget, search)
        found = best.memory
        name, size, parts = _largest(search, best.size, found)
        extra = {f"max_{name}": size, "limit": best.limit or None}
        notes.append(f"the largest {name} that fits is {size:,}{parts}" + (f" ({best.limit})" if best.limit else ""))
        if name == "seq_len":
            notes += beyond_positions(size, _positions(model, given))
    else:
        found = memory(model, **given)
    result = fit(found, budget)
    binary = "i" in fits.lower()
    room = bytes_(abs(result.headroom_bytes), binary)
    if result.fits:
        notes.append(f"fits {bytes_text(fits)}: yes, {room} left")
    else:
        notes.append(f"fits {bytes_text(fits)}: no, {room} too many")
        notes.append("ways out: ask with --on all, or a device in its place")
    taken = () if search == "seq_len" else _taken(found, given)
    return found, {"fits": answer(result), **extra}, (*notes, *taken)


def _taken(found: Memory, given: dict[str, Any]) -> tuple[str, ...]:
    """Returns a note on a long sequence that nobody asked for: the model's own, of which the activations mostly are."""
    length = found.workload.get("seq_len")
    sized = found.positions is not None or (found.phase in (TRAIN, FORWARD) and found.kv_bytes_per_token is not None)
    if given["seq_len"] is not None or not sized or not isinstance(length, int) or length < LONG:
        return ()
    return (f"seq_len {length:,} is the model's longest, as none was given: give --seq-len",)


def _positions(model: str, given: dict[str, Any]) -> tuple[str, int] | None:
    """Returns the key of the model's configuration that says how many positions a text has, and its value."""
    from graphacct.hooks.manager import default
    from graphacct.models.find import find_model
    from graphacct.models.size import positions

    keys = given.get("set") or {}
    return positions(find_model(model, given["plugins"] or default(), keys), keys)


def _largest(search: str, size: int, found: Memory) -> tuple[str, int, str]:
    """Returns what the largest size is called, the size, and the parts that it has: a sequence of a generation is its
    prompt and the new tokens."""
    if search != "prompt_len":
        return search, size, ""
    new = found.workload["new_tokens"]
    return "seq_len", size + new, f", a prompt of {size:,} and {new:,} new tokens"
