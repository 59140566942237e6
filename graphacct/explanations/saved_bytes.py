"""The tensors that one node's backward pass needs, where they are stored, and which of them count at this node.

A storage counts at the node that saves it first. Parameters, inputs and tables do not count, since they exist anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from graphacct.dims import Dim, dim_text
from graphacct.execution.kernels import ACTIVATION, INPUT, PARAMETER, TABLE
from graphacct.execution.saved_storages import SavedUse, saved_storages
from graphacct.footprint.activations import Activations

ELSEWHERE = {
    PARAMETER: "not counted: a parameter",
    INPUT: "not counted: an input of the model",
    TABLE: "not counted: a table that was made with the model",
}


@attrs.frozen
class SavedRow:
    """Equal tensors that a node's backward pass needs.

    Attributes:
        name: The operand, output or own tensor of the kernel.
        kernel: The kernel's operator; a node may run as several.
        tensor: Shape and dtype, as text.
        made_by: The node, input or parameter that its storage comes from.
        view: Whether it is a view of that storage, which is saved whole.
        why: The kernel's reason.
        counted: Empty if the bytes count here, otherwise where they count, or why they do not.
        bytes: Of one storage.
        times: The number of storages.
        total: The bytes of all of them that count here.
        copied: Whether it is a copy of what the kernel, which runs in place, overwrites.
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
    copied: bool = False


def saved_rows(run: Activations) -> dict[str, tuple[SavedRow, ...]]:
    """Returns the tensors that each node's backward pass needs: first those that count there, the largest first, then
    the rest.

    The totals of a node's rows add up to its `saved_bytes`.
    """
    views = {tensor for call in run.schedule.calls if call.view for tensor in call.outputs}
    first = {use.storage: use for use in saved_storages(run.uses)}
    nodes: dict[str, dict[tuple[str, ...], SavedRow]] = {}
    for use in run.uses:
        call, storage = use.call, use.storage
        counted = _counted(use, first[storage])
        times = call.count if counted else storage.count
        row = SavedRow(
            use.name,
            "" if call.operator is None else call.name,
            str(use.tensor.spec),
            storage.owner,
            storage.kind == ACTIVATION and (use.tensor in views or bool(use.tensor.others)),
            use.why,
            counted,
            storage.bytes,
            times,
            0 if counted else storage.bytes * times,
            use.tensor is call.overwritten,
        )
        found = nodes.setdefault(call.node.name, {})
        key = (row.name, row.kernel, row.tensor, row.made_by, str(row.view), row.why, counted, dim_text(row.bytes))
        known = found.get(key)
        if known is not None:
            row = attrs.evolve(known, times=known.times + row.times, total=known.total + row.total)
        found[key] = row
    return {node: _ordered(found.values()) for node, found in nodes.items()}


def _ordered(found: Iterable[SavedRow]) -> tuple[SavedRow, ...]:
    rows = list(found)
    here = [row for row in rows if not row.counted]
    if all(type(row.total) is int for row in here):
        here.sort(key=lambda row: -row.total)
    return (*here, *(row for row in rows if row.counted))


def _counted(use: SavedUse, first: SavedUse) -> str:
    """Returns where a storage counts instead of at this use; empty if it counts here."""
    storage = use.storage
    if any(item.buffer and storage.owner in (item.name, item.tied_to) for item in use.call.node.parameters):
        return "not counted: a buffer"
    if storage.kind != ACTIVATION:
        return ELSEWHERE.get(storage.kind, f"not counted: {storage.kind}")
    if first is use:
        return ""
    if use.call.node.name != first.call.node.name:
        return f"kept by {first.call.node.name}, counted there"
    if first.call is use.call:
        return f"the storage of {first.name}, counted with it"
    return f"kept already as {first.name} of an earlier {first.call.name if first.call.operator else 'kernel'} here"
