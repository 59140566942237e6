"""What a training step keeps for its backward pass: the union of the storages that its kernels save.

A kernel saves what its operator declares, when a gradient flows through it. The same storage saved twice is kept once,
a view keeps its source's storage, and parameters, inputs and tables are there anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct.dims import Dim
from graphacct.saved import OPERAND, OWN, saved_tensors
from graphacct.schedule import ACTIVATION, Schedule, Step, Storage, storages


@attrs.frozen
class Kept:
    """A storage that is kept.

    Attributes:
        storage: The storage.
        node: The node whose backward pass keeps it: the first one, where several do.
        name: The operand, output or own tensor that it is there.
        why: The reason, as the operator states it.
        position: The position in the schedule of the kernel that saves it.
    """

    storage: Storage
    node: str
    name: str
    why: str
    position: int

    @property
    def bytes(self) -> Dim:
        """Its bytes, all repetitions that it stands for included."""
        return self.storage.bytes * self.storage.weight


def kept(schedule: Schedule) -> list[Kept]:
    """The storages that the backward pass of a schedule keeps, each once, in the order in which they are saved.

    Of every kind; those of kind `activation` are what training needs on top of the model and its inputs.
    """
    result: dict[int, Kept] = {}
    regions: dict[int, int] = {}
    for position, step in enumerate(schedule.steps):
        if step.region:
            regions.update((id(storage), step.region) for storage in storages(step.outputs))
        if step.operator is None or not any(output.needs_grad for output in step.outputs):
            continue
        for storage, name, why in _saved(step) if not step.region else _entering(step, regions):
            result.setdefault(id(storage), Kept(storage, step.node.name, name, why, position))
    return list(result.values())


def saved_bytes(schedule: Schedule) -> Dim:
    """The bytes of activations that the backward pass of a schedule keeps."""
    total: Dim = 0
    for item in kept(schedule):
        if item.storage.kind == ACTIVATION:
            total = total + item.bytes
    return total


def _entering(step: Step, regions: Mapping[int, int]) -> list[tuple[Storage, str, str]]:
    """What a recomputed kernel gets from outside its region."""
    outside = [storage for storage in storages(step.operands) if regions.get(id(storage)) != step.region]
    return [(storage, "operand", "the recomputation starts from it") for storage in outside]


def _saved(step: Step) -> list[tuple[Storage, str, str]]:
    """The storages that one kernel saves."""
    assert step.operator is not None
    terms = step.operator.signature.inputs
    wanted = {
        terms[min(index, len(terms) - 1)].name for index, operand in enumerate(step.operands) if operand.needs_grad
    }
    specs = [operand.spec for operand in step.operands]
    found: list[tuple[Storage, str, str]] = []
    for item in saved_tensors(step.operator, specs, step.attributes, wanted):
        if item.kind == OWN:
            own = Storage(item.spec.bytes, ACTIVATION, step.node.name, step.weight, item.spec.dtype)
            found.append((own, item.name, item.why))
        else:
            tensor = (step.operands if item.kind == OPERAND else step.outputs)[item.index]
            found.extend((storage, item.name, item.why) for storage in tensor.storages)
    return found
