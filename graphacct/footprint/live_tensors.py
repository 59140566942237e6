"""Residents: what is alive after a kernel, alike tensors together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.kernels import GIVEN, Schedule, storages
from graphacct.execution.saved_storages import Kept
from graphacct.footprint.liveness import alive_in_step


@attrs.frozen
class Resident:
    """What is alive after a kernel.

    Attributes:
        node: The node that made it.
        count: How many tensors of this size there are, over all repetitions.
        bytes: Bytes of all of them.
        kept_by: The node whose backward pass keeps it; empty for what will be gone by then.
        why: Why it is there, in that node's words where it is kept.
    """

    node: str
    count: Dim
    bytes: Dim
    kept_by: str
    why: str


def residents(
    steps: Schedule,
    position: int,
    keeping: Sequence[Kept],
    caching: Collection[str] = (),
    backward: BackwardPass = NO_BACKWARD_PASS,
) -> tuple[Resident, ...]:
    """What is alive after a kernel, of the forward pass or of the backward pass behind it, alike tensors together, the
    largest first; `caching` names the nodes whose outputs are left in a cache."""
    reasons = {id(item.storage): (item.node, item.why) for item in keeping}
    caches = [output for step in steps.steps if step.node.name in caching for output in step.outputs]
    for tensors, why in ((caches, "the cache, from now on"), (steps.outputs, "an output of the model")):
        reasons.update((id(storage), ("", why)) for storage in storages(tensors) if id(storage) not in reasons)
    for life in backward.lives:
        again = backward.kernels[life.birth].again
        reasons[id(life.storage)] = ("", "recomputed" if again else "of the backward pass, in use")
    whole = [gradient.storage for gradient in backward.gradients]
    reasons.update((id(storage), ("", "a parameter's new gradient")) for storage in whole)
    counts: dict[tuple[str, Dim, str, str], Dim] = {}
    for storage, count in alive_in_step(steps, position, keeping, backward):
        other = ("", "the cache as it was, in use" if storage.kind == GIVEN else "in use")
        key = (storage.owner, storage.bytes, *reasons.get(id(storage), other))
        counts[key] = counts.get(key, 0) + count
    found = [Resident(node, count, size * count, *reason) for (node, size, *reason), count in counts.items()]
    return tuple(sorted(found, key=lambda item: -item.bytes))
