"""Whether a model fits on devices, as tables: one of the devices, and one of the ways out; a memory as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct.footprint.device_fit import DeviceFit, WayOut
from graphacct.footprint.memory import Memory
from graphacct.phases import TRAIN
from graphacct.render.listing import capacity
from graphacct.render.memory import RANK, device_facts, ranks, sheet, terms, unmodelled
from graphacct.render.notes import beyond_positions, inexact_notes, key_notes
from graphacct.render.printable import printable
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import bytes_

NOMINAL = (
    "nominal: the product's size in GB of 10⁹ bytes, not what the device reports, which is up to 7 % more where known"
)


def to_text(memory: Memory) -> str:
    """Returns what `graphacct memory` prints: the parts, or the answer for the devices that were asked for."""
    from graphacct.render.table import to_text as text

    return "\n\n".join(map(text, _sheets(memory)))


def to_html(memory: Memory) -> str:
    """Returns the same as HTML, for a notebook."""
    from graphacct.render.html import to_html as html

    return "\n".join(map(html, _sheets(memory)))


def _sheets(memory: Memory) -> list[Sheet]:
    return sheets(memory) if memory.devices else [sheet(memory)]


def rows(memory: Memory) -> list[dict[str, Any]]:
    """Returns one row per device for CSV, without the ways out."""
    return [device_facts(item) for item in memory.devices]


def sheets(memory: Memory, binary: bool = False, notes: tuple[str, ...] = ()) -> list[Sheet]:
    """Returns the sheet of the devices with further notes, and if some are too small, that of the ways out for the
    largest of those."""
    failing = [item for item in memory.devices if not item.fits]
    shown = [_devices(memory, binary, notes)]
    if failing:
        largest = max(failing, key=lambda item: item.capacity)
        others = [printable(item.name) for item in failing if item is not largest]
        shown.append(_ways_out(largest, others, binary, memory))
    return shown


def _devices(memory: Memory, binary: bool, notes: tuple[str, ...]) -> Sheet:
    columns = [Column("Device"), Column("Memory", whole=True, rank=2), Column("Fits"), Column("Headroom", True)]
    sizes = [
        (title, name)
        for title, name in (("Largest batch", "largest_batch"), ("Longest seq_len", "longest_seq_len"))
        if any(getattr(item, name) is not None for item in memory.devices)
    ]
    columns += [Column(title, True, rank=1) for title, _ in sizes]
    lines = [
        Line(
            (
                printable(item.name),
                capacity(item.capacity, item.nominal, binary),
                *_answer(item, binary),
                *(_size(getattr(item, name)) for _, name in sizes),
            )
        )
        for item in memory.devices
    ]
    missing = memory.coverage.uncosted
    return Sheet(
        printable(memory.model),
        terms(memory),
        tuple(columns),
        tuple(lines),
        None,
        (*notes, *_notes(memory, bool(sizes), binary)),
        f"incomplete: {printable(memory.coverage)}" if missing else "",
    )


def _notes(memory: Memory, sizes: bool, binary: bool) -> list[str]:
    parts = {
        "parameters": memory.parameters + memory.buffers,
        "inputs": memory.inputs,
        "gradients": memory.gradients,
        "optimizer state": memory.optimizer_state,
        "activations": memory.peak,
    }
    said = ", ".join(f"{name} {bytes_(size, binary)}" for name, size in parts.items() if size)
    notes = [f"needs {bytes_(memory.total, binary)}: {said}"]
    if not sizes:
        notes.append("a finished graph has one size: no largest batch, no longest sequence")
    limits = {_limit("no larger batch", item.batch_limit) for item in memory.devices if item.batch_limit}
    limits |= {_limit("no longer sequence", item.seq_len_limit) for item in memory.devices if item.seq_len_limit}
    notes += [printable(limit) for limit in sorted(limits)]
    longest = max((item.longest_seq_len or 0 for item in memory.devices), default=0)
    notes += [*beyond_positions(longest, memory.positions), *ranks(memory)]
    if any(item.nominal for item in memory.devices):
        notes.append(NOMINAL)
    return [*notes, unmodelled(memory, binary), *inexact_notes(memory.inexact), *key_notes(memory.config_keys)]


def _answer(item: DeviceFit | WayOut, binary: bool) -> tuple[str, str]:
    return "yes" if item.fits else "no", bytes_(item.headroom_bytes, binary)


def _size(size: int | None) -> str:
    return "" if size is None else f"{size:,}" if size else "none"


def _ways_out(item: DeviceFit, others: list[str], binary: bool, memory: Memory) -> Sheet:
    lines = [Line((_options(way), bytes_(way.total, binary), *_answer(way, binary))) for way in item.ways_out]
    notes = [] if lines else ["none was found that needs less"]
    if memory.dp == 1 and any("zero" in way.options for way in item.ways_out):  # else the devices' sheet says it
        notes.append(RANK)
    if memory.dp == 1 and memory.phase != TRAIN:  # training has its ways with ranks
        notes.append(
            f"all as asked, at least {item.at_least} devices have {bytes_(item.total, binary)} together; how a model "
            "is cut over them (tensor or pipeline parallelism) is not modelled, and what they copy comes on top"
        )
    if others:
        notes.append(f"for the largest that is too small; ask for {', '.join(others)} alone to see the ways there")
    columns = (Column("With"), Column("Needs", True), Column("Fits"), Column("Headroom", True))
    title = f"ways out for {printable(item.name)}"
    return Sheet(title, capacity(item.capacity, item.nominal, binary), columns, tuple(lines), None, tuple(notes))


def _limit(subject: str, reason: str) -> str:
    """Returns why a search ended; a search that nothing ended says so itself, `no larger batch was tried`."""
    return reason if reason.endswith("was tried") else f"{subject}: {reason}"


def _options(way: WayOut) -> str:
    """Returns the options in words: `recompute full, optimizer adamw-8bit`."""
    options: Mapping[str, Any] = way.options
    return ", ".join(f"{name} {_text(value)}" for name, value in options.items())


def _text(value: Any) -> str:
    return " ".join(map(printable, value)) if isinstance(value, (list, tuple)) else printable(value)
