"""Live tensors: what is alive after a kernel, with equal tensors in one row."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.kernels import PREEXISTING, RECOMPUTE, Schedule, storages
from graphacct.execution.saved_storages import SavedUse
from graphacct.footprint.liveness import live_storages


@attrs.frozen(repr=False)
class LiveTensor:
    """What is alive after a kernel.

    Attributes:
        node: The node that made it.
        count: How many tensors of this size there are, over all repetitions.
        bytes: Bytes of all of them.
        kept_by: The node that saves it for its backward pass; empty for what is freed before that.
        why: Why it is there, in that node's words if it is saved.
    """

    node: str
    count: Dim
    bytes: Dim
    kept_by: str
    why: str


def live_tensors(
    schedule: Schedule,
    position: int,
    saved: Sequence[SavedUse],
    caching: Collection[str] = (),
    backward: BackwardPass = NO_BACKWARD_PASS,
) -> tuple[LiveTensor, ...]:
    """Returns what is alive after the kernel at a position, alike tensors together, the largest first.

    Positions are those of the forward pass, then those of the backward pass. `caching` names the nodes whose outputs
    stay in a cache.
    """
    reasons = {use.storage: (use.call.node.name, use.why) for use in saved}
    caches = [output for call in schedule.calls if call.node.name in caching for output in call.outputs]
    for tensors, why in ((caches, "the cache, from now on"), (schedule.outputs, "an output of the model")):
        for storage in storages(tensors):
            reasons.setdefault(storage, ("", why))
    for life in backward.lives:
        rerun = backward.calls[life.birth].run == RECOMPUTE
        reasons[life.storage] = ("", "recomputed" if rerun else "of the backward pass, in use")
    reasons.update((gradient.storage, ("", "a parameter's new gradient")) for gradient in backward.gradients)
    counts: dict[tuple[str, Dim, str, str], Dim] = {}
    for storage, count in live_storages(schedule, position, saved, backward):
        other = ("", "the cache as it was, in use" if storage.kind == PREEXISTING else "in use")
        key = (storage.owner, storage.bytes, *reasons.get(storage, other))
        counts[key] = counts.get(key, 0) + count
    found = [LiveTensor(node, count, size * count, *reason) for (node, size, *reason), count in counts.items()]
    return tuple(sorted(found, key=lambda item: -item.bytes))
