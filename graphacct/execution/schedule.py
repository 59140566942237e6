"""The schedule: a graph as the sequence of kernels that run, with the storage of every tensor.

A view is in its source's storage, every other output in a new one. Of a block, the schedule has the first and the last
repetitions, and one in the middle (or a few in a row) that stands for all the others. So it is short however deep the
model is. Repetitions differ only at the ends, where the carried values come from outside or leave (`graph/walk.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim
from graphacct.errors import blame
from graphacct.execution.casting import ParameterCopies, cast, trains
from graphacct.execution.expanded import outputs_of
from graphacct.execution.gradient_reach import starting_operators
from graphacct.execution.kernels import (
    ACTIVATION,
    INPUT,
    PARAMETER,
    PREEXISTING,
    TABLE,
    KernelCall,
    RepeatedSpan,
    Schedule,
    StackedResult,
    Storage,
    Tensor,
    WrittenOut,
    storages,
)
from graphacct.execution.profiles import DECLARED, Profile
from graphacct.execution.recorder import single
from graphacct.execution.regions import Regions, blocks_with
from graphacct.execution.spans import last_calls, spans_around
from graphacct.execution.stacking import (
    left_behind,
    repeated_span,
    stacked_tensor,
    standing_for_several,
    standing_results,
)
from graphacct.execution.writing_out import as_read
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.places import TOP, Place
from graphacct.graph.sharing import shared_blocks
from graphacct.graph.walk import BlockEnd, BodyEnd, Result, Run, runs
from graphacct.operators.in_place import IN_PLACE, plain
from graphacct.operators.operator import Operator
from graphacct.operators.other_names import unknown_operator
from graphacct.operators.saves import OPERAND, saved_tensors, wanted_names
from graphacct.tensors import FLOATING, TensorSpec


def schedule(
    graph: Graph,
    operators: Mapping[str, Operator],
    profile: Profile = DECLARED,
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
    recompute: Callable[[Node], bool] = lambda node: False,
    saved: Callable[[Node], bool] = lambda node: False,
    training: bool = True,
) -> Schedule:
    """Returns the kernels that a graph runs as under a profile.

    `trained` says which parameters need a gradient, and `recompute` which nodes the backward pass runs again. Those of
    one layer (`paths.outermost`) are one region, which starts again from what it got from outside. The nodes that
    `saved` says belong to the region too, but their outputs are saved and they do not run again. Without `training` no
    gradient starts in the graph, and no input has one.
    """
    trace = Trace(profile.operators(operators), profile, trained, recompute, saved)
    trace.starting = starting_operators(graph, trace.operators) if training else frozenset()
    trace.trained_inputs = graph.trained_inputs if training else frozenset()
    trace.training = bool(trace.starting or trace.trained_inputs) or trains(graph, trained)
    trace.inference = bool(profile.casts) and not trace.training
    outputs = trace.run(graph)
    trace.finish()
    lasting = (tuple(trace.holds), tuple(trace.spans), frozenset(trace.left_behind), tuple(trace.stacks))
    return Schedule(tuple(trace.calls), outputs, *lasting)


class Trace:
    """A walk over a graph that records kernels; profiles' expansions call its `apply`."""

    def __init__(
        self,
        operators: Mapping[str, Operator],
        profile: Profile,
        trained: Callable[[Parameter], bool],
        recompute: Callable[[Node], bool],
        saved: Callable[[Node], bool],
    ) -> None:
        self.operators = operators
        self.profile = profile
        self.trained = trained
        self.regions = Regions(recompute, saved)
        self.inference = self.training = False
        self.trained_inputs: Collection[str] = ()
        self.starting: Collection[str] = ()  # the operators in which gradients start
        self.calls: list[KernelCall] = []
        self.holds: list[tuple[Storage, int]] = []
        self.spans: list[RepeatedSpan] = []
        self.left_behind: set[tuple[Storage, int]] = set()
        self.stacks: list[StackedResult] = []
        self.copies = ParameterCopies()
        self.place = TOP
        self.written_out: WrittenOut | None = None
        self._tensors: dict[Result, Tensor] = {}
        self._made: dict[Tensor, Place] = {}
        self._starts: dict[Place, int] = {TOP: 0}
        self._parameters: dict[tuple[str, tuple[int, ...], tuple[int, ...]], Storage] = {}
        self._node: Node | None = None
        self._count: Dim = 1
        self._of_node: int | None = None
        self._held: list[Storage] = []
        self._cast = False

    def run(self, graph: Graph) -> tuple[Tensor, ...]:
        """Records a graph's kernels and returns its outputs."""
        values: Mapping[str, Result] = {}
        self.regions.sharing = shared_blocks(graph)
        self.regions.starting = blocks_with(graph, self.starting)
        for event in runs(graph, self.regions.counts):
            if isinstance(event, Run):
                self._run(event)
            elif isinstance(event, BlockEnd):
                self._stack(event)
            else:
                self._hold_values(event)
                values = event.values  # the last are the graph's own
        return tuple(self._tensor(values[value.name]) for value in graph.outputs)

    def _run(self, run: Run) -> None:
        node, place = run.node, run.place
        if place is not self.place:
            for level in place.levels:
                self._starts.setdefault(level, len(self.calls))
        self._node, self.place, self._count, self._of_node = node, place, place.times, None
        operands = [self._operand(operand) for operand in run.operands]
        rule = self.operators.get(node.operator)
        if rule is not None and rule.stacks:  # as a block stacks, without a kernel
            self._gather(run.outputs[0], operands)
            return
        in_place = bool(node.attributes.get(IN_PLACE))  # one kernel in what is there: no copies, no parts
        dtype = "" if in_place else self.profile.casts.get(node.operator, "")
        expansion = None if in_place else self.profile.expand.get(node.operator)
        self._held = []
        caller, first = storages(operands), len(self.calls)
        try:
            operands = as_read(self, node, operands, dtype)
            if dtype:
                operands = cast(self, operands, dtype)
            self._cast = bool(dtype)
            if node.operator not in self.operators:
                outputs = self._opaque(node, operands)
            elif expansion is None:
                outputs = self.record(self.operators[node.operator], operands, node.attributes)
            else:
                returned = expansion(self, *operands, **plain(node.attributes))
                outputs = outputs_of(returned, len(run.outputs), self.profile.name)
        except Exception as error:
            raise blame(node.name, node.operator, self.operators, error) from error
        if self.regions.saved(node):
            self._save(first, outputs)
        self.holds.extend((storage, len(self.calls) - 1) for storage in self._held)
        working = [i for i in range(first, len(self.calls)) if not self.calls[i].view]
        self.holds.extend((storage, working[-1]) for storage in caller if working)  # the caller has them as well
        for made, tensor in zip(run.outputs, outputs, strict=True):
            self._put(made, tensor)

    def _hold_values(self, end: BodyEnd) -> None:
        """Keeps the values that a scope of the body holds alive until the scope's last kernel."""
        held, start = end.graph.held, self._starts.get(end.place, len(self.calls))
        last = last_calls(self.calls, start, set(held.values()))
        for name, scope in held.items():
            if scope in last:
                self.holds.extend((storage, last[scope]) for storage in self._tensor(end.values[name]).storages)

    def apply(self, operator: str, *operands: Tensor, **attributes: Any) -> Tensor:
        """Records one kernel and returns its output."""
        return single(operator, self.apply_several(operator, *operands, **attributes))

    def apply_several(self, operator: str, *operands: Tensor, **attributes: Any) -> tuple[Tensor, ...]:
        """Records one kernel and returns its outputs."""
        rule = self.rule(operator)
        dtype = "" if self._cast else self.profile.casts.get(operator, "")
        return self.record(rule, cast(self, operands, dtype) if dtype else operands, attributes)

    def finish(self) -> None:
        """Ends the pass: the copies of parameters, of every repetition, were alive up to here."""
        around = spans_around((span.start, span.stop) for span in self.spans) if self.copies.births else {}
        for storage, birth in self.copies.births.items():
            self.holds.append((storage, len(self.calls) - 1))
            self.left_behind.update((storage, self.spans[index].start) for index in around.get(birth, ()))

    def hold(self, *tensors: Tensor) -> None:
        """Keeps tensors alive until the node's last kernel has run, as a variable of its function does."""
        self._held.extend(storage for tensor in tensors for storage in tensor.storages)

    def rule(self, operator: str) -> Operator:
        """Returns the operator of this name; UnknownNameError if there is none."""
        if operator not in self.operators:
            raise unknown_operator(operator, self.operators)
        return self.operators[operator]

    def record(
        self, operator: Operator, operands: Sequence[Tensor], attributes: Mapping[str, Any], copy_of: str = ""
    ) -> tuple[Tensor, ...]:
        """Records one kernel and returns its outputs; `copy_of` is the parameter that it copies to another dtype."""
        assert self._node is not None
        application = operator.apply([operand.spec for operand in operands], attributes)
        flows = any(operand.needs_grad for operand in operands) and not operator.stops_gradient
        flows = flows or operator.name in self.starting
        kept = self._kept(operator, operands, attributes) if application.in_place and flows else None
        outputs = []
        for spec in application.outputs:
            if application.in_place:
                found = list(operands[0].storages)
            elif application.view and operands:
                found = storages(operands)
            else:
                kind = PREEXISTING if operator.preexisting else TABLE if application.view else ACTIVATION
                found = [self._storage(spec, kind, copy_of)]
            outputs.append(Tensor(spec, found[0], flows and spec.dtype in FLOATING, tuple(found[1:])))
        made = tuple(outputs)
        parts = (self._node, operator, tuple(operands), made, attributes, application)
        self.calls.append(KernelCall(*parts, self._count, self._region(), overwritten=kept))
        return made

    def _kept(self, operator: Operator, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> Tensor | None:
        """Returns the copy of the operand that a kernel overwrites, if its gradient needs what it was: torch clones it.

        Of x.mul_(w) the gradient of w needs x, which is gone; that of x needs w alone.
        """
        assert self._node is not None
        if self._node.keeps is not None:  # the code of a function that is its own gradient's
            return None
        x = operands[0]
        specs = [operand.spec for operand in operands]
        wanted = wanted_names(operator, [operand.needs_grad for operand in operands])
        saved = saved_tensors(operator, specs, attributes, wanted)
        if not any(item.kind == OPERAND and item.index == 0 for item in saved):
            return None
        copy = Tensor(x.spec, self._storage(x.spec, ACTIVATION), False)
        name, region = self.profile.names.keep, self._region()
        self.calls.append(KernelCall(self._node, None, (x,), (copy,), {}, None, self._count, region, name=name))
        return copy

    def _opaque(self, node: Node, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        flows = any(operand.needs_grad for operand in operands)
        made = tuple(
            Tensor(value.spec, self._storage(value.spec, ACTIVATION), flows and value.spec.dtype in FLOATING)
            for value in node.outputs
        )
        parts = (node, None, tuple(operands), made, node.attributes, None)
        self.calls.append(KernelCall(*parts, self._count, self._region()))
        return made

    def _save(self, first: int, outputs: Sequence[Tensor]) -> None:
        """Marks those of a node's kernels, from a position on, that make its outputs: these are not run again."""
        saved = set(storages(outputs))
        for position in range(first, len(self.calls)):
            call = self.calls[position]
            if not call.view and not saved.isdisjoint(storages(call.outputs)):
                self.calls[position] = attrs.evolve(call, output_saved=True)

    def _region(self) -> int:
        """Returns the region of all the node's kernels; regions are numbered in the order of their first kernels."""
        if self._of_node is None:
            assert self._node is not None
            self._of_node = self.regions.of(self._node, self.place)
        return self._of_node

    def _storage(self, spec: TensorSpec, kind: str, copy_of: str = "") -> Storage:
        assert self._node is not None
        owner = copy_of or self._node.name
        return Storage(spec.bytes, kind, owner, self._count, spec.dtype, copy_of, self.written_out)

    def _operand(self, operand: Result | Parameter) -> Tensor:
        if isinstance(operand, Result):
            return self._tensor(operand)
        name = operand.tied_to or operand.name
        place = self.place.around(name.count("*"))
        key = (name, place.starts, place.numbers)
        storage = self._parameters.get(key)
        if storage is None:
            storage = Storage(operand.spec.bytes, PARAMETER, name, 1, operand.spec.dtype)
            self._parameters[key] = storage
            if not operand.buffer and (self.trained(operand) or self.inference):
                self.copies.shared.add(name)
        return Tensor(operand.spec, storage, operand.spec.dtype in FLOATING and self.trained(operand))

    def _tensor(self, result: Result) -> Tensor:
        tensor = self._tensors.get(result)
        if tensor is None:  # nothing has made it: an input
            value = result.value
            storage = Storage(value.spec.bytes, INPUT, value.name, 1, value.spec.dtype)
            tensor = Tensor(value.spec, storage, value.name in self.trained_inputs and value.spec.dtype in FLOATING)
            self._put(result, tensor)
        return tensor

    def _put(self, result: Result, tensor: Tensor) -> None:
        self._tensors[result] = tensor
        self._made.setdefault(tensor, result.place)  # an expansion may hand on what it got

    def _stack(self, end: BlockEnd) -> None:
        """Ends a block: its repetitions that stand for several become a span, and its results are stacked.

        Of 12 layers whose outputs a block stacks, layers 0, 1 and 11 are scheduled, and layer 1 stands for 10: the
        calls of layer 1 are a span, 10 times.
        """
        starts = [self._starts.get(place, len(self.calls)) for place in end.repetitions]
        several, span = standing_for_several(end), -1
        if several:
            span = len(self.spans)
            self.spans.append(repeated_span(several, starts, len(self.calls)))
        inside = [within for within in self.spans if within.start >= starts[0]]
        for value, made in end.stacks:
            results = [self._tensor(result) for result in made]
            counts = standing_results(end, several, [self._made[result] for result in results])
            stacked = self._gather(value, results, span, *counts)
            self.left_behind.update(left_behind(stacked, inside, self.calls))

    def _gather(self, made: Result, results: Sequence[Tensor], *counts: Any) -> Tensor:
        """Records that results are stacked up, and returns the stack; `counts` are the last of a StackedResult."""
        stacked = stacked_tensor(made.value.spec.shape[0], results)
        self.holds.extend((storage, len(self.calls) - 1) for storage in stacked.storages if self.calls)
        self.stacks.append(StackedResult(len(self.calls), stacked, tuple(results), *counts))
        self._put(made, stacked)
        return stacked
