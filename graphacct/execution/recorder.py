"""Recording the kernels of a backward pass: what the rules of profiles call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim
from graphacct.errors import unknown
from graphacct.execution.backward import ADD, BackwardKernel, WeightGradient
from graphacct.execution.kernels import ACTIVATION, Schedule, Storage, Tensor, storages
from graphacct.execution.profiles import Profile
from graphacct.execution.saved_storages import Saving
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec


class Recorder:
    """The kernels of a backward pass so far, and from when to when each storage is there.

    Attributes:
        wanted: For each operand of the current node, whether its gradient is computed.
        outputs: What the node put out in the forward pass.
    """

    wanted: tuple[bool, ...] = ()
    outputs: tuple[Tensor, ...] = ()

    def __init__(
        self,
        schedule: Schedule,
        saving: Iterable[Saving],
        operators: Mapping[str, Operator],
        profile: Profile,
        in_place: bool,
    ) -> None:
        self.schedule, self.operators, self.profile = schedule, operators, profile
        self.saving: dict[int, list[tuple[Storage, str]]] = {}
        for item in saving:
            self.saving.setdefault(item.position, []).append((item.storage, item.name))
        self.in_place = in_place
        self.kernels: list[BackwardKernel] = []
        self._births: dict[int, tuple[Storage, int]] = {}
        self._deaths: dict[int, int] = {}
        self._many: dict[int, int] = {}  # the groups of which each repetition has one of the storage
        self._releases: dict[int, tuple[int, int]] = {}
        self._gradients: list[WeightGradient] = []
        self._buffers: dict[int, Tensor] = {}
        self._starts: list[Tensor] = []
        self._own: dict[int, Tensor] = {}  # those that kernels have made, no views of them
        self._made = {id(tensor) for step in schedule.steps for tensor in step.outputs}
        self._made.update(id(gather.stacked) for gather in schedule.gathers)
        self._regions: dict[int, list[int]] = {}
        for index, step in enumerate(schedule.steps):
            if step.region:
                self._regions.setdefault(step.region, []).append(index)
        self._taken: set[int] = set()  # the steps whose saved outputs a recomputation has taken
        self._again: dict[int, dict[int, list[tuple[Storage, str]]]] = {}
        self._uses: dict[int, int] = {}
        self._step = len(schedule.steps) - 1
        self._passed: list[Tensor] = []  # gradients that a node has given and nobody has got yet
        self._held: list[Tensor] = []
        self._freed: set[int] = set()
        self._saved: list[tuple[Storage, str]] = []

    def apply(self, operator: str, *tensors: Tensor, **attributes: Any) -> Any:
        """Record one kernel, or none for a view; gives its output, or the tuple of them when there are several."""
        rule = self.operators.get(operator)
        if rule is None:
            raise unknown("operator", operator, self.operators)
        application = rule.apply([tensor.spec for tensor in tensors], attributes)
        if not application.view or not tensors:
            return self.new(*application.outputs, reads=tensors, name=operator)
        found = storages(tensors)
        outputs = tuple(Tensor(spec, found[0], False, tuple(found[1:])) for spec in application.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def new(self, *like: TensorSpec | Tensor, reads: Sequence[Tensor] = (), name: str = "") -> Any:
        """Record one kernel that makes tensors like these; gives it, or the tuple of them when there are several.

        A tensor's likeness is contiguous, a spec is taken as it is. `reads` are the rule's own tensors that it reads.
        """
        specs = [TensorSpec(x.spec.shape, x.spec.dtype) if isinstance(x, Tensor) else x for x in like]
        step = self.schedule.steps[self._step]
        self._kernel(name or (step.operator.name if step.operator else step.node.operator))
        made = tuple(Tensor(spec, self._storage(spec.bytes, spec.dtype), False) for spec in specs)
        self._own.update((id(tensor), tensor) for tensor in made)
        self._touch(*reads)
        return made[0] if len(made) == 1 else made

    def view(self, tensor: Tensor, spec: TensorSpec) -> Tensor:
        """The tensor's storage under another spec."""
        return attrs.evolve(tensor, spec=spec, needs_grad=False)

    def expand(self, tensor: Tensor, like: Tensor) -> Tensor:
        """The tensor repeated to the shape of another, without storage."""
        shape = like.spec.shape
        return self.view(tensor, TensorSpec(shape, tensor.spec.dtype, (0,) * len(shape)))

    def add(self, old: Tensor, new: Tensor) -> Tensor:
        """The sum of two gradients that meet, as the engine makes it: in place where nobody else has the first, and it
        is no view, which would have its source beside it."""
        alone = not any(
            storage is other
            for storage in old.storages
            for tensor in (*self._buffers.values(), *self._starts, *self._passed, new)
            for other in tensor.storages
        )
        if self.in_place and alone and id(old) in self._own:
            self._kernel(ADD)
            self._touch(old, new)
            return old
        return self.new(old, reads=(old, new), name=ADD)

    def hold(self, *tensors: Tensor) -> None:
        """Keep tensors until the node's last kernel, as temporaries of one expression are."""
        self._held.extend(tensors)

    def release(self, *what: Tensor | str) -> None:
        """Let gradients, or saved tensors by their names, go before the node's end: torch has several nodes here."""
        for item in what:
            if isinstance(item, Tensor):
                self._freed.update(id(storage) for storage in item.storages)
                self._touch(item)
            else:
                gone = [saved for saved in self._saved if saved[1] == item]
                self._saved = [saved for saved in self._saved if saved[1] != item]
                self._let_go(gone)

    def _key(self, tensor: Tensor) -> int:
        """What gradients are gathered by: the value, or the parameter's storage."""
        return id(tensor) if id(tensor) in self._made else id(tensor.storage)

    def _kernel(self, name: str, step: int | None = None, again: bool = False) -> None:
        self.kernels.append(BackwardKernel(self._step if step is None else step, name, again))

    def _storage(self, size: Dim, dtype: str, owner: str = "") -> Storage:
        step = self.schedule.steps[self._step]
        storage = Storage(size, ACTIVATION, owner or step.node.name, step.weight, dtype)
        self._births[id(storage)] = (storage, len(self.kernels) - 1)
        self._deaths[id(storage)] = len(self.kernels) - 1
        return storage

    def _touch(self, *tensors: Tensor) -> None:
        """These are there until now, at least."""
        for tensor in tensors:
            for storage in tensor.storages:
                if id(storage) in self._births:
                    self._deaths[id(storage)] = len(self.kernels) - 1

    def _let_go(self, saved: Sequence[tuple[Storage, str]]) -> None:
        for storage, _ in saved:
            if id(storage) in self._births:
                self._deaths[id(storage)] = len(self.kernels) - 1
            else:
                self._releases[id(storage)] = (len(self.kernels) - 1, self._step)
