"""What a training step saves for its backward pass: the union of the storages that its kernels save.

A kernel saves what its operator declares, if a gradient flows through it. A storage that is saved twice takes its bytes
once, a view saves its source's storage, and parameters, inputs and tables are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.execution.kernels import ACTIVATION, KernelCall, Schedule, Storage, Tensor, storages
from graphacct.operators.saves import OPERAND, OUTPUT, OWN, remembered


@attrs.frozen(eq=False, repr=False)
class SavedUse:
    """A kernel call saves a storage, whether or not another call has saved it before.

    Attributes:
        storage: The storage.
        tensor: The tensor in it; a tensor of its own, such as a mask, is in no call's outputs.
        name: The name of the operand, output or own tensor (`Saved.name`).
        why: The reason, as the operator states it.
        call: The call.
        position: Its position in the schedule.
    """

    storage: Storage
    tensor: Tensor
    name: str
    why: str
    call: KernelCall
    position: int

    @property
    def bytes(self) -> Dim:
        """The storage's bytes, of all repetitions that it stands for."""
        return self.storage.bytes * self.storage.count


def saved_storages(uses: Iterable[SavedUse]) -> list[SavedUse]:
    """Returns the first use of each storage, in the order in which they are saved.

    They are of every kind; those of kind `activation` are what training needs beside the model and its inputs.
    """
    first: dict[Storage, SavedUse] = {}
    for use in uses:
        first.setdefault(use.storage, use)
    return list(first.values())


def saved_bytes(schedule: Schedule) -> Dim:
    """Returns the bytes of activations that a schedule saves for its backward pass."""
    return sum(use.bytes for use in saved_storages(saved_uses(schedule)) if use.storage.kind == ACTIVATION)


def saved_uses(schedule: Schedule) -> Iterator[SavedUse]:
    """Yields what each call of a schedule saves, in order, the same storage as often as it is saved.

    A call that is recomputed saves nothing of its own: what its region reads from outside is saved instead, if a call
    of the region needs it.
    """
    regions: dict[Storage, int] = {}  # where each storage of a recomputed region was made
    needed = _needed_by_recompute(schedule.calls)
    for position, call in enumerate(schedule.calls):
        if not call.region:
            yield from saved_by(call, position)
            continue
        read = set(storages(call.operands))
        regions.update((storage, call.region) for storage in storages(call.outputs) if storage not in read)  # no views
        if position in needed:
            yield from _entering(call, position, regions)
            if call.output_saved:
                yield from _spared(call, position)


def _needed_by_recompute(calls: Sequence[KernelCall]) -> set[int]:
    """Returns the recomputed calls that a gradient flows through, those that make something for such a call in the
    same region, and the arguments of a layer's function that no call reads, which a checkpoint keeps as well."""
    found: set[int] = set()
    wanted: set[tuple[int, Storage]] = set()
    for position in range(len(calls) - 1, -1, -1):
        call = calls[position]
        if not call.region:
            continue
        argument = call.operator is not None and call.operator.argument
        if argument or _flows(call) or any((call.region, storage) in wanted for storage in storages(call.outputs)):
            found.add(position)
            wanted.update((call.region, storage) for storage in _read_by_recompute(call, position))
    return found


def _read_by_recompute(call: KernelCall, position: int) -> list[Storage]:
    """Returns the operands' storages that a region's backward pass needs. A call that runs again needs all it reads;
    one whose outputs are saved needs what it saves itself."""
    operands = storages(call.operands)
    if not call.output_saved:
        return operands
    saved = {use.storage for use in saved_by(call, position)}
    return [storage for storage in operands if storage in saved]


def _spared(call: KernelCall, position: int) -> Iterator[SavedUse]:
    """Yields what a region's call saves if it does not run again: its outputs, and what it makes for its own backward
    pass."""
    for tensor in call.outputs:
        for storage in tensor.storages:
            yield SavedUse(storage, tensor, OUTPUT, "the recomputation takes it as it is", call, position)
    touched = storages((*call.operands, *call.outputs))
    yield from (use for use in saved_by(call, position) if use.storage not in touched)


def _entering(call: KernelCall, position: int, regions: Mapping[Storage, int]) -> Iterator[SavedUse]:
    """Yields what a recomputed call reads from outside its region."""
    read = _read_by_recompute(call, position)
    for tensor in call.operands:
        for storage in tensor.storages:
            # the copy of a parameter is made again
            if storage in read and regions.get(storage) != call.region and not storage.copy_of:
                yield SavedUse(storage, tensor, "operand", "the recomputation starts from it", call, position)


def _flows(call: KernelCall) -> bool:
    """Returns whether a gradient flows through a call whose operator is known."""
    return call.operator is not None and any(output.needs_grad for output in call.outputs)


def saved_by(call: KernelCall, position: int) -> Iterator[SavedUse]:
    """Yields what one call saves when it runs, for the first time or again."""
    if call.operator is None or not _flows(call):
        return
    if call.node.keeps is not None and call.name == call.node.operator:
        yield from _kept_by_code(call, call.node.keeps, position)
        return
    for operand in call.operands:
        source = operand.storage.written_out
        if source is not None and source.stored.format.keeps_input:
            tensor = call.operands[0]
            for storage in tensor.storages:
                yield SavedUse(storage, tensor, "x", f"a layer in {source.stored.format.name} keeps it", call, position)
    wanted = tuple([operand.needs_grad for operand in call.operands])
    specs = [operand.spec for operand in call.operands]
    for item in remembered(call.operator, call.application, specs, call.attributes, wanted):
        if item.kind == OWN:
            own = Storage(item.spec.bytes, ACTIVATION, call.node.name, call.count, item.spec.dtype)
            yield SavedUse(own, Tensor(item.spec, own, False), item.name, item.why, call, position)
        else:
            tensor = (call.operands if item.kind == OPERAND else call.outputs)[item.index]
            if item.kind == OPERAND and item.index == 0 and call.overwritten is not None:
                tensor = call.overwritten
            for storage in tensor.storages:
                if storage.written_out is None:
                    yield SavedUse(storage, tensor, item.name, item.why, call, position)


def _kept_by_code(call: KernelCall, places: Iterable[int], position: int) -> Iterator[SavedUse]:
    """Yields what a call keeps because the model's own code says so (`Node.keeps`)."""
    for place in places:
        tensor = call.operands[place] if place >= 0 else call.outputs[-1 - place]
        for storage in tensor.storages:
            yield SavedUse(storage, tensor, "kept", "the function that it is in keeps it", call, position)
