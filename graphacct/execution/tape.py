"""The tape of a backward pass: which kernels ran, and from when to when each storage is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.execution.kernels import ACTIVATION, BACKWARD, KernelCall, Schedule, Storage, Tensor, storages
from graphacct.execution.recorder import single
from graphacct.execution.saved_storages import SavedUse
from graphacct.operators.application import Application
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import unknown_operator
from graphacct.tensors import TensorSpec


class Tape:
    """The kernel calls of a backward pass so far, and the lives of storages as indices of these calls.

    Attributes:
        position: The position of the forward call that calls are recorded for.
        calls: The calls.
        births: For each storage that they made, the call that did.
        deaths: For each of those, the last call with which it is alive, as far as is known.
        releases: As `BackwardPass.releases`.
        own: The tensors that kernels made, without their views.
        holds: `Schedule.holds` by storage.
    """

    def __init__(self, schedule: Schedule, operators: Mapping[str, Operator]) -> None:
        self.schedule = schedule
        self.operators = operators
        self.position = len(schedule.calls) - 1
        self.calls: list[KernelCall] = []
        self.births: dict[Storage, int] = {}
        self.deaths: dict[Storage, int] = {}
        self.releases: dict[Storage, tuple[int, int]] = {}
        self.own: set[Tensor] = set()
        self.holds: dict[Storage, list[int]] = {}
        for storage, until in schedule.holds:
            self.holds.setdefault(storage, []).append(until)

    @property
    def now(self) -> int:
        """The index of the last call; -1 before the first."""
        return len(self.calls) - 1

    def record(
        self,
        name: str,
        operands: Iterable[Tensor],
        outputs: tuple[Tensor, ...],
        attributes: Mapping[str, Any] | None = None,
        application: Application | None = None,
    ) -> None:
        """Appends a call whose outputs are there."""
        call = self.schedule.calls[self.position]
        rule = self.operators.get(name)
        parts = (call.node, rule, tuple(operands), outputs, attributes or {}, application)
        self.calls.append(KernelCall(*parts, call.count, call.region, BACKWARD, self.position, name=name))

    def make(
        self,
        name: str,
        operands: Iterable[Tensor],
        specs: Iterable[TensorSpec],
        attributes: Mapping[str, Any] | None = None,
        application: Application | None = None,
    ) -> tuple[Tensor, ...]:
        """Appends a call that makes tensors of these specs, and returns them."""
        index = len(self.calls)
        made = tuple([Tensor(spec, self.allocate(spec, index), False) for spec in specs])
        self.record(name, operands, made, attributes, application)
        self.own.update(made)
        return made

    def allocate(self, like: TensorSpec | Storage, index: int, owner: str = "") -> Storage:
        """Returns a new storage that the call of this index makes, as large as `like`."""
        call = self.schedule.calls[self.position]
        storage = Storage(like.bytes, ACTIVATION, owner or call.node.name, call.count, like.dtype)
        self.births[storage] = self.deaths[storage] = index
        return storage

    def touch(self, *tensors: Tensor) -> None:
        """Keeps the storages of tensors alive up to the last call."""
        for tensor in tensors:
            for storage in tensor.storages:
                if storage in self.births:
                    self.deaths[storage] = self.now

    def free(self, uses: Iterable[SavedUse]) -> None:
        """Frees what was saved: a recomputed storage dies now, one of the forward pass is released."""
        for use in uses:
            if use.storage in self.births:
                self.deaths[use.storage] = self.now
            else:
                self.releases[use.storage] = (self.now, self.position)

    def view(self, tensor: Tensor, spec: TensorSpec) -> Tensor:
        """Returns the tensor's storage under another spec."""
        return attrs.evolve(tensor, spec=spec, needs_grad=False)


