"""Liveness: how many bytes of activations are alive after each kernel of a pass or of a training step.

A storage is alive from the kernel that makes it to the last one that reads it or a view of it, until its scope ends if
eager code holds it in a variable, and to the end if it is saved for the backward pass or leaves the graph. What an
earlier step left is alive from the start. Parameters, inputs and tables are there all the time and are not counted.

A pass without gradients is a step with `NO_BACKWARD_PASS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from graphacct.dims import Dim, maximum, minimum
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.gradient_reach import started as tensors_started
from graphacct.execution.kernels import ACTIVATION, PREEXISTING, KernelCall, Schedule, Storage, storages
from graphacct.execution.saved_storages import SavedUse
from graphacct.execution.spans import spans_around
from graphacct.operators.saves import OWN, remembered

Change: TypeAlias = tuple[int, Storage, Dim, int]
"""From the call of this index on, so many more of a storage are alive (fewer if negative); and the span at the end of
whose repetitions that is, or -1. Calls of the backward pass are numbered on from those of the forward pass."""


Around: TypeAlias = Mapping[int, Sequence[int]]
"""For a call, the indices of the spans that it is in (`spans_around`)."""


def live_bytes(
    schedule: Schedule,
    saved: Sequence[SavedUse] = (),
    backward: BackwardPass = NO_BACKWARD_PASS,
    fresh: bool = False,
) -> list[Dim]:
    """Returns the bytes alive after each kernel: of the forward pass, then of the backward pass.

    `saved` has a use of each storage that stays for the backward pass, made by that use if no kernel puts it out. A
    repetition that stands for several counts what it leaves behind as often. The bytes are those of the last of them
    in the forward pass; in the backward pass those of the first that runs, or with `fresh` of the first or the last,
    whichever has more.

    A new gradient of a parameter counts until it has been added to the gradients that are there already; with `fresh`
    there are none, and it stays.
    """
    count = len(schedule.calls)
    deltas: list[Dim] = [0] * (count + len(backward.calls) + 2)
    grown: dict[int, Dim] = {}
    copying = {count + max(gradient.position, 0) for gradient in backward.gradients if fresh and gradient.copied}
    freed: dict[int, Dim] = {}  # what goes after these calls
    for position, storage, number, span in _changes(schedule, saved, backward, fresh):
        deltas[position] += storage.bytes * number
        if position - 1 in copying:
            freed[position - 1] = freed.get(position - 1, 0) - storage.bytes * minimum(number, 0)
        if span >= 0:
            grown[span] = grown.get(span, 0) + storage.bytes * number
    total: Dim = 0
    alive = []
    for position in range(count + len(backward.calls)):
        total = total + deltas[position]
        scratch = _scratch(schedule.calls[position]) if position < count else []
        alive.append(total + sum(storage.bytes for storage in scratch))
    for position, most in _while_copying(backward, count, alive, freed) if fresh else ():
        alive[position] = maximum(alive[position], most)
    for span in grown if fresh else ():
        more = maximum(grown[span], 0)
        for position in range(*backward.spans[span]):
            alive[count + position] += more
    return alive


def _while_copying(
    backward: BackwardPass, count: int, alive: Sequence[Dim], freed: Mapping[int, Dim]
) -> Iterator[tuple[int, Dim]]:
    """Yields the bytes alive while gradients are copied, which is no kernel of the pass: by the call after which each
    is. What the call read is gone by then, the gradient that is copied is not."""
    deaths = {life.storage: life.death for life in backward.lives}
    copies: dict[int, Dim] = {}
    for gradient in backward.gradients:
        if gradient.copied:
            position = count + max(gradient.position, 0)
            copies[position] = copies.get(position, 0) + gradient.bytes
            source = gradient.storage.bytes if deaths.get(gradient.storage) == gradient.position else 0
            yield position, alive[position] - freed.get(position, 0) + source + copies[position]


def live_storages(
    schedule: Schedule,
    position: int,
    saved: Sequence[SavedUse] = (),
    backward: BackwardPass = NO_BACKWARD_PASS,
) -> list[tuple[Storage, Dim]]:
    """Returns the storages that `live_bytes` counts after the kernel at a position, and how many of each."""
    counts: dict[Storage, Dim] = {}
    for when, storage, number, _ in _changes(schedule, saved, backward, False):
        if when <= position:
            counts[storage] = counts.get(storage, 0) + number
    living = [(storage, number) for storage, number in counts.items() if type(number) is not int or number]
    scratch = _scratch(schedule.calls[position]) if position < len(schedule.calls) else []
    return living + [(storage, 1) for storage in scratch]


def _changes(schedule: Schedule, saved: Sequence[SavedUse], backward: BackwardPass, fresh: bool) -> Iterator[Change]:
    """Yields how the number of each storage changes over a step; the bytes after a kernel sum all changes up to it.

    One repetition of a block may stand for many, which differ in nothing but in what the earlier ones leave behind. A
    change says so: `2 more of these from here on`. Take a relu of 4 bytes in 7 layers, saved. Layers 0, 1, 5 and 6 are
    written out and the middle call, a span, stands for layers 2 to 4:

        forward call   0   1   2   3   4      +1 at each call; +2 more at call 2, which layers 2 and 3 left behind
        alive          4   8  20  24  28

    So the middle row is that of the last of the three layers, and the end that of 7. In the backward pass the middle
    row is that of the first of the three to run, when all that they saved is there. Its call frees its own storage, and
    the two of the others go at the end of the span (`_releases`):

        backward call  0   1   2   3   4      -1 after each call; -2 more after call 2
        alive         28  24  20   8   4
    """
    count = len(schedule.calls)
    births = _births(schedule, saved)
    around = spans_around((span.start, span.stop) for span in schedule.spans)
    later = spans_around(backward.spans) if fresh else {}
    started = storages(leaf for leaf in tensors_started(schedule) if backward.calls)
    leaving = dict.fromkeys([*(use.storage for use in saved), *storages(schedule.outputs), *started])
    yield from _forward_changes(schedule, around, births, leaving)
    staying = {*_loss(schedule), *started}
    for storage in leaving:
        if storage in births and storage not in staying:
            kernel, position = backward.releases.get(storage, (-1, -1))
            yield from _releases(schedule, around, backward, births[storage], storage, count + kernel + 1, position)
    # what the backward pass makes; a parameter's complete gradient stays if the step starts without gradients
    complete = {gradient.storage: gradient for gradient in backward.gradients}
    read = _reads(schedule, {gradient.parameter for gradient in backward.gradients}) if fresh else {}
    for life in backward.lives:
        yield count + life.birth, life.storage, 1, -1
        gradient = complete.get(life.storage)
        goes = not fresh or gradient is None or gradient.copied
        many = schedule.spans[life.span].times if life.span >= 0 else 1
        if life.span >= 0:  # a part of a stack's gradient, of which each repetition has one from the start
            yield count + life.birth + 1, life.storage, many - 1, -1
        if life.span >= 0 and goes:
            start, stop = backward.spans[life.span]
            before = life.death < start
            when = life.death + 1 if before else stop
            yield count + when, life.storage, -(many - 1), -1 if before else life.span
        if goes:
            yield count + life.death + 1, life.storage, -1, -1
        elif gradient is not None:
            yield from _accumulated(schedule, later, backward, life.birth, life.storage, read[gradient.parameter], many)
    # torch copies a gradient whose storage others have too: the copy is what stays
    for gradient in backward.gradients if fresh else ():
        if gradient.copied:
            copy = attrs.evolve(gradient.storage, bytes=gradient.bytes)
            yield count + max(gradient.position, 0) + 1, copy, 1, -1
            yield from _accumulated(schedule, later, backward, gradient.position, copy, read[gradient.parameter])


def _births(schedule: Schedule, saved: Iterable[SavedUse]) -> dict[Storage, int]:
    """Returns the storages of activations with the positions of the calls that make them."""
    births = {
        storage: first for storage, (first, _) in schedule.uses.items() if storage.kind in (ACTIVATION, PREEXISTING)
    }
    for use in saved:
        if use.storage.kind in (ACTIVATION, PREEXISTING):
            births.setdefault(use.storage, use.position)
    return births


def _forward_changes(
    schedule: Schedule, around: Around, births: dict[Storage, int], lasting: Iterable[Storage]
) -> Iterator[Change]:
    """Yields the changes of the forward pass, at whose end the `lasting` storages are alive."""
    deaths = {storage: last for storage, (_, last) in schedule.uses.items()}
    for storage, position in schedule.holds:
        if storage in deaths:
            deaths[storage] = max(deaths[storage], position)
    stays = set(lasting)
    for storage, birth in births.items():
        made: Dim = 1
        staying: Dim = 1
        for position, others, left in _earlier(schedule, around, birth, storage, storage in stays):
            yield position, storage, left - others if storage.kind == PREEXISTING else left, -1
            made = made + others
            staying = staying + left
        yield (0, storage, made, -1) if storage.kind == PREEXISTING else (birth, storage, 1, -1)
        if storage not in stays:
            yield deaths[storage] + 1, storage, -staying, -1


def _earlier(
    schedule: Schedule, around: Around, birth: int, storage: Storage, lasting: bool
) -> Iterator[tuple[int, Dim, Dim]]:
    """Yields for each span around a storage's birth its start, how many such storages all repetitions but the last make
    there, and how many of those they leave behind: all if it lasts or is stacked up there, otherwise none."""
    made: Dim = 1
    staying: Dim = 1
    for index in around.get(birth, ()):  # inner ones come before the ones around them
        span = schedule.spans[index]
        left_behind = lasting or (storage, span.start) in schedule.left_behind
        yield span.start, made * (span.times - 1), staying * (span.times - 1) if left_behind else 0
        made = made * span.times
        staying = staying * span.times if left_behind else staying


def _releases(
    schedule: Schedule,
    around: Around,
    backward: BackwardPass,
    birth: int,
    storage: Storage,
    when: int,
    position: int,
) -> Iterator[Change]:
    """Yields how the backward pass frees a saved storage, `when` the node of the forward call at `position` has run.

    If that call is outside the block that makes the storage many, all of them go together then (the keys of all layers
    that a last call reads). If it is in the block, each repetition frees its own, all but the first by the end of the
    span.
    """
    inside: Dim = 1
    together: Dim = 1
    for index in around.get(birth, ()):
        span = schedule.spans[index]
        if span.block[0] <= position < span.block[1]:
            end = len(schedule.calls) + backward.spans[index][1]
            yield end, storage, -(inside * (span.times - 1)), index
        else:
            together = together * span.times
        inside = inside * span.times
    yield when, storage, -together, -1


def _reads(schedule: Schedule, parameters: Collection[Storage]) -> dict[Storage, tuple[int, int]]:
    """Returns the first and the last forward call that reads each of the parameters."""
    found: dict[Storage, tuple[int, int]] = {}
    for position, call in enumerate(schedule.calls):
        for storage in storages(call.operands):
            if storage in parameters:
                found[storage] = (found.get(storage, (position, position))[0], position)
    return found


def _accumulated(
    schedule: Schedule,
    around: Around,
    backward: BackwardPass,
    birth: int,
    storage: Storage,
    read: tuple[int, int],
    many: Dim = 1,
) -> Iterator[Change]:
    """Yields how many more of a gradient that stays there are when all repetitions of the spans around its kernel have
    run, which makes `many` of it.

    `read` has the first and the last call that reads its parameter. If one of them is outside a span, the repetitions
    share the parameter and its gradient: one is made, though in the span.
    """
    inside = many
    for index in around.get(birth, ()):
        span, stop = schedule.spans[index], backward.spans[index][1]
        if span.start <= read[0] and read[1] < span.stop:
            yield len(schedule.calls) + stop, storage, inside * (span.times - 1), index
            inside = inside * span.times


def _loss(schedule: Schedule) -> set[Storage]:
    """Returns the outputs' storages that are there to the end: a loss, or all of them without one."""
    outputs = schedule.outputs
    return set(storages(outputs[:1] if outputs and outputs[0].spec.shape == () else outputs))


def _scratch(call: KernelCall) -> list[Storage]:
    """Returns what a kernel puts out beside its outputs (statistics, masks) and nothing saves."""
    saves = not call.region or call.output_saved
    if call.operator is None or (saves and any(output.needs_grad for output in call.outputs)):
        return []
    specs = [operand.spec for operand in call.operands]
    saved = remembered(call.operator, call.application, specs, call.attributes, None)
    own = [item.spec for item in saved if item.kind == OWN]
    return [Storage(spec.bytes, ACTIVATION, call.node.name, call.count, spec.dtype) for spec in own]
