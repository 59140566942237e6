"""A model's memory as plain values, as a table, and its timeline as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphacct.dims import same
from graphacct.execution.kernels import BACKWARD, RECOMPUTE
from graphacct.footprint.device_fit import Fit
from graphacct.footprint.live_tensors import LiveTensor
from graphacct.footprint.memory import Memory
from graphacct.graph.paths import last
from graphacct.phases import FORWARD, TRAIN
from graphacct.render.json import conditions, config_keys, coverage, inexact
from graphacct.render.notes import inexact_notes, key_notes, size_text
from graphacct.render.printable import printable
from graphacct.render.records import conditions_text, plain_value, workload_texts
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import bytes_, percent
from graphacct.reports.rows import share

if TYPE_CHECKING:
    from graphacct.footprint.device_fit import DeviceFit

SCHEMA = "graphacct.memory/1"
PARTS = (
    "parameters",
    "buffers",
    "inputs",
    "gradients",
    "optimizer_state",
    "saved_activations",
    "saved_weight_copies",
    "forward_peak",
    "backward_peak",
    "peak",
    "fresh_peak",
    "total",
)
CACHE = ("kv_cache_bytes", "kv_bytes_per_token", "kv_bytes_next_token")
MOST_LIVE = 8
"""The most tensors at the peak that a table shows; JSON has all of them."""


def to_dict(memory: Memory, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the memory as plain Python values, with all sizes in bytes and the `extra` keys before the lists."""
    return {
        "schema": SCHEMA,
        "model": memory.model,
        "phase": memory.phase,
        "profile": memory.profile,
        "optimizer": memory.optimizer or None,
        "master": memory.master,
        "dp": memory.dp,
        "zero": memory.zero,
        "workload": {name: plain_value(value, name) for name, value in memory.workload.items()},
        **config_keys(memory.config_keys),
        **inexact(memory.inexact),
        "coverage": coverage(memory.coverage),
        **conditions(memory.conditions),
        **{name: plain_value(getattr(memory, name), name) for name in PARTS},
        **{name: _known(getattr(memory, name), name) for name in CACHE},
        **(extra or {}),
        **({"peak_phase": memory.peak_phase, "peak_cache_len": memory.peak_cache_len} if memory.peak_phase else {}),
        **({"devices": devices(memory)} if memory.devices else {}),
        "peak_at": memory.peak_at or None,
        "peak_in": memory.peak_in or None,
        "live_at_peak": [
            {
                "node": item.node,
                "count": plain_value(item.count, "count"),
                "bytes": plain_value(item.bytes, "bytes"),
                "kept_by": item.kept_by or None,
                "why": item.why,
            }
            for item in memory.live_at_peak
        ],
        "timeline": timeline(memory),
    }


def devices(memory: Memory) -> list[dict[str, Any]]:
    """Returns the answer for each device as plain values, with the ways out."""
    return [
        {
            **device_facts(item),
            "largest_batch_limit": item.batch_limit or None,
            "longest_seq_len_limit": item.seq_len_limit or None,
            "at_least": item.at_least,
            "ways_out": [
                {
                    "options": dict(way.options),
                    "total": way.total,
                    "fits": way.fits,
                    "headroom_bytes": way.headroom_bytes,
                }
                for way in item.ways_out
            ],
        }
        for item in memory.devices
    ]


def device_facts(item: DeviceFit) -> dict[str, Any]:
    """Returns the figures of one device."""
    return {
        "name": item.name,
        "capacity": item.capacity,
        "nominal": item.nominal,
        "total": item.total,
        "fits": item.fits,
        "headroom_bytes": item.headroom_bytes,
        "largest_batch": item.largest_batch,
        "longest_seq_len": item.longest_seq_len,
    }


def _known(value: Any, name: str) -> Any:
    return None if value is None else plain_value(value, name)


def timeline(memory: Memory) -> list[dict[str, Any]]:
    """Returns the kernels in order, one per row."""
    return [
        {
            "step": step,
            "pass": kernel.run,
            "node": kernel.node,
            "operator": kernel.operator,
            "repeat": plain_value(kernel.repeat, "repeat"),
            "live_bytes": plain_value(kernel.live_bytes, "live_bytes"),
        }
        for step, kernel in enumerate(memory.timeline)
    ]


def answer(fit: Fit) -> dict[str, Any]:
    """Returns whether it fits, as plain values."""
    return {"budget": fit.capacity, "fits": fit.fits, "headroom": fit.headroom_bytes}


RANK = "the batch is that of one rank"


