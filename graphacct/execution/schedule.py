"""The schedule: a graph as the sequence of kernels that run, with the storage of every tensor.

A view has its source's storage, any other output storage of its own. Of a block the first and the last repetitions are
scheduled and one in the middle (or a few in a row) that stands for all the others (its count), so that a schedule is
short however deep the model is: repetitions differ only at the ends, where the carried values come from outside or
leave (`graph/walk.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim
from graphacct.errors import blame, unknown
from graphacct.execution.casting import cast, trains
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
    storages,
)
from graphacct.execution.profiles import DECLARED, Profile
from graphacct.execution.recorder import single
from graphacct.graph.graph import Block, Graph, Node, Parameter
from graphacct.graph.paths import outermost
from graphacct.graph.places import TOP, Place
from graphacct.graph.repetitions import repetitions
from graphacct.graph.walk import BlockEnd, BodyEnd, Result, Run, runs
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING, TensorSpec


def schedule(
    graph: Graph,
    operators: Mapping[str, Operator],
    profile: Profile = DECLARED,
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
    recompute: Callable[[Node], bool] = lambda node: False,
    saved: Callable[[Node], bool] = lambda node: False,
) -> Schedule:
    """The kernels that a graph runs as under a profile.

    `trained` says which parameters need a gradient, `recompute` which nodes are run again in the backward pass. Those
    of one repetition of a block are one region: it starts again from what it got from outside. The nodes that
    are `saved` belong to it as well, but their outputs are kept and they are not run again.
    """
    trace = Trace(profile.operators(operators), profile, trained, recompute, saved)
    trace.inference = bool(profile.casts) and not trains(graph, trained)
    outputs = trace.run(graph)
    trace.release()
    lasting = (tuple(trace.holds), tuple(trace.spans), frozenset(trace.gathered), tuple(trace.stacked))
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
        self.recompute = recompute
        self.saved = saved
        self.inference = False
        self.calls: list[KernelCall] = []
        self.holds: list[tuple[Storage, int]] = []
        self.spans: list[RepeatedSpan] = []
        self.gathered: set[tuple[Storage, int]] = set()
        self.stacked: list[StackedResult] = []
        self._tensors: dict[Result, Tensor] = {}
        self._made: dict[Tensor, Place] = {}
        self._starts: dict[Place, int] = {TOP: 0}
        self._parameters: dict[tuple[str, tuple[int, ...], tuple[int, ...]], Storage] = {}
        self._node: Node | None = None
        self._place = TOP
        self._count: Dim = 1
        self._held: list[Storage] = []
        self._cast = False
        self._copies: dict[tuple[str, str, Place], Tensor] = {}
        self._cacheable: set[str] = set()
        self._lasting: list[tuple[Storage, int]] = []
        self._regions: dict[Place | str, int] = {}

    def run(self, graph: Graph) -> tuple[Tensor, ...]:
        """Record a graph's kernels; gives its outputs."""
        values: Mapping[str, Result] = {}
        for event in runs(graph, self._counts):
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
        if place is not self._place:
            for level in place.levels:
                self._starts.setdefault(level, len(self.calls))
        self._node, self._place, self._count = node, place, place.times
        operands = [self._operand(operand) for operand in run.operands]
        dtype = self.profile.casts.get(node.operator, "")
        expansion = self.profile.expand.get(node.operator)
        self._held = []
        caller, first = storages(operands), len(self.calls)
        try:
            if dtype:
                operands = cast(self, operands, dtype)
            self._cast = bool(dtype)
            if node.operator not in self.operators:
                outputs = self._opaque(node, operands)
            elif expansion is None:
                outputs = self._apply(self.operators[node.operator], operands, node.attributes)
            else:
                result = expansion(self, *operands, **node.attributes)
                outputs = result if isinstance(result, tuple) else (result,)
        except Exception as error:
            raise blame(node.name, node.operator, self.operators, error) from error
        if self.saved(node):
            self._save(first, outputs)
        self.holds.extend((storage, len(self.calls) - 1) for storage in self._held)
        working = [i for i in range(first, len(self.calls)) if not self.calls[i].view]
        self.holds.extend((storage, working[-1]) for storage in caller if working)  # the caller has them as well
        for made, tensor in zip(run.outputs, outputs, strict=True):
            self._put(made, tensor)

    def _hold_values(self, end: BodyEnd) -> None:
        """Values that a scope of the body holds are alive until its last kernel."""
        held, start = end.graph.held, self._starts.get(end.place, len(self.calls))
        last = {scope: self._last_of(scope, start) for scope in set(held.values())}
        for name, scope in held.items():
            if last[scope] >= 0:
                self.holds.extend((storage, last[scope]) for storage in self._tensor(end.values[name]).storages)

    def _last_of(self, scope: str, start: int) -> int:
        """The last call from a position on whose node is in a scope; -1 without any."""
        prefix = f"{scope}." if scope else ""
        for index in range(len(self.calls) - 1, start - 1, -1):
            name = self.calls[index].node.name
            if name.startswith(prefix) or name == scope:
                return index
        return -1

    def apply(self, operator: str, *operands: Tensor, **attributes: Any) -> Tensor:
        """Records one kernel and returns its output."""
        return single(operator, self.apply_several(operator, *operands, **attributes))

    def apply_several(self, operator: str, *operands: Tensor, **attributes: Any) -> tuple[Tensor, ...]:
        """Records one kernel and returns its outputs."""
        rule = self._rule(operator)
        dtype = "" if self._cast else self.profile.casts.get(operator, "")
        return self._apply(rule, cast(self, operands, dtype) if dtype else operands, attributes)

    def in_dtype(self, tensor: Tensor, dtype: str) -> Tensor:
        """A tensor in another dtype: a copy, of a whole parameter one for all its uses."""
        if tensor.spec.dtype == dtype:
            return tensor
        whole = tensor.storage.kind == PARAMETER and tensor.spec.bytes == tensor.storage.bytes
        name = tensor.storage.owner
        key = (name, dtype, self._place.around(name.count("*")))
        if whole and key in self._copies:
            return self._copies[key]
        rule = self._rule(self.profile.names.cast)
        (copy,) = self._apply(rule, (tensor,), {"dtype": dtype}, name if whole else "")
        if whole and name in self._cacheable:
            self._copies[key] = copy
            self._lasting.append((copy.storage, len(self.calls) - 1))
        return copy

    def release(self) -> None:
        """The pass is over: the copies of parameters, of every repetition, were alive up to here."""
        for storage, birth in self._lasting:
            self.holds.append((storage, len(self.calls) - 1))
            self.gathered.update((storage, span.start) for span in self.spans if span.start <= birth < span.stop)

    def hold(self, *tensors: Tensor) -> None:
        """Keep tensors alive until the node's last kernel has run, as a variable of its function does."""
        self._held.extend(storage for tensor in tensors for storage in tensor.storages)

    def _rule(self, operator: str) -> Operator:
        if operator not in self.operators:
            raise unknown("operator", operator, self.operators)
        return self.operators[operator]

    def _apply(
        self, operator: Operator, operands: Sequence[Tensor], attributes: Mapping[str, Any], copy_of: str = ""
    ) -> tuple[Tensor, ...]:
        assert self._node is not None
        application = operator.apply([operand.spec for operand in operands], attributes)
        flows = any(operand.needs_grad for operand in operands)
        outputs = []
        for spec in application.outputs:
            if application.view and operands:
                found = storages(operands)
            else:
                kind = PREEXISTING if operator.preexisting else TABLE if application.view else ACTIVATION
                found = [self._storage(spec, kind, copy_of)]
            outputs.append(Tensor(spec, found[0], flows and spec.dtype in FLOATING, tuple(found[1:])))
        made = tuple(outputs)
        what = (self._node, operator, tuple(operands), made, attributes, application)
        self.calls.append(KernelCall(*what, self._count, self._region()))
        return made

    def _opaque(self, node: Node, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        flows = any(operand.needs_grad for operand in operands)
        made = tuple(
            Tensor(value.spec, self._storage(value.spec, ACTIVATION), flows and value.spec.dtype in FLOATING)
            for value in node.outputs
        )
        what = (node, None, tuple(operands), made, node.attributes, None)
        self.calls.append(KernelCall(*what, self._count, self._region()))
        return made

    def _save(self, first: int, outputs: Sequence[Tensor]) -> None:
        """Mark those of a node's kernels, from a position on, that make its outputs: these are kept, and what the
        others make is made again."""
        kept = set(storages(outputs))
        for position in range(first, len(self.calls)):
            call = self.calls[position]
            if not call.view and not kept.isdisjoint(storages(call.outputs)):
                self.calls[position] = attrs.evolve(call, output_saved=True)

    def _region(self) -> int:
        assert self._node is not None
        if not (self.recompute(self._node) or self.saved(self._node)):
            return 0
        # a repetition of an outermost block; in a graph that is written out, a whole layer all the same
        region = outermost(self._node.name) if self._place is TOP else self._place.around(1)
        return self._regions.setdefault(region, len(self._regions) + 1)

    def _storage(self, spec: TensorSpec, kind: str, copy_of: str = "") -> Storage:
        assert self._node is not None
        return Storage(spec.bytes, kind, copy_of or self._node.name, self._count, spec.dtype, copy_of)

    def _operand(self, operand: Result | Parameter) -> Tensor:
        if isinstance(operand, Result):
            return self._tensor(operand)
        name = operand.tied_to or operand.name
        place = self._place.around(name.count("*"))
        key = (name, place.starts, place.numbers)
        storage = self._parameters.get(key)
        if storage is None:
            storage = Storage(operand.spec.bytes, PARAMETER, name, 1, operand.spec.dtype)
            self._parameters[key] = storage
            if not operand.buffer and (self.trained(operand) or self.inference):
                self._cacheable.add(name)
        return Tensor(operand.spec, storage, operand.spec.dtype in FLOATING and self.trained(operand))

    def _tensor(self, result: Result) -> Tensor:
        tensor = self._tensors.get(result)
        if tensor is None:  # nothing has made it: an input
            value = result.value
            tensor = Tensor(value.spec, Storage(value.spec.bytes, INPUT, value.name, 1, value.spec.dtype), False)
            self._put(result, tensor)
        return tensor

    def _put(self, result: Result, tensor: Tensor) -> None:
        self._tensors[result] = tensor
        self._made.setdefault(tensor, result.place)  # an expansion may hand on what it got

    def _counts(self, block: Block, place: Place) -> Sequence[Dim]:
        """How many each of a block's repetitions stands for. All are told apart if their nodes are recomputed as part
        of a repetition around the block: each then makes what it makes before the first of them is through."""
        if place is not TOP and type(block.repeat) is int and any(map(self.recompute, block.body.walk())):
            return [1] * block.repeat
        return repetitions(block)

    def _stack(self, end: BlockEnd) -> None:
        """A block is through: its repetitions that stand for several become a span, and its results are stacked."""
        starts = [self._starts.get(place, len(self.calls)) for place in end.repetitions]
        stops = [*starts[1:], len(self.calls)]
        several = [place for place in end.repetitions if not (type(place.count) is int and place.count == 1)]
        span = -1
        if several:
            span = len(self.spans)
            first, last = several[0].numbers[-1], several[-1].numbers[-1]
            self.spans.append(RepeatedSpan(starts[first], stops[last], several[-1].count, (starts[0], stops[-1])))
        inside = [within for within in self.spans if within.start >= starts[0]]
        for stacked, results in end.stacks:
            tensors = [self._tensor(result) for result in results]
            many = {tensor for tensor in tensors if any(level in several for level in self._made[tensor].levels)}
            self._put(stacked, self._gather(end.block.repeat, tensors, inside, span, many))

    def _gather(
        self,
        repeat: Dim,
        results: Sequence[Tensor],
        spans: Sequence[RepeatedSpan],
        middle: int,
        many: Container[Tensor],
    ) -> Tensor:
        """The results of a block's repetitions side by side, each where it was made; `many` has what the
        repetitions that stand for several make, the span at this index."""
        found = storages(results)
        self.holds.extend((storage, len(self.calls) - 1) for storage in found if self.calls)
        for span in spans:
            inside = set(storages(tensor for call in self.calls[span.start : span.stop] for tensor in call.outputs))
            self.gathered.update((storage, span.start) for storage in found if storage in inside)
        spec = TensorSpec((repeat, *results[0].spec.shape), results[0].spec.dtype)
        stacked = Tensor(spec, found[0], any(result.needs_grad for result in results), tuple(found[1:]))
        places = {result: index for index, result in reversed(list(enumerate(results))) if result in many}
        self.stacked.append(StackedResult(len(self.calls), stacked, tuple(results), middle, frozenset(places.values())))
        return stacked
