"""Keepings: what one node's backward pass needs, where it is, and for which of it the node is accountable.

A storage counts at the node that is the first to keep it; parameters, inputs and tables are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from graphacct.dims import Dim, text
from graphacct.execution.kernels import ACTIVATION, INPUT, PARAMETER, TABLE, Schedule
from graphacct.execution.saved_storages import Saving, kept, savings
from graphacct.footprint.live_tensors import Resident, residents
from graphacct.footprint.liveness import live_bytes

ELSEWHERE = {
    PARAMETER: "not counted: a parameter",
    INPUT: "not counted: an input of the model",
    TABLE: "not counted: a table that was made with the model",
}


@attrs.frozen
class Keeping:
    """Tensors that a node's backward pass needs, alike ones together.

    Attributes:
        name: The operand, output or own tensor of the kernel.
        kernel: The kernel's operator; a node may run as several.
        tensor: Shape and dtype, as text.
        made_by: The node, input or parameter that its storage comes from.
        view: Whether it is a view of that storage, which is kept whole.
        why: The kernel's reason.
        counted: Empty where the bytes count here, or else where they count, or why they do not.
        bytes: Of one storage.
        times: How many there are.
        total: What counts here, of all of them.
    """

    name: str
    kernel: str
    tensor: str
    made_by: str
    view: bool
    why: str
    counted: str
    bytes: Dim
    times: Dim
    total: Dim


def keepings(schedule: Schedule) -> dict[str, tuple[Keeping, ...]]:
    """What each node's backward pass needs: first what counts there, the largest first, then the rest.

    The totals of a node's add up to its `saved_bytes`.
    """
    views = {
        id(tensor)
        for step in schedule.steps
        if step.application is not None and step.application.view
        for tensor in step.outputs
    }
    every = list(savings(schedule))  # the storages of its own that a kernel keeps live as long as this list
    first: dict[int, Saving] = {}
    for saving in every:
        first.setdefault(id(saving.storage), saving)
    nodes: dict[str, dict[tuple[str, ...], Keeping]] = {}
    for saving in every:
        step, storage = schedule.steps[saving.position], saving.storage
        counted = _counted(saving, first[id(storage)], schedule)
        times = step.weight if counted else storage.weight
        item = Keeping(
            saving.name,
            "" if step.operator is None else step.operator.name,
            str(saving.spec),
            storage.owner,
            storage.kind == ACTIVATION and (id(saving.tensor) in views or _gathered(saving)),
            saving.why,
            counted,
            storage.bytes,
            times,
            0 if counted else storage.bytes * times,
        )
        found = nodes.setdefault(step.node.name, {})
        key = (item.name, item.kernel, item.tensor, item.made_by, str(item.view), item.why, counted, text(item.bytes))
        known = found.get(key)
        if known is not None:
            item = attrs.evolve(known, times=known.times + item.times, total=known.total + item.total)
        found[key] = item
    return {node: _ordered(found.values()) for node, found in nodes.items()}


def _ordered(found: Iterable[Keeping]) -> tuple[Keeping, ...]:
    items = list(found)
    here = [item for item in items if not item.counted]
    if all(type(item.total) is int for item in here):
        here.sort(key=lambda item: -item.total)
    return (*here, *(item for item in items if item.counted))


def _counted(saving: Saving, keeper: Saving, schedule: Schedule) -> str:
    """Where a storage counts that does not count for this kernel; empty when it does."""
    if any(
        item.buffer and saving.storage.owner in (item.name, item.tied_to)
        for item in schedule.steps[saving.position].node.parameters
    ):
        return "not counted: a buffer"
    if saving.storage.kind != ACTIVATION:
        return ELSEWHERE.get(saving.storage.kind, f"not counted: {saving.storage.kind}")
    if keeper is saving:
        return ""
    ours, theirs = schedule.steps[saving.position], schedule.steps[keeper.position]
    if ours.node.name != theirs.node.name:
        return f"kept by {theirs.node.name}, counted there"
    if keeper.position == saving.position:
        return f"the storage of {keeper.name}, counted with it"
    return f"kept already as {keeper.name} of an earlier {theirs.operator.name if theirs.operator else 'kernel'} here"


def _gathered(saving: Saving) -> bool:
    """Whether it is a stack of several repetitions' results, each where it was made."""
    return saving.tensor is not None and bool(saving.tensor.others)


def alive(schedule: Schedule, node: str) -> tuple[Resident, ...]:
    """What is alive while a node runs, at the kernel of it at which the most is: together its `peak_bytes`.

    Empty where sizes are symbols or arrays, which have no largest.
    """
    keeping = [item for item in kept(schedule) if item.storage.kind == ACTIVATION]
    live = live_bytes(schedule, [(item.storage, item.position) for item in keeping])
    own = [position for position, step in enumerate(schedule.steps) if step.node.name == node]
    if not own or not all(type(live[position]) is int for position in own):
        return ()
    return residents(schedule, max(own, key=lambda position: live[position]), keeping)