class NodeRecorder:
    """Records the kernels of one node's backward rule: the `Recorder` that the rule is given.

    Attributes:
        call: The forward call.
        wanted: For each operand, whether its gradient is computed.
        outputs: What the call made in the forward pass.
        uses: What the call saved and the rule has not released.
        held: Tensors to keep until the rule has run.
        freed: Storages of gradients that the rule has released.
    """

    def __init__(
        self,
        tape: Tape,
        call: KernelCall,
        gradients: Sequence[Tensor],
        uses: Sequence[SavedUse],
        copies: Mapping[Storage, Storage],
        add: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self.call = call
        self.wanted = tuple([operand.needs_grad for operand in call.operands])
        self.outputs = call.outputs
        self.uses = list(uses)
        self.held: list[Tensor] = []
        self.freed: set[Storage] = set()
        self._tape = tape
        self._gradients = gradients
        self._copies = copies
        self._add = add

    def saved(self, name: str) -> tuple[Tensor, ...]:
        """Returns what the call saved under this name."""
        return tuple(dict.fromkeys(use.tensor for use in self.uses if use.name == name))

    def new(self, like: TensorSpec | Tensor, *, reads: Sequence[Tensor] | None = None) -> Tensor:
        """Records one kernel that makes a tensor like this one."""
        return self.new_several(like, reads=reads)[0]

    def new_several(self, *like: TensorSpec | Tensor, reads: Sequence[Tensor] | None = None) -> tuple[Tensor, ...]:
        """Records one kernel that makes tensors like these; none if there are none to make."""
        if not like:
            return ()
        if reads is None:
            arrived = [gradient for gradient in self._gradients if gradient.storage not in self.freed]
            reads = list(dict.fromkeys((*arrived, *(use.tensor for use in self.uses))))
        specs = [x.spec.contiguous if isinstance(x, Tensor) else x for x in like]
        made = self._tape.make(self.call.name, with_copies(reads, self._copies), specs)
        self._tape.touch(*reads)
        return made

    def apply(self, operator: str, *operands: Tensor, **attributes: Any) -> Tensor:
        """Records an operator's kernel, or none if it makes a view."""
        rule = self._tape.operators.get(operator)
        if rule is None:
            raise unknown_operator(operator, self._tape.operators)
        application = rule.apply([tensor.spec for tensor in operands], attributes)
        if application.view and operands:
            found = storages(operands)
            views = tuple(Tensor(spec, found[0], False, tuple(found[1:])) for spec in application.outputs)
            return single(operator, views)
        reads = with_copies(operands, self._copies)
        made = self._tape.make(operator, reads, application.outputs, attributes, application)
        self._tape.touch(*operands)
        return single(operator, made)

    def view(self, tensor: Tensor, spec: TensorSpec) -> Tensor:
        """Returns the tensor's storage under another spec."""
        return self._tape.view(tensor, spec)

    def expand(self, tensor: Tensor, like: Tensor) -> Tensor:
        """Returns the tensor repeated to the shape of another, without storage."""
        shape = like.spec.shape
        return self.view(tensor, TensorSpec(shape, tensor.spec.dtype, (0,) * len(shape)))

    def add(self, old: Tensor, new: Tensor) -> Tensor:
        """Records the sum of two gradients, as the engine makes it."""
        return self._add(old, new)

    def hold(self, *tensors: Tensor) -> None:
        """Keeps tensors until the rule has run."""
        self.held.extend(tensors)

    def release(self, *released: Tensor | str) -> None:
        """Frees gradients, or saved tensors by their names, before the rule has run."""
        for item in released:
            if isinstance(item, Tensor):
                self.freed.update(item.storages)
                self._tape.touch(item)
            else:
                self._tape.free([use for use in self.uses if use.name == item])
                self.uses = [use for use in self.uses if use.name != item]


def with_copies(tensors: Iterable[Tensor], copies: Mapping[Storage, Storage]) -> tuple[Tensor, ...]:
    """Returns the tensors in the storages that a recomputation made of theirs."""
    return tuple([_copied(tensor, copies) for tensor in tensors]) if copies else tuple(tensors)


def _copied(tensor: Tensor, copies: Mapping[Storage, Storage]) -> Tensor:
    if not any(storage in copies for storage in tensor.storages):
        return tensor
    first, *others = [copies.get(storage, storage) for storage in tensor.storages]
    return Tensor(tensor.spec, first, tensor.needs_grad, tuple(others))
