"""Liveness: how many bytes of activations are alive after each kernel of a schedule.

A storage is alive from the kernel that makes it to the last one that reads it or a view of it, until its scope ends
where eager code holds it in a variable, and to the end where it is kept for the backward pass or leaves the graph.
What an earlier step left is alive from the start. Parameters, inputs and tables are there all the time and are not
counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from graphacct.dims import Dim, maximum
from graphacct.execution.backward import BackwardPass
from graphacct.execution.kernels import ACTIVATION, GIVEN, Schedule, Step, Storage, storages
from graphacct.execution.saved_storages import Kept
from graphacct.operators.saves import OWN, saved_tensors


def live_bytes(schedule: Schedule, kept: Sequence[tuple[Storage, int]] = ()) -> list[Dim]:
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


def alive_at(schedule: Schedule, position: int, kept: Sequence[tuple[Storage, int]] = ()) -> list[tuple[Storage, Dim]]:
    """The storages that `live_bytes` counts after the step at a position, and how many there are of each."""
    living = _counted(_changes(schedule, kept), position)
    return living + [(storage, 1) for storage in _scratch(schedule.steps[position])]


def _counted(changes: Iterable[tuple[int, Storage, Dim]], position: int) -> list[tuple[Storage, Dim]]:
    """The storages that are there after a position, and how many of each."""
    found: dict[int, tuple[Storage, Dim]] = {}
    for when, storage, count in changes:
        if when <= position:
            found[id(storage)] = (storage, found.get(id(storage), (storage, 0))[1] + count)
    return [(storage, count) for storage, count in found.values() if type(count) is not int or count]


def _births(schedule: Schedule, kept: Iterable[tuple[Storage, int]]) -> dict[int, tuple[int, Storage]]:
    """The steps that make the storages of activations, by the storages' ids."""
    births: dict[int, tuple[int, Storage]] = {}
    for position, step in enumerate(schedule.steps):
        for storage in storages((*step.outputs, *step.operands)):
            if storage.kind in (ACTIVATION, GIVEN):
                births.setdefault(id(storage), (position, storage))
    for storage, position in kept:
        if storage.kind in (ACTIVATION, GIVEN):
            births.setdefault(id(storage), (position, storage))
    return births


def _changes(schedule: Schedule, kept: Sequence[tuple[Storage, int]]) -> Iterator[tuple[int, Storage, Dim]]:
    """How many more of a storage are alive from the step at a position on, fewer where the count is negative."""
    births = _births(schedule, kept)
    deaths: dict[int, int] = {}
    for position, step in enumerate(schedule.steps):
        for storage in storages((*step.outputs, *step.operands)):
            deaths[id(storage)] = position
    for storage, position in schedule.holds:
        if id(storage) in deaths:
            deaths[id(storage)] = max(deaths[id(storage)], position)
    lasting = {id(storage) for storage in storages(schedule.outputs)}
    lasting.update(id(storage) for storage, _ in kept)
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


def step_bytes(schedule: Schedule, keeping: Sequence[Kept], backward: BackwardPass, fresh: bool = False) -> list[Dim]:
    """The bytes alive after each kernel of a training step: of the forward pass, then of the backward pass.

    Of a repetition that stands for several, in the forward pass of the last of them, in the backward pass of the one
    with most: the first that runs, or with `fresh` the first or the last.

    A new gradient of a parameter counts until it has been added to the gradients that are there already; with `fresh`
    there are none, and it stays.
    """
    count = len(schedule.steps)
    deltas: list[Dim] = [0] * (count + len(backward.kernels) + 1)
    grown: dict[int, Dim] = {}
    for position, storage, number, group in _step_changes(schedule, keeping, backward, fresh):
        deltas[position] += storage.bytes * number
        if group >= 0:
            grown[group] = grown.get(group, 0) + storage.bytes * number
    total: Dim = 0
    alive = []
    for position in range(len(deltas) - 1):
        total = total + deltas[position]
        scratch = _scratch(schedule.steps[position]) if position < count else []
        alive.append(total + sum(storage.bytes for storage in scratch))
    for group in grown if fresh else ():
        more = maximum(grown[group], 0)
        for position in range(*backward.groups[group]):
            alive[count + position] += more
    return alive


