"""Liveness: how many bytes of activations are alive after each kernel of a schedule.

A storage is alive from the kernel that makes it to the last one that reads it or a view of it, until its scope ends
where eager code holds it in a variable, and to the end where it is kept for the backward pass or leaves the graph.
What an earlier step left is alive from the start. Parameters, inputs and tables are there all the time and are not
counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphacct.dims import Dim
from graphacct.saved import OWN, saved_tensors
from graphacct.schedule import ACTIVATION, GIVEN, Schedule, Step, Storage, storages


def live_bytes(schedule: Schedule, kept: Iterable[tuple[Storage, int]] = ()) -> list[Dim]:
    """The bytes alive after each step, when the storages in `kept` stay to the end.

    Each of those comes with the position of the step that saves it, which makes the ones that no step puts out. A
    repetition that stands for several counts what it leaves behind as often.
    """
    deltas: list[Dim] = [0] * (len(schedule.steps) + 1)
    for position, storage, count in _changes(schedule, kept):
        deltas[position] += storage.bytes * count
    total: Dim = 0
    alive = []
    for position, step in enumerate(schedule.steps):
        total = total + deltas[position]
        alive.append(total + sum(storage.bytes for storage in _scratch(step)))
    return alive


def alive_at(schedule: Schedule, position: int, kept: Iterable[tuple[Storage, int]] = ()) -> list[tuple[Storage, Dim]]:
    """The storages that `live_bytes` counts after the step at a position, and how many there are of each."""
    found: dict[int, tuple[Storage, Dim]] = {}
    for when, storage, count in _changes(schedule, kept):
        if when <= position:
            found[id(storage)] = (storage, found.get(id(storage), (storage, 0))[1] + count)
    living = [(storage, count) for storage, count in found.values() if type(count) is not int or count]
    return living + [(storage, 1) for storage in _scratch(schedule.steps[position])]


def _changes(schedule: Schedule, kept: Iterable[tuple[Storage, int]]) -> Iterator[tuple[int, Storage, Dim]]:
    """How many more of a storage are alive from the step at a position on, fewer where the count is negative."""
    births: dict[int, tuple[int, Storage]] = {}
    deaths: dict[int, int] = {}
    for position, step in enumerate(schedule.steps):
        for storage in storages((*step.outputs, *step.operands)):
            if storage.kind in (ACTIVATION, GIVEN):
                births.setdefault(id(storage), (position, storage))
                deaths[id(storage)] = position
    for storage, position in schedule.holds:
        if id(storage) in deaths:
            deaths[id(storage)] = max(deaths[id(storage)], position)
    lasting = {id(storage) for storage in storages(schedule.outputs)}
    for storage, position in kept:
        if storage.kind in (ACTIVATION, GIVEN):
            births.setdefault(id(storage), (position, storage))
            lasting.add(id(storage))
    for key, (birth, storage) in births.items():
        made: Dim = 1
        staying: Dim = 1
        for position, others, left in _earlier(schedule, birth, storage, key in lasting):
            yield position, storage, left - others if storage.kind == GIVEN else left
            made = made + others
            staying = staying + left
        yield (0, storage, made) if storage.kind == GIVEN else (birth, storage, 1)
        if key not in lasting:
            yield deaths[key] + 1, storage, -staying


def _earlier(schedule: Schedule, birth: int, storage: Storage, lasting: bool) -> Iterator[tuple[int, Dim, Dim]]:
    """For each group around a storage's birth: its start, how many such storages all repetitions but the last one have,
    and how many of those they leave behind: all when it lasts or is stacked up there, or else none."""
    made: Dim = 1
    staying: Dim = 1
    for group in schedule.groups:  # inner ones come before the ones around them
        if group.start <= birth < group.stop:
            left_behind = lasting or (id(storage), group.start) in schedule.gathered
            yield group.start, made * (group.times - 1), staying * (group.times - 1) if left_behind else 0
            made = made * group.times
            staying = staying * group.times if left_behind else staying


def _scratch(step: Step) -> list[Storage]:
    """What a kernel puts out beside its outputs (statistics, masks) and nothing keeps."""
    if step.operator is None or (not step.region and any(output.needs_grad for output in step.outputs)):
        return []
    specs = [operand.spec for operand in step.operands]
    own = [item.spec for item in saved_tensors(step.operator, specs, step.attributes) if item.kind == OWN]
    return [Storage(spec.bytes, ACTIVATION, step.node.name, step.weight, spec.dtype) for spec in own]