def sheet(memory: Memory, binary: bool = False, notes: tuple[str, ...] = ()) -> Sheet:
    """Returns the sheet of the memory, part by part, with the tensors alive at the peak."""
    training = memory.phase == TRAIN
    state = f"{memory.optimizer}, with a float32 copy" if memory.master == "fp32" else memory.optimizer
    parts = [
        ("parameters", memory.parameters, ""),
        ("buffers", memory.buffers, "running statistics, tables made with the model"),
        ("inputs", memory.inputs, ""),
        ("gradients", memory.gradients, ""),
        ("optimizer state", memory.optimizer_state, state),
        ("activations", memory.peak, _peak(memory)),
    ]
    lines = [
        _line(name, size, note, memory, binary)
        for name, size, note in parts
        if not same(size, 0) or name == "activations"
    ]
    if training:
        end = "when the forward pass ends; some of it may have gone at the peak"
        note = "at the end of the forward pass" if memory.peak_in != BACKWARD else end
        lines.append(_line("kept for the backward pass", memory.saved_activations, note, memory, binary, 1))
    if not same(memory.saved_weight_copies, 0):
        note = "in the dtype that products run in"
        lines.append(_line("of which copies of weights", memory.saved_weight_copies, note, memory, binary, 1))
    if not same(memory.kv_cache_bytes, 0):
        added = memory.kv_bytes_next_token
        change = f"adds {bytes_(added, binary)}"
        if isinstance(added, int) and added < 0:  # it completes an entry that stands for several tokens
            change = f"frees {bytes_(-added, binary)}"
        token = f"at the end; the next token of each sequence {change}"
        label = "the cache of all tokens" if memory.peak_phase else "of which the cache"
        lines.append(_line(label, memory.kv_cache_bytes, token, memory, binary, 1))
    for item in memory.live_at_peak[:MOST_LIVE]:
        label = printable(item.node) if same(item.count, 1) else f"{printable(item.node)} ×{item.count}"
        lines.append(_line(label, item.bytes, _reason(item), memory, binary, 1))
    if len(memory.live_at_peak) > MOST_LIVE:
        rest = memory.live_at_peak[MOST_LIVE:]
        lines.append(_line(f"{len(rest)} more", sum(item.bytes for item in rest), "", memory, binary, 1))
    missing = memory.coverage.uncosted
    return Sheet(
        printable(memory.model),
        terms(memory),
        (Column("Memory"), Column("Bytes", True), Column("Share", True, rank=2), Column("What it is", rank=1)),
        tuple(lines),
        Line(("Total", bytes_(memory.total, binary), "", "")),
        (
            *notes,
            *_highest(memory),
            *ranks(memory),
            unmodelled(memory, binary),
            *inexact_notes(memory.inexact),
            *key_notes(memory.config_keys),
        ),
        f"incomplete: {printable(memory.coverage)}" if missing else "",
    )


UNMODELLED = ("the allocator", "the CUDA context", "workspaces")


def unmodelled(memory: Memory, binary: bool = False) -> str:
    """Returns what the total leaves out, in a line."""
    left_out = list(UNMODELLED)
    if memory.phase == TRAIN:
        left_out.insert(0, "the optimizer's own temporaries")
    if memory.largest_gathered is not None:
        name, size = memory.largest_gathered
        left_out.insert(0, f"parameters that ZeRO 3 gathers for a layer ({bytes_(size, binary)} of {printable(name)})")
    return f"not in it: {', '.join(left_out)}"


def ranks(memory: Memory) -> list[str]:
    """Returns what must be known of the ranks: whose the batch is, or a ZeRO stage with nothing to divide."""
    if memory.dp != 1:
        return [RANK]
    return [f"zero {memory.zero} divides nothing with dp 1: give dp, the number of ranks, too"] if memory.zero else []


def _highest(memory: Memory) -> list[str]:
    """Returns which step of a generation the table is of."""
    if not memory.peak_phase:
        return []
    cached = memory.peak_cache_len
    which = "the prefill" if cached is None else f"the decoding step on {cached:,} cached tokens"
    return [f"the highest step of the generation: {which}"]


def timeline_sheet(memory: Memory, binary: bool = False) -> Sheet:
    """Returns the timeline as a table."""
    lines = [
        Line(
            (
                str(row["step"]),
                row["pass"],
                printable(row["node"]),
                printable(row["operator"]),
                _runs(row["repeat"]),
                bytes_(kernel.live_bytes, binary),
            )
        )
        for row, kernel in zip(timeline(memory), memory.timeline, strict=True)
    ]
    columns = (
        Column("Step", True),
        Column("Pass", whole=True, rank=1),
        Column("Node"),
        Column("Operator", whole=True, rank=3),
        Column("Runs", True, rank=2),
        Column("Alive", True),
    )
    where = f"peak at {printable(memory.peak_at)}" if memory.peak_at else "peak"
    total = Line(("", memory.peak_in, where, "", "", bytes_(memory.peak, binary)))
    return Sheet(printable(memory.model), terms(memory), columns, tuple(lines), total)


def _runs(repeat: Any) -> str:
    return "" if repeat == 1 else f"×{repeat}"


def _reason(item: LiveTensor) -> str:
    """Returns why a tensor is alive, with the last part of the name of the node that saves it."""
    return printable(f"{last(item.kept_by)} keeps it: {item.why}" if item.kept_by else item.why)


def _peak(memory: Memory) -> str:
    most = "the most at once" if memory.phase != TRAIN else "and their gradients, the most at once"
    if not memory.peak_at:
        return most
    run = {BACKWARD: " going backward", RECOMPUTE: " run again"}.get(memory.peak_in, "")
    return f"{most}, at {printable(memory.peak_at)}{run}"


def terms(memory: Memory) -> str:
    sizes = [f"{printable(name)} {size_text(value)}" for name, value in workload_texts(memory.workload).items()]
    if memory.phase == FORWARD:  # which other outputs leave unsaid, but a training step is what this one is asked for
        sizes.append(f"phase {FORWARD}")
    shared = [f"dp {memory.dp}, zero {memory.zero}"] if memory.dp != 1 or memory.zero else []
    return ", ".join([*sizes, f"profile {printable(memory.profile)}", *shared]) + conditions_text(memory.conditions)


def _line(label: str, size: Any, note: str, memory: Memory, binary: bool, indent: int = 0) -> Line:
    part = share(size, memory.total)
    return Line((label, bytes_(size, binary), percent(part), note), "", indent, part)
