"""On which devices a model fits: its memory once, and for all devices together the largest sizes and the ways out.

A device is a number of bytes here, so that every total serves all of them: the work hardly grows with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.devices.device import Device
from graphacct.errors import ConfigError, GraphacctError
from graphacct.footprint.device_fit import DeviceFit, WayOut
from graphacct.footprint.generation import memory_of, total_of
from graphacct.footprint.memory import Memory
from graphacct.footprint.sweep import LargestSize, largest_sizes
from graphacct.footprint.ways_out import ways_out
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.models.find import ModelChoice, find_model
from graphacct.models.read_choice import ReadChoice
from graphacct.models.size import positions
from graphacct.phases import DECODE, GENERATE
from graphacct.progress import doing, steps

SEQUENCE, PROMPT, CACHED = "seq_len", "prompt_len", "cache_len"
"""The options whose largest size gives the longest sequence: the prompt's in a generation, with the tokens asked for
after it; that of the cache if a decoding step was asked for by it, in which the sequence has one token more."""


def memory_on(model: object, devices: Sequence[Device], *, unknown: str, plugins: Plugins, **options: Any) -> Memory:
    """Returns the memory of a model, with an answer for each device. The other arguments are those of `memory`, and so
    are the errors; ConfigError if sizes are symbols or arrays."""
    found = find_model(model, plugins, options.get("set") or {})
    asked = memory_of(found, unknown=unknown, plugins=plugins, **options)
    _check_number(asked)

    def needed(changes: Mapping[str, Any]) -> int:
        return int(total_of(found, unknown=unknown, plugins=plugins, **{**options, **changes}))

    def tried(option: str, size: int, changes: Mapping[str, Any]) -> int:
        with doing(f"looking for the largest {option}: {size:,} is tried"):
            return needed({option: size, **changes})

    budgets = {device.memory_bytes for device in devices}
    batches = _largest("batch", asked, found, tried, budgets)
    length = PROMPT if asked.phase == GENERATE else SEQUENCE
    lengths = _largest(length, asked, found, tried, budgets)
    others: list[tuple[Mapping[str, Any], int]] = []
    if any(asked.total > budget for budget in budgets):
        others = list(_smaller(ways_out(found, asked, options), asked.total, needed))
    if options.get("cache_len") is not None:
        length = CACHED
    answers = (_fit(device, asked, batches, length, lengths, others) for device in devices)
    limit = None if lengths is None else positions(found, options.get("set") or {})
    return attrs.evolve(asked, devices=tuple(answers), positions=limit)


def on_devices(asked: Memory, devices: Sequence[Device]) -> Memory:
    """Returns a memory with an answer for each device, without other sizes and ways out. Raises ConfigError if its
    sizes are symbols or arrays."""
    _check_number(asked)
    return attrs.evolve(asked, devices=tuple(_fit(device, asked, None, "", None, ()) for device in devices))


def _check_number(asked: Memory) -> None:
    if type(asked.total) is not int:
        raise ConfigError(f"whether {asked.model!r} fits needs numbers, and its total is a formula or an array")


def _largest(
    option: str,
    asked: Memory,
    found: Graph | ModelChoice | ReadChoice,
    tried: Callable[[str, int, Mapping[str, Any]], int],
    budgets: Iterable[int],
) -> Mapping[int, LargestSize] | None:
    """Returns the largest batch, sequence or prompt for each budget; None if the model has no such size to choose."""
    if not isinstance(found, ModelChoice) or option not in ("batch", PROMPT, *found.architecture.sizes):
        return None
    decoding = option == SEQUENCE and asked.phase == DECODE
    size = asked.workload.get(option)
    if decoding:
        size = asked.workload["cache_len"] + 1
    changes: dict[str, Any] = {"cache_len": None} if decoding else {}
    known = {size: int(asked.total)} if type(size) is int else {}
    return largest_sizes(lambda n: tried(option, n, changes), budgets, option, known)


def _smaller(
    ways: Iterable[Mapping[str, Any]], limit: int, needed: Callable[[Mapping[str, Any]], int]
) -> Iterable[tuple[Mapping[str, Any], int]]:
    """Yields the ways that need less than `limit` bytes, and less than each part of theirs that was a way before. One
    that the model or its plugins do not have is none."""
    before: list[tuple[Mapping[str, Any], int]] = [({}, limit)]
    for way in steps([*ways], "ways out tried"):
        try:
            size = needed(way)
        except GraphacctError:
            continue
        if all(size < least for part, least in before if part.items() <= way.items()):
            before.append((way, size))
            yield way, size


def _fit(
    device: Device,
    asked: Memory,
    batches: Mapping[int, LargestSize] | None,
    length_option: str,
    lengths: Mapping[int, LargestSize] | None,
    others: Iterable[tuple[Mapping[str, Any], int]],
) -> DeviceFit:
    budget = device.memory_bytes
    batch = None if batches is None else batches[budget]
    length = None if lengths is None else lengths[budget]
    ways: list[tuple[Mapping[str, Any], int]] = []
    if asked.total > budget:
        sizes = (("batch", batch), (length_option, length))
        ways = [(_sized(name, item.size), item.total) for name, item in sizes if item is not None and item.size]
        ways.extend(others)
    return DeviceFit(
        int(asked.total),
        budget,
        device,
        None if batch is None else batch.size,
        "" if batch is None else batch.limit,
        None if length is None else _sequence(length.size, asked),
        "" if length is None else length.limit,
        tuple(WayOut(size, budget, way) for way, size in ways),
    )


def _sized(option: str, size: int) -> Mapping[str, Any]:
    """Returns the way out that has this size of the batch or of the sequence, in the option's own terms."""
    return {option: size - 1 if option == CACHED else size}


def _sequence(size: int, asked: Memory) -> int:
    """Returns the length of a sequence that has the largest sequence or prompt; 0 if not even 1 fits."""
    new = asked.workload["new_tokens"] if asked.phase == GENERATE else 0
    return size + int(new) if size else 0
