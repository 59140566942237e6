"""What a training step keeps for its backward pass: the union of the storages that its kernels save.

A kernel saves what its operator declares, when a gradient flows through it. The same storage saved twice is kept once,
a view keeps its source's storage, and parameters, inputs and tables are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.execution.kernels import ACTIVATION, Schedule, Step, Storage, Tensor, storages
from graphacct.operators.saves import OPERAND, OUTPUT, OWN, saved_tensors
from graphacct.tensors import TensorSpec


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


@attrs.frozen
class Saving:
    """A storage that a kernel saves, whether or not another one has saved it before.

    Attributes:
        storage: The storage.
        tensor: The tensor that lies in it; None for one of the kernel's own.
        spec: The tensor's shape and dtype.
        name: The operand, output or own tensor that it is there.
        why: The reason, as the operator states it.
        position: The kernel's position in the schedule.
    """

    storage: Storage
    tensor: Tensor | None
    spec: TensorSpec
    name: str
    why: str
    position: int


def kept(schedule: Schedule, saving: Iterable[Saving] | None = None) -> list[Kept]:
    """The storages that the backward pass of a schedule keeps, each once, in the order in which they are saved.

    Of every kind; those of kind `activation` are what training needs on top of the model and its inputs. `saving` is
    what `savings` gives, where it is known already.
    """
    result: dict[int, Kept] = {}
    for item in savings(schedule) if saving is None else saving:
        node = schedule.steps[item.position].node.name
        result.setdefault(id(item.storage), Kept(item.storage, node, item.name, item.why, item.position))
    return list(result.values())


def savings(schedule: Schedule) -> Iterator[Saving]:
    """What each kernel of a schedule saves, in order, the same storage as often as it is saved."""
    regions: dict[int, int] = {}
    serving = _serving(schedule.steps)
    for position, step in enumerate(schedule.steps):
        if step.region:
            read = {id(storage) for storage in storages(step.operands)}
            made = [storage for storage in storages(step.outputs) if id(storage) not in read]  # a view makes none
            regions.update((id(storage), step.region) for storage in made)
        if not step.region:
            yield from saved_by(step, position)
        elif position in serving:
            yield from _entering(step, position, regions)
            if step.output_saved:
                yield from _spared(step, position)


def saved_bytes(schedule: Schedule) -> Dim:
    """The bytes of activations that the backward pass of a schedule keeps."""
    total: Dim = 0
    for item in kept(schedule):
        if item.storage.kind == ACTIVATION:
            total = total + item.bytes
    return total


def _serving(steps: Sequence[Step]) -> set[int]:
    """The recomputed kernels through which a gradient flows, and those that make something for one of their region."""
    found: set[int] = set()
    wanted: set[tuple[int, int]] = set()
    for position in range(len(steps) - 1, -1, -1):
        step = steps[position]
        if not step.region:
            continue
        if _flows(step) or any((step.region, id(storage)) in wanted for storage in storages(step.outputs)):
            found.add(position)
            wanted.update((step.region, id(storage)) for storage in _read_again(step, position))
    return found


def _read_again(step: Step, position: int) -> list[Storage]:
    """The operands' storages that the backward pass of a region needs: all that a kernel which is run again reads, and
    what one whose outputs are kept saves."""
    operands = storages(step.operands)
    if not step.output_saved:
        return operands
    saved = {id(item.storage) for item in saved_by(step, position)}
    return [storage for storage in operands if id(storage) in saved]


def _spared(step: Step, position: int) -> Iterator[Saving]:
    """What a kernel of a region that is not run again keeps: its outputs, and what it makes for its backward pass."""
    for tensor in step.outputs:
        for storage in tensor.storages:
            yield Saving(storage, tensor, tensor.spec, OUTPUT, "the recomputation takes it as it is", position)
    yield from (item for item in saved_by(step, position) if item.tensor is None)


def _entering(step: Step, position: int, regions: Mapping[int, int]) -> Iterator[Saving]:
    """What a recomputed kernel gets from outside its region."""
    read = {id(storage) for storage in _read_again(step, position)}
    for tensor in step.operands:
        for storage in tensor.storages:
            # the copy of a parameter is made again
            if id(storage) in read and regions.get(id(storage)) != step.region and not storage.copy_of:
                why = "the recomputation starts from it"
                yield Saving(storage, tensor, tensor.spec, "operand", why, position)


def _flows(step: Step) -> bool:
    """Whether a gradient flows through a kernel whose operator is known."""
    return step.operator is not None and any(output.needs_grad for output in step.outputs)


def saved_by(step: Step, position: int) -> Iterator[Saving]:
    """The storages that one kernel saves when it runs, be it for the first time or again."""
    if step.operator is None or not _flows(step):
        return
    terms = step.operator.signature.inputs
    wanted = {
        terms[min(index, len(terms) - 1)].name for index, operand in enumerate(step.operands) if operand.needs_grad
    }
    specs = [operand.spec for operand in step.operands]
    for item in saved_tensors(step.operator, specs, step.attributes, wanted):
        if item.kind == OWN:
            own = Storage(item.spec.bytes, ACTIVATION, step.node.name, step.weight, item.spec.dtype)
            yield Saving(own, None, item.spec, item.name, item.why, position)
        else:
            tensor = (step.operands if item.kind == OPERAND else step.outputs)[item.index]
            for storage in tensor.storages:
                yield Saving(storage, tensor, tensor.spec, item.name, item.why, position)
