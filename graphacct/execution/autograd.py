"""The backward pass of a schedule: its kernels in the order of torch's autograd engine, and how long storages live.

The engine runs a node when the gradients of all its results are there, the one that ran last in the forward pass
first: so in the forward pass's order from its end. What a node's kernels make, its rule says (`Profile.backward`); the
rest is the engine's: gradients that meet are added, a gradient is summed over what its operand was broadcast to, what a
node has saved goes when it has run, and what is recomputed is recomputed when the first of its nodes asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import same, same_shape
from graphacct.errors import OperatorError, blame
from graphacct.execution.backward import CAST, START, SUM, BackwardPass, Life, WeightGradient
from graphacct.execution.kernels import ACTIVATION, PARAMETER, Gather, Schedule, Step, Storage, Tensor, storages
from graphacct.execution.profiles import Profile
from graphacct.execution.recorder import Recorder
from graphacct.execution.saved_storages import Saving, saved_by
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec


def backward_pass(
    schedule: Schedule,
    saving: Iterable[Saving],
    operators: Mapping[str, Operator],
    profile: Profile,
    in_place: bool = True,
) -> BackwardPass:
    """The backward pass of a schedule, which `saving` says what it saves (`kept.savings`).

    It starts at the first output when that is a scalar, a loss, and at every output otherwise. Gradients that meet are
    added into the first one where nobody else has it and it is no view; `in_place=False` makes a new one always, as
    torch does while a dispatch mode watches it.
    """
    engine = Engine(schedule, saving, profile.operators(operators), profile, in_place)
    engine.run()
    return engine.finished()


class Engine(Recorder):
    """A walk over a schedule from its end, as torch's autograd engine makes it."""

    def run(self) -> None:
        """Record the whole pass."""
        outputs = self.schedule.outputs
        roots = outputs[:1] if outputs and outputs[0].spec.shape == () else outputs
        roots = tuple({id(tensor): tensor for tensor in roots if tensor.needs_grad}.values())
        self._count_uses(roots)
        for tensor in roots:
            start = self.new(tensor, name=START)
            self._starts.append(start)
            self._deliver(tensor, start)
        gathers = self._gathers()
        for position in range(len(self.schedule.steps), -1, -1):
            self._step = max(position - 1, 0)
            for gather in gathers.get(position, ()):
                self._apart(gather)
            if position:
                self._node(self.schedule.steps[position - 1])
        self._touch(*self._starts)

    def finished(self) -> BackwardPass:
        """What was recorded."""
        lives = [
            Life(storage, birth, max(birth, self._deaths[key]), self._many.get(key, -1))
            for key, (storage, birth) in self._births.items()
        ]
        spans = []
        for group in self.schedule.groups:
            inside = [i for i, kernel in enumerate(self.kernels) if group.start <= kernel.step < group.stop]
            later = (i for i, kernel in enumerate(self.kernels) if kernel.step < group.start and not kernel.again)
            place = 0 if inside else next(later, len(self.kernels))
            spans.append((inside[0], inside[-1] + 1) if inside else (place, place))
        return BackwardPass(tuple(self.kernels), tuple(lives), self._releases, tuple(self._gradients), tuple(spans))

    def _node(self, step: Step) -> None:
        """Run one node, if a gradient of what it put out is there."""
        received = [self._buffers.pop(self._key(output), None) for output in step.outputs]
        arrived = [gradient for gradient in received if gradient is not None]
        if not arrived:
            return
        if step.region and step.region not in self._again:
            self._again[step.region] = self._recompute(self._regions[step.region])
        again = self._again[step.region].get(self._step, []) if step.region else []
        self._saved = again if step.region else self.saving.get(self._step, [])
        self._held, self._freed = [], set()
        self.wanted = tuple(operand.needs_grad for operand in step.operands)
        self.outputs = step.outputs
        gradients = self._ruled(step, received)
        self._passed = [gradient for gradient in gradients if gradient is not None]
        self._touch(*self._held)
        if step.region:
            self._let_go(self._saved)
        for index, (operand, gradient) in enumerate(zip(step.operands, gradients, strict=True)):
            if gradient is not None and self.wanted[index] and _other_shape(operand, gradient):
                spec = TensorSpec(operand.spec.shape, gradient.spec.dtype)
                gradient = gradients[index] = self.new(spec, reads=(gradient,), name=SUM)
            if gradient is not None and self.wanted[index] and gradient.spec.dtype != operand.spec.dtype:
                spec = TensorSpec(operand.spec.shape, operand.spec.dtype)
                gradients[index] = self.new(spec, reads=(gradient,), name=CAST)
        self._touch(*[g for g in arrived if id(g.storage) not in self._freed])
        self._touch(*[g for g in gradients if g is not None])
        if not step.region:
            self._let_go(self._saved)
        elif self._first_reached(step.region) == self._step:
            for index in self._regions[step.region]:
                entered = storages(self.schedule.steps[index].operands)
                saving = self.saving.get(index, ())
                self._let_go([item for item in saving if index not in self._taken or item[0] in entered])
        for index, (operand, gradient) in enumerate(zip(step.operands, gradients, strict=True)):
            if self.wanted[index]:
                self._passed = [g for g in gradients[index + 1 :] if g is not None]
                self._deliver(operand, gradient)

    def _ruled(self, step: Step, received: list[Tensor | None]) -> list[Tensor | None]:
        """The gradients of a node's operands, by its rule."""
        name = step.operator.name if step.operator else ""
        rule: Callable[..., Any] = self.profile.backward.get(name, plain)
        g: Any = received[0] if len(received) == 1 else tuple(received)
        try:
            result = rule(self, g, *step.operands, **step.attributes)
            found = list(result) if isinstance(result, tuple) else [result]
            if len(found) != len(step.operands):
                raise OperatorError(f"its backward rule gives {len(found)} gradients for {len(step.operands)} operands")
        except Exception as error:
            raise blame(step.node.name, step.node.operator, self.operators, error) from error
        return found

    def _deliver(self, tensor: Tensor, gradient: Tensor | None) -> None:
        """Add a gradient to what a tensor has got; a parameter's is complete when all its uses have given theirs."""
        key = self._key(tensor)
        if gradient is not None:
            old = self._buffers.pop(key, None)
            self._buffers[key] = gradient if old is None else self.add(old, gradient)
        if key in self._uses:
            self._uses[key] -= 1
            if not self._uses[key] and key in self._buffers:
                whole = self._buffers.pop(key)
                others = [*self._buffers.values(), *self._starts, *self._passed]
                shared = any(whole.storage is storage for other in others for storage in other.storages)
                copied = shared or not same(whole.spec.bytes, whole.storage.bytes)
                self._touch(whole)
                size = whole.spec.bytes
                self._gradients.append(WeightGradient(whole.storage, len(self.kernels) - 1, copied, size))

    def _gathers(self) -> dict[int, list[Gather]]:
        """What blocks stack up by its position, the last one first."""
        found: dict[int, list[Gather]] = {}
        for gather in self.schedule.gathers:
            found.setdefault(gather.position, []).insert(0, gather)
        return found

    def _apart(self, gather: Gather) -> None:
        """Give the repetitions' results their parts of the gradient of what the block stacked up: views.

        Where they meet others, there is a sum for each of the repetitions that one stands for.
        """
        gradient = self._buffers.pop(self._key(gather.stacked), None)
        if gradient is None:
            return
        results = gather.results
        self._touch(gradient)
        parts = [self.view(gradient, TensorSpec(result.spec.shape, result.spec.dtype)) for result in results]
        for index, (result, part) in enumerate(zip(results, parts, strict=True)):
            if result.needs_grad:
                self._passed = parts[index + 1 :]
                self._deliver(result, part)
                total = self._buffers.get(self._key(result), part)
                if index in gather.many and total is not part:
                    times = self.schedule.groups[gather.group].times
                    self.kernels[-1] = attrs.evolve(self.kernels[-1], times=times)
                    self._many[id(total.storage)] = gather.group
        self._passed = []

    def _recompute(self, region: Sequence[int]) -> dict[int, list[tuple[Storage, str]]]:
        """Run a region's kernels again up to the last one that saves something; gives what each of them saves.

        Each kernel's tensors are new ones, the copies, which live to the last kernel here that reads them or, where a
        backward node needs them, until that has run. A kernel whose outputs were saved does not run: its readers take
        those. Of a norm, a product whose output is saved, and a GELU: the norm runs, the product's operand is the
        copy of what the norm made, and the GELU reads the product's saved output.
        """
        steps = [(index, self.schedule.steps[index]) for index in region]
        saving = {index: [(s.storage, s.name) for s in saved_by(step, index)] for index, step in steps}
        last = max((index for index in region if saving[index]), default=-1)
        made = {id(storage) for _, step in steps for tensor in step.outputs for storage in tensor.storages}
        made -= {id(storage) for storage, _ in self._outside(steps)}
        made -= {id(storage) for _, step in steps if step.output_saved for storage in storages(step.outputs)}
        copies: dict[int, Storage] = {}
        position = len(self.kernels) - 1
        ends: dict[int, int] = {}
        for index, step in steps:
            if index > last:
                break
            outputs = {id(storage) for tensor in step.outputs for storage in tensor.storages}
            own = [storage for storage, _ in saving[index] if self._is_own(step, storage)]
            unneeded = index == last and not any(id(storage) in outputs for storage, _ in saving[index])
            if step.output_saved:
                there = {name: storage for storage, name in self.saving.get(index, ()) if self._is_own(step, storage)}
                copies.update((id(storage), there[name]) for storage, name in saving[index] if storage in own)
                own = []
                if not unneeded:  # taken, it is its readers' alone
                    self._taken.add(index)
            elif unneeded:
                if own:
                    self._kernel(_name(step), index, again=True)
            else:
                self._kernel(_name(step), index, again=True)
                for storage in storages((*step.outputs, *step.operands)):
                    if id(storage) not in made or storage.kind != ACTIVATION:
                        continue
                    if id(storage) not in copies:
                        copies[id(storage)] = self._storage(storage.bytes, storage.dtype, storage.owner)
                    self._deaths[id(copies[id(storage)])] = len(self.kernels) - 1
            for storage in own:
                copies[id(storage)] = self._storage(storage.bytes, storage.dtype, storage.owner)
            position = len(self.kernels) - 1
            ends[index] = position
        for storage, until in self.schedule.holds:
            if id(storage) in copies:
                inside = [end for index, end in ends.items() if index <= until]
                key = id(copies[id(storage)])
                self._deaths[key] = max(self._deaths[key], max(inside, default=-1))
        taken = [item for index in region if index in self._taken for item in self.saving.get(index, ())]
        self._let_go([item for item in taken if item[0].kind == ACTIVATION])
        return {
            index: [(copies.get(id(storage), storage), name) for storage, name in items]
            for index, items in saving.items()
        }

    def _outside(self, steps: Sequence[tuple[int, Step]]) -> list[tuple[Storage, int]]:
        """The storages that a region's first use reads rather than makes."""
        made: set[int] = set()
        found: list[tuple[Storage, int]] = []
        for index, step in steps:
            found.extend((storage, index) for storage in storages(step.operands) if id(storage) not in made)
            made.update(id(storage) for storage in storages(step.outputs))
        return found

    def _is_own(self, step: Step, storage: Storage) -> bool:
        return all(storage is not other for other in storages((*step.operands, *step.outputs)))

    def _first_reached(self, region: int) -> int:
        """The first of a region's steps that has a backward node: its nodes are through when that has run."""
        return min(
            (
                i
                for i in self._regions[region]
                if any(self._key(t) in self._reached for t in self.schedule.steps[i].outputs)
            ),
            default=-1,
        )

    def _count_uses(self, roots: Sequence[Tensor]) -> None:
        """Which gradients there will be, and from how many uses each parameter gets one."""
        self._reached = {self._key(tensor) for tensor in roots}
        for tensor in roots:
            self._use(tensor)
        gathers = self._gathers()
        for position in range(len(self.schedule.steps), -1, -1):
            for gather in gathers.get(position, ()):
                if self._key(gather.stacked) in self._reached:
                    for result in gather.results:
                        self._use(result)
            if position:
                step = self.schedule.steps[position - 1]
                if any(self._key(output) in self._reached for output in step.outputs):
                    for operand in step.operands:
                        self._use(operand)

    def _use(self, tensor: Tensor) -> None:
        if tensor.needs_grad:
            key = self._key(tensor)
            self._reached.add(key)
            if id(tensor) not in self._made and tensor.storage.kind == PARAMETER:
                self._uses[key] = self._uses.get(key, 0) + 1


def plain(trace: Recorder, g: Any, *operands: Tensor, **attributes: Any) -> Any:
    """The rule of an operator that has none: one kernel that makes a new gradient of each operand, as large as it is;
    those of a view's operands are views where it has all their elements."""
    application = trace.schedule.steps[trace._step].application
    view = application is not None and application.view and isinstance(g, Tensor)
    if view and same(sum(x.spec.elements for x in operands), g.spec.elements):
        return tuple(trace.view(g, TensorSpec(x.spec.shape, g.spec.dtype)) for x in operands)
    specs = [TensorSpec(x.spec.shape, x.spec.dtype) for x, wanted in zip(operands, trace.wanted, strict=True) if wanted]
    made = trace.new(*specs)
    found = iter(made if isinstance(made, tuple) else (made,))
    return tuple(next(found) if wanted else None for wanted in trace.wanted)


def _name(step: Step) -> str:
    return step.operator.name if step.operator else step.node.operator


def _other_shape(operand: Tensor, gradient: Tensor) -> bool:
    return not same_shape(operand.spec.shape, gradient.spec.shape)
