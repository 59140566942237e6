"""Liveness: how many bytes of activations are alive after each kernel of a schedule.

A storage is alive from the kernel that makes it to the last one that reads it or a view of it, until its scope ends
where eager code holds it in a variable, and to the end where it is kept for the backward pass or leaves the graph.
Parameters, inputs and tables are there all the time and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphacct.dims import Dim
from graphacct.saved import OWN, saved_tensors
from graphacct.schedule import ACTIVATION, Schedule, Step, Storage


def live_bytes(schedule: Schedule, kept: Iterable[tuple[Storage, int]] = ()) -> list[Dim]:
    """The bytes alive after each step, when the storages in `kept` stay to the end.

    Each of those comes with the position of the step that saves it, which makes the ones that no step puts out. A
    repetition that stands for several counts what it leaves behind as often.
    """
    steps = schedule.steps
    births: dict[int, tuple[int, Storage]] = {}
    deaths: dict[int, int] = {}
    for position, step in enumerate(steps):
        for tensor in (*step.outputs, *step.operands):
            if tensor.storage.kind == ACTIVATION:
                births.setdefault(id(tensor.storage), (position, tensor.storage))
                deaths[id(tensor.storage)] = position
    for storage, position in schedule.holds:
        if id(storage) in deaths:
            deaths[id(storage)] = max(deaths[id(storage)], position)
    lasting = {id(tensor.storage) for tensor in schedule.outputs}
    for storage, position in kept:
        if storage.kind == ACTIVATION:
            births.setdefault(id(storage), (position, storage))
            lasting.add(id(storage))
    changes: list[Dim] = [0] * (len(steps) + 1)
    for key, (birth, storage) in births.items():
        changes[birth] += storage.bytes
        if key in lasting:
            _accumulate(schedule, changes, birth, storage)
        else:
            changes[deaths[key] + 1] -= storage.bytes
    total: Dim = 0
    alive = []
    for position, step in enumerate(steps):
        total = total + changes[position]
        alive.append(total + _scratch(step, births))
    return alive


def _accumulate(schedule: Schedule, changes: list[Dim], birth: int, storage: Storage) -> None:
    """Count what earlier repetitions left behind: all but the last one of each group around the storage's birth, from
    the group's first step on."""
    inside: Dim = 1
    for group in schedule.groups:  # inner ones come before the ones around them
        if group.start <= birth < group.stop:
            changes[group.start] += storage.bytes * inside * (group.times - 1)
            inside = inside * group.times


def _scratch(step: Step, births: dict[int, tuple[int, Storage]]) -> Dim:
    """The bytes that a kernel puts out beside its outputs (statistics, masks) and that nothing keeps."""
    if step.operator is None or (not step.region and any(output.needs_grad for output in step.outputs)):
        return 0
    specs = [operand.spec for operand in step.operands]
    own = [item for item in saved_tensors(step.operator, specs, step.attributes) if item.kind == OWN]
    return sum(item.spec.bytes for item in own)