def alive_in_step(
    schedule: Schedule, position: int, keeping: Sequence[Kept], backward: BackwardPass
) -> list[tuple[Storage, Dim]]:
    """The storages that `step_bytes` counts after the kernel at a position, and how many there are of each."""
    changes = [
        (when, storage, number) for when, storage, number, _ in _step_changes(schedule, keeping, backward, False)
    ]
    scratch = _scratch(schedule.steps[position]) if position < len(schedule.steps) else []
    return _counted(changes, position) + [(storage, 1) for storage in scratch]


def _step_changes(
    schedule: Schedule, keeping: Sequence[Kept], backward: BackwardPass, fresh: bool
) -> Iterator[tuple[int, Storage, Dim, int]]:
    """As `_changes`, for the forward and the backward pass; and the group whose repetitions' end it is, or -1."""
    count = len(schedule.steps)
    kept = [(item.storage, item.position) for item in keeping]
    for position, storage, number in _changes(schedule, kept):
        yield position, storage, number, -1
    made = _births(schedule, kept)
    staying = _loss(schedule)
    leaving = dict.fromkeys([*(id(storage) for storage, _ in kept), *map(id, storages(schedule.outputs))])
    for key in leaving:
        if key not in made or key in staying:
            continue
        birth, storage = made[key]
        kernel, step = backward.releases.get(key, (-1, -1))
        yield from _leaving(schedule, backward, birth, storage, count + kernel + 1, step)
    complete = {id(gradient.storage): gradient for gradient in backward.gradients}
    for life in backward.lives:
        yield count + life.birth, life.storage, 1, -1
        gradient = complete.get(id(life.storage))
        goes = not fresh or gradient is None or gradient.copied
        many = schedule.groups[life.group].times if life.group >= 0 else 1
        if life.group >= 0:
            yield count + life.birth + 1, life.storage, many - 1, -1
        if life.group >= 0 and goes:
            start, stop = backward.groups[life.group]
            before = life.death < start
            when = life.death + 1 if before else stop
            yield count + when, life.storage, -(many - 1), -1 if before else life.group
        if goes:
            yield count + life.death + 1, life.storage, -1, -1
        else:
            yield from _grown(schedule, backward, life.birth, life.storage, many)
    for gradient in backward.gradients if fresh else ():
        if gradient.copied:
            copy = attrs.evolve(gradient.storage, bytes=gradient.bytes)
            yield count + max(gradient.position, 0), copy, 1, -1
            yield from _grown(schedule, backward, gradient.position, copy)


def _leaving(
    schedule: Schedule, backward: BackwardPass, birth: int, storage: Storage, when: int, step: int
) -> Iterator[tuple[int, Storage, Dim, int]]:
    """How a kept storage goes: by itself where the step that lets it go is outside the block that makes it many; in the
    block each repetition lets one go, all but the first by the end of theirs."""
    inside: Dim = 1
    together: Dim = 1
    for index, group in enumerate(schedule.groups):
        if not group.start <= birth < group.stop:
            continue
        if group.block[0] <= step < group.block[1]:
            end = len(schedule.steps) + backward.groups[index][1]
            yield end, storage, -(inside * (group.times - 1)), index
        else:
            together = together * group.times
        inside = inside * group.times
    yield when, storage, -together, -1


def _grown(
    schedule: Schedule, backward: BackwardPass, birth: int, storage: Storage, many: Dim = 1
) -> Iterator[tuple[int, Storage, Dim, int]]:
    """How many more of a gradient there are when all repetitions of the groups around its kernel have run, which makes
    `many` of it."""
    inside = many
    for index, group in enumerate(schedule.groups):
        start, stop = backward.groups[index]
        if start <= birth < stop:
            yield len(schedule.steps) + stop, storage, inside * (group.times - 1), index
            inside = inside * group.times


def _loss(schedule: Schedule) -> set[int]:
    """The ids of the outputs' storages that are there to the end: a loss, or all of them where there is none."""
    outputs = schedule.outputs
    return {id(s) for s in storages(outputs[:1] if outputs and outputs[0].spec.shape == () else outputs)}


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
    keeps = not step.region or step.output_saved
    if step.operator is None or (keeps and any(output.needs_grad for output in step.outputs)):
        return []
    specs = [operand.spec for operand in step.operands]
    own = [item.spec for item in saved_tensors(step.operator, specs, step.attributes) if item.kind == OWN]
    return [Storage(spec.bytes, ACTIVATION, step.node.name, step.weight, spec.dtype) for spec in own]
