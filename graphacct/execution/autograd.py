"""The backward pass of a schedule: its kernels in the order of torch's autograd engine, and how long storages live.

The engine runs a node when the gradients of all its results have arrived, and of several such nodes the one that ran
last in the forward pass. So it walks the forward pass from its end. The profile's rule says which kernels compute a
node's gradients
(`Profile.backward`). The rest is the engine's: it adds gradients that meet, sums a gradient over what its operand was
broadcast to, frees what a node saved when it has run, and recomputes a region when the first of its nodes needs it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.decisions import equal, equal_shape
from graphacct.errors import OperatorError, blame
from graphacct.execution.backward import BackwardPass, Life, WeightGradient
from graphacct.execution.gradient_reach import GradientReach
from graphacct.execution.kernels import (
    INPUT,
    PARAMETER,
    KernelCall,
    Schedule,
    StackedResult,
    Storage,
    Tensor,
    storages,
)
from graphacct.execution.profiles import Profile
from graphacct.execution.recomputation import NOT_RECOMPUTED, RecomputedRegion, recompute_region
from graphacct.execution.recorder import BackwardRule, OperandGradients, Recorder
from graphacct.execution.saved_storages import SavedUse, saved_by
from graphacct.execution.slice_writes import SliceWrites
from graphacct.execution.spans import backward_spans
from graphacct.execution.tape import NodeRecorder, Tape
from graphacct.execution.waiting import WaitingGradients
from graphacct.layout import same_layout
from graphacct.operators.in_place import plain
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec, gradient_starts


def backward_pass(
    schedule: Schedule,
    uses: Iterable[SavedUse],
    operators: Mapping[str, Operator],
    profile: Profile,
    in_place: bool = True,
) -> BackwardPass:
    """Returns the backward pass of a schedule that saves `uses` (`saved_uses(schedule)`).

    It starts at the first output if that is a scalar, a loss, and at every output otherwise. A gradient is added into
    the one that was there first if nobody else has that one and it is no view; `in_place=False` always makes a new
    one, as torch does while a dispatch mode watches it.

    Raises OperatorError for a rule that gives too few or too many gradients, and GraphacctError, which names the node,
    for one that fails.
    """
    engine = Engine(schedule, uses, operators, profile, in_place)
    engine.run()
    return engine.finished()


class Engine:
    """One walk over a schedule from its end, as torch's autograd engine makes it."""

    def __init__(
        self,
        schedule: Schedule,
        uses: Iterable[SavedUse],
        operators: Mapping[str, Operator],
        profile: Profile,
        in_place: bool,
    ) -> None:
        self.schedule = schedule
        self.operators = profile.operators(operators)
        self.profile = profile
        self.in_place = in_place
        self.tape = Tape(schedule, self.operators)
        self.uses: dict[int, list[SavedUse]] = {}  # what each call saves, by its position
        for use in uses:
            self.uses.setdefault(use.position, []).append(use)
        outputs = schedule.outputs
        roots = [outputs[index] for index in gradient_starts([tensor.spec for tensor in outputs])]
        self.roots = tuple(dict.fromkeys(tensor for tensor in roots if tensor.needs_grad))
        self.reach = GradientReach(schedule, self.roots)
        self.remaining = dict(self.reach.leaf_uses)  # uses of each parameter whose gradient is still to come
        self.regions: dict[int, list[int]] = {}
        for position, call in enumerate(schedule.calls):
            if call.region:
                self.regions.setdefault(call.region, []).append(position)
        self.recomputations: dict[int, RecomputedRegion] = {}
        self.ends: dict[int, int] = {}  # of each region, the call whose node runs last
        self.waiting = WaitingGradients()
        self.writes = SliceWrites(self.tape, profile.names.copy)
        self.starts: list[Tensor] = []
        self.started: set[Storage] = set()  # the storages of these
        self.lasting: list[Storage] = []  # what is there when all has run: an input's gradient
        self.passed: list[Tensor] = []  # gradients that a node has given and nobody has got yet
        self.gradients: list[WeightGradient] = []
        self.many: dict[Storage, int] = {}  # the spans of which each repetition has one of the storage

    def run(self) -> None:
        """Records the whole pass."""
        for tensor in self.roots:
            like = TensorSpec(tensor.spec.shape, tensor.spec.dtype)
            (start,) = self.tape.make(self.profile.names.start, (), (like,))
            self.starts.append(start)
            self.started.update(start.storages)
            self._deliver(tensor, start)
        for position in range(len(self.schedule.calls), -1, -1):
            self.tape.position = max(position - 1, 0)
            for stack in self.reach.stacks.get(position, ()):
                self._unstack(stack)
            if position:
                self._node(self.schedule.calls[position - 1])
        for storage in (*self.started, *self.lasting):  # the caller's until all has run
            self.tape.deaths[storage] = len(self.tape.calls)

    def finished(self) -> BackwardPass:
        """Returns what was recorded."""
        tape, calls = self.tape, self.tape.calls
        lives = [
            Life(storage, birth, max(birth, tape.deaths[storage]), self.many.get(storage, -1))
            for storage, birth in tape.births.items()
        ]
        spans = backward_spans(self.schedule.spans, calls)
        return BackwardPass(tuple(calls), tuple(lives), tape.releases, tuple(self.gradients), spans)

    def _node(self, call: KernelCall) -> None:
        """Runs the backward node of one call, if a gradient of its outputs has arrived.

        The order decides the peak. Take h = linear(x, w) whose gradient g has arrived:

        1. the rule makes the gradients of x and of w: they are alive beside g, x and w;
        2. a gradient of a broadcast operand is summed, one of another dtype is cast;
        3. g is freed, then what the call saved (x and w): after the engine's own kernels, since torch frees a node's
           variables when the node returns. What a recomputation made goes after step 1, because the recomputed graph
           is the checkpoint's own;
        4. each gradient is given to its operand, where it may meet another and be added. Those that are not given yet
           are alive too, which decides whether an addition can be done in place.

        A recomputed region has saved what it starts from. That is freed with the region's last node, since it may
        start again from it until then.
        """
        tape, region = self.tape, call.region
        received = [self.waiting.pop(self.reach.key(output)) for output in call.outputs]
        arrived = [gradient for gradient in received if gradient is not None]
        if not arrived:
            return
        if region and region not in self.recomputations and any(saved_by(call, tape.position)):
            self.recomputations[region] = recompute_region(tape, self.schedule, self.regions[region], self.uses)
        recomputed = self.recomputations.get(region, NOT_RECOMPUTED)
        saved = (recomputed.uses if region else self.uses).get(tape.position, [])
        node = NodeRecorder(tape, call, arrived, saved, recomputed.copies, self.add)
        gradients = self._ruled(node, received)
        tape.touch(*node.held)
        gradients, arrived = self.writes.end(call, gradients, arrived)
        self.passed = [gradient for gradient in gradients if gradient is not None]
        if region:
            tape.free(node.uses)
        for index, (operand, gradient) in enumerate(zip(call.operands, gradients, strict=True)):
            if gradient is not None and node.wanted[index]:
                gradients[index] = self._fitted(operand, gradient)
        tape.touch(*[gradient for gradient in arrived if gradient.storage not in node.freed])
        tape.touch(*[gradient for gradient in gradients if gradient is not None])
        if not region:
            tape.free(node.uses)
        elif self._runs_last(region) == tape.position:
            for position in self.regions[region]:
                entered = storages(self.schedule.calls[position].operands)
                uses = self.uses.get(position, ())
                tape.free([use for use in uses if position not in recomputed.taken or use.storage in entered])
        order = self._order(call.operands, gradients)
        for place, index in enumerate(order):
            if node.wanted[index]:
                self.passed = [g for later in order[place + 1 :] if (g := gradients[later]) is not None]
                self._deliver(call.operands[index], gradients[index])

    def _order(self, operands: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[int]:
        """Returns the places of the operands as their gradients are given to them: a parameter whose gradient is a view
        comes last. The parameter was read through a view, so that its gradient passes another node."""
        places = range(len(operands))
        return sorted(places, key=lambda i: operands[i].storage.kind == PARAMETER and gradients[i] not in self.tape.own)

    def _ruled(self, node: NodeRecorder, received: list[Tensor | None]) -> list[Tensor | None]:
        """Returns the gradients of a call's operands, by the profile's rule."""
        call = node.call
        if call.operator is not None and call.operator.writes_through and received[0] is not None:
            return list(self.writes.begin(call, received[0]))
        rule: BackwardRule = default_rule
        if call.operator is not None:
            rule = self.profile.backward.get(call.name, default_rule)
        g: Any = received[0] if len(received) == 1 else tuple(received)
        try:
            self._write_out_again(node)
            result = rule(node, g, *call.operands, **plain(call.attributes))
            found = list(result) if isinstance(result, tuple) else [result]
            if len(found) != len(call.operands):
                raise OperatorError(f"its backward rule gives {len(found)} gradients for {len(call.operands)} operands")
        except Exception as error:
            raise blame(call.node.name, call.node.operator, self.operators, error) from error
        return found

    def _write_out_again(self, node: NodeRecorder) -> None:
        """Records the kernels that write out the stored weights that a call's product had as copies, if the gradient of
        another operand needs them. The new copies are freed with what the call saved."""
        if self.profile.write_out is None or not any(node.wanted):
            return
        for operand in node.call.operands:
            source = operand.storage.written_out
            if source is not None:
                copy = self.profile.write_out(node, source.weight, source.stored, True)
                why = "the weight is written out again"
                node.uses.append(SavedUse(copy.storage, copy, "weight", why, node.call, self.tape.position))

    def _fitted(self, operand: Tensor, gradient: Tensor) -> Tensor:
        """Returns a gradient in its operand's shape and dtype: summed over what was broadcast, then cast."""
        shape, names = operand.spec.shape, self.profile.names
        if not equal_shape(shape, gradient.spec.shape):
            gradient = self._made_of(gradient, names.sum, TensorSpec(shape, gradient.spec.dtype))
        if gradient.spec.dtype != operand.spec.dtype:
            gradient = self._made_of(gradient, names.cast, TensorSpec(shape, operand.spec.dtype))
        return gradient

    def _made_of(self, gradient: Tensor, name: str, spec: TensorSpec) -> Tensor:
        (made,) = self.tape.make(name, (gradient,), [spec])
        self.tape.touch(gradient)
        return made

    def add(self, old: Tensor, new: Tensor) -> Tensor:
        """Records the sum of two gradients that meet.

        In place if nobody else has the first one, and it is no view, which would have its source beside it.
        """
        name = self.profile.names.add
        if self.in_place and old in self.tape.own and not self._elsewhere(old.storages, new):
            self.tape.record(name, (old, new), (old,))
            total = old
        else:
            (total,) = self.tape.make(name, (old, new), [TensorSpec(old.spec.shape, old.spec.dtype)])
        self.tape.touch(old, new)
        return total

    def _elsewhere(self, wanted: Collection[Storage], *others: Tensor) -> bool:
        """Returns whether other gradients are in any of these storages."""
        near = {storage for tensor in (*self.passed, *others) for storage in tensor.storages}
        return any(item in near or item in self.started or self.waiting.has_storage(item) for item in wanted)

    def _deliver(self, tensor: Tensor, gradient: Tensor | None) -> None:
        """Adds a gradient to what a tensor has got; a parameter's is complete when all its uses have given theirs."""
        key = self.reach.key(tensor)
        if gradient is not None:
            old = self.waiting.pop(key)
            self.waiting.put(key, gradient if old is None else self.add(old, gradient))
        if key in self.remaining:
            self.remaining[key] -= 1
            whole = None if self.remaining[key] else self.waiting.pop(key)
            if whole is not None:
                shared = self._elsewhere([whole.storage]) or not equal(whole.spec.bytes, whole.storage.bytes)
                copied = shared or not same_layout(whole.spec, tensor.spec)
                self.tape.touch(whole)
                if tensor.storage.kind == INPUT or tensor in self.reach.leaves:
                    self._keep(whole, copied)
                    return
                found = (whole.storage, self.tape.now, copied, whole.spec.bytes, tensor.storage)
                self.gradients.append(WeightGradient(*found))

    def _keep(self, gradient: Tensor, copied: bool) -> None:
        """Keeps the gradient of an input, or a copy of it: the inputs of a step have none before."""
        if copied:
            spec = TensorSpec(gradient.spec.shape, gradient.spec.dtype)
            (gradient,) = self.tape.make(self.profile.names.copy, (gradient,), [spec])
        self.lasting.extend(gradient.storages)

    def _unstack(self, stack: StackedResult) -> None:
        """Gives each repetition's result its part of the gradient of what the block stacked: views.

        If they meet others, there is a sum for each of the repetitions that one stands for.
        """
        gradient = self.waiting.pop(stack.stacked)
        if gradient is None:
            return
        results = stack.results
        self.tape.touch(gradient)
        parts = [self.tape.view(gradient, TensorSpec(result.spec.shape, result.spec.dtype)) for result in results]
        for index, (result, part) in enumerate(zip(results, parts, strict=True)):
            if result.needs_grad:
                self.passed = parts[index + 1 :]
                self._deliver(result, part)
                total = self.waiting.get(self.reach.key(result), part)
                if index in (stack.many | stack.handed_on) and total is not part:
                    last = self.tape.calls[-1]
                    times = self.schedule.spans[stack.span].times
                    self.tape.calls[-1] = attrs.evolve(last, count=last.count * times)
                    if index in stack.many:
                        self.many[total.storage] = stack.span
        self.passed = []

    def _runs_last(self, region: int) -> int:
        """Returns the position of the first of a region's calls that has a backward node: its node runs last."""
        if region not in self.ends:
            calls = self.schedule.calls
            self.ends[region] = next(i for i in self.regions[region] if self.reach.reaches(calls[i].outputs))
        return self.ends[region]


def default_rule(trace: Recorder, g: Any, *operands: Tensor, **attributes: Any) -> OperandGradients:
    """Serves as the rule of an operator that has none: one kernel that makes a new gradient of each operand.

    The gradients of a view's operands are views if g has just their elements.
    """
    if trace.call.view and isinstance(g, Tensor) and equal(sum(x.spec.elements for x in operands), g.spec.elements):
        return tuple(trace.view(g, TensorSpec(x.spec.shape, g.spec.dtype)) for x in operands)
    asked = [x for x, wanted in zip(operands, trace.wanted, strict=True) if wanted]
    made = iter(trace.new_several(*asked))
    return tuple(next(made) if wanted else None for wanted in trace.wanted)
