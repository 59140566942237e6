"""The schedule: a graph as the sequence of kernels that run, with the storage of every tensor.

A view has its source's storage, any other output storage of its own. A block is written out for its first and last
repetitions and one in the middle (or a few in a row) that stands for all the others (its weight), so that a schedule is
short however deep the model is: repetitions differ only at the ends, where the carried values come from outside or
leave (repetitions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from graphacct.dims import Dim
from graphacct.errors import blame, unknown
from graphacct.execution.casting import cast, trains
from graphacct.execution.kernels import (
    ACTIVATION,
    GIVEN,
    INPUT,
    PARAMETER,
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
from graphacct.execution.recording import single
from graphacct.graph.graph import Block, Graph, Node, Operand, Parameter, Value
from graphacct.graph.paths import outermost
from graphacct.graph.repetitions import repetitions
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING, TensorSpec


def schedule(
    graph: Graph,
    operators: Mapping[str, Operator],
    profile: Profile = DECLARED,
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
    recompute: Callable[[Node], bool] = lambda node: False,
) -> Schedule:
    """The kernels that a graph runs as under a profile.

    `trained` says which parameters need a gradient, `recompute` which nodes are run again in the backward pass. Those
    of one repetition of a block are one region: it starts again from what it got from outside.
    """
    trace = Trace(profile.operators(operators), profile, trained, recompute)
    tensors = {
        value.name: Tensor(value.spec, Storage(value.spec.bytes, INPUT, value.name, 1, value.spec.dtype), False)
        for value in graph.inputs
    }
    trace.inference = bool(profile.casts) and not trains(graph, trained)
    trace.run(graph, tensors, 1)
    trace.release()
    outputs = tuple(tensors[value.name] for value in graph.outputs)
    return Schedule(
        tuple(trace.steps),
        outputs,
        tuple(trace.holds),
        tuple(trace.groups),
        frozenset(trace.gathered),
        tuple(trace.gathers),
    )


class Trace:
    """A walk over a graph that records kernels; profiles' expansions call its `apply`."""

    def __init__(
        self,
        operators: Mapping[str, Operator],
        profile: Profile,
        trained: Callable[[Parameter], bool],
        recompute: Callable[[Node], bool],
    ) -> None:
        self.operators = operators
        self.profile = profile
        self.trained = trained
        self.recompute = recompute
        self.inference = False
        self.steps: list[KernelCall] = []
        self.holds: list[tuple[Storage, int]] = []
        self.groups: list[RepeatedSpan] = []
        self.gathered: set[tuple[Storage, int]] = set()
        self.gathers: list[StackedResult] = []
        self._parameters: dict[tuple[str, tuple[tuple[int, int], ...]], Storage] = {}
        self._indices: tuple[tuple[int, int], ...] = ()
        self._node: Node | None = None
        self._weight: Dim = 1
        self._repetition = 1
        self._held: list[Storage] = []
        self._cast = False
        self._copies: dict[tuple[Any, ...], Tensor] = {}
        self._cacheable: set[str] = set()
        self._lasting: list[tuple[Storage, int]] = []
        self._repetitions: list[int] = []
        self._layers: dict[str, int] = {}

    def run(self, graph: Graph, tensors: dict[str, Tensor], weight: Dim) -> None:
        """Record a graph's kernels; `tensors` has its inputs by name and receives every value."""
        start = len(self.steps)
        for node in graph.nodes:
            if isinstance(node, Block):
                self._block(node, tensors, weight)
                continue
            self._node, self._weight = node, weight
            operands = [self._operand(operand, tensors) for operand in node.inputs]
            dtype = self.profile.casts.get(node.operator, "")
            expansion = self.profile.expand.get(node.operator)
            self._held = []
            caller, first = storages(operands), len(self.steps)
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
            self.holds.extend((storage, len(self.steps) - 1) for storage in self._held)
            working = [i for i in range(first, len(self.steps)) if not self.steps[i].view]
            self.holds.extend((storage, working[-1]) for storage in caller if working)  # the caller has them as well
            tensors.update(zip((value.name for value in node.outputs), outputs, strict=True))
        for name, scope in graph.held.items():
            prefix = f"{scope}." if scope else ""
            names = ((i, self.steps[i].node.name) for i in range(start, len(self.steps)))
            inside = [i for i, node in names if node.startswith(prefix) or node == scope]
            if inside:
                self.holds.extend((storage, inside[-1]) for storage in tensors[name].storages)

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
        key = (name, dtype, *self._repetitions[: name.count("*")])
        if whole and key in self._copies:
            return self._copies[key]
        rule = self._rule(self.profile.names.cast)
        (copy,) = self._apply(rule, (tensor,), {"dtype": dtype}, name if whole else "")
        if whole and name in self._cacheable:
            self._copies[key] = copy
            self._lasting.append((copy.storage, len(self.steps) - 1))
        return copy

    def release(self) -> None:
        """The pass is over: the copies of parameters, of every repetition, were alive up to here."""
        for storage, birth in self._lasting:
            self.holds.append((storage, len(self.steps) - 1))
            self.gathered.update((storage, group.start) for group in self.groups if group.start <= birth < group.stop)

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
                kind = GIVEN if operator.given else TABLE if application.view else ACTIVATION
                found = [self._storage(spec, kind, copy_of)]
            outputs.append(Tensor(spec, found[0], flows and spec.dtype in FLOATING, tuple(found[1:])))
        made = tuple(outputs)
        what = (self._node, operator, tuple(operands), made, attributes, application)
        self.steps.append(KernelCall(*what, self._weight, self._region()))
        return made

    def _opaque(self, node: Node, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        flows = any(operand.needs_grad for operand in operands)
        made = tuple(
            Tensor(value.spec, self._storage(value.spec, ACTIVATION), flows and value.spec.dtype in FLOATING)
            for value in node.outputs
        )
        what = (node, None, tuple(operands), made, node.attributes, None)
        self.steps.append(KernelCall(*what, self._weight, self._region()))
        return made

    def _region(self) -> int:
        assert self._node is not None
        if not self.recompute(self._node):
            return 0
        if self._repetitions:
            return self._repetitions[0]
        layer = outermost(self._node.name)  # in a graph that is written out
        return self._layers.setdefault(layer, -1 - len(self._layers)) if layer else 1

    def _storage(self, spec: TensorSpec, kind: str, copy_of: str = "") -> Storage:
        assert self._node is not None
        return Storage(spec.bytes, kind, copy_of or self._node.name, self._weight, spec.dtype, copy_of)

    def _operand(self, operand: Operand, tensors: Mapping[str, Tensor]) -> Tensor:
        if isinstance(operand, Value):
            return tensors[operand.name]
        name = operand.tied_to or operand.name
        key = (name, self._indices[: name.count("*")])
        storage = self._parameters.get(key)
        if storage is None:
            storage = Storage(operand.spec.bytes, PARAMETER, name, 1, operand.spec.dtype)
            self._parameters[key] = storage
            if not operand.buffer and (self.trained(operand) or self.inference):
                self._cacheable.add(name)
        return Tensor(operand.spec, storage, operand.spec.dtype in FLOATING and self.trained(operand))

    def _block(self, block: Block, tensors: dict[str, Tensor], weight: Dim) -> None:
        carried = [tensors[value.name] for value in block.carry]
        constants = [tensors[value.name] for value in block.constants]
        stacks: list[list[Tensor]] = [[] for _ in block.outputs[len(carried) :]]
        first, begin = len(self.groups), len(self.steps)
        indices = self._indices
        middle: tuple[int, int, Dim] | None = None
        many: set[Tensor] = set()
        weights = self._weights(block)
        for count, times in enumerate(weights):
            names = (value.name for value in block.body.inputs)
            inner = dict(zip(names, carried + constants, strict=True))
            self._repetition += 1
            self._indices = (*indices, (block.start, count))
            start = len(self.steps)
            self._repetitions.append(self._repetition)
            entering = set(inner.values())
            self.run(block.body, inner, weight * times)
            self._repetitions.pop()
            if not (type(times) is int and times == 1):
                middle = (start if middle is None else middle[0], len(self.steps), times)
                many.update(tensor for tensor in inner.values() if tensor not in entering)
            results = [inner[value.name] for value in block.body.outputs]
            for stack, result in zip(stacks, results[len(carried) :], strict=True):
                stack.append(result)
            carried = results[: len(carried)]
        self._indices = indices
        group = -1
        if middle is not None:
            group = len(self.groups)
            self.groups.append(RepeatedSpan(*middle, (begin, len(self.steps))))
        gathered = [self._gather(block.repeat, stack, self.groups[first:], group, many) for stack in stacks]
        for value, tensor in zip(block.outputs, carried + gathered, strict=True):
            tensors[value.name] = tensor

    def _weights(self, block: Block) -> Sequence[Dim]:
        """The weights of a block's repetitions. All are written out when their nodes are run again as part of a
        repetition around the block: each then makes what it makes before the first of them is through."""
        again = bool(self._repetitions) and any(map(self.recompute, block.body.walk()))
        if again and type(block.repeat) is int:
            return [1] * block.repeat
        return repetitions(block)

    def _gather(
        self,
        repeat: Dim,
        results: Sequence[Tensor],
        groups: Sequence[RepeatedSpan],
        middle: int,
        many: Container[Tensor],
    ) -> Tensor:
        """The results of a block's repetitions side by side, each where it was made; `many` has what the
        repetitions that stand for several make, the span at this index."""
        found = storages(results)
        self.holds.extend((storage, len(self.steps) - 1) for storage in found if self.steps)
        for group in groups:
            inside = set(storages(t for step in self.steps[group.start : group.stop] for t in step.outputs))
            self.gathered.update((storage, group.start) for storage in found if storage in inside)
        spec = TensorSpec((repeat, *results[0].spec.shape), results[0].spec.dtype)
        stacked = Tensor(spec, found[0], any(result.needs_grad for result in results), tuple(found[1:]))
        places = {result: index for index, result in reversed(list(enumerate(results))) if result in many}
        self.gathers.append(StackedResult(len(self.steps), stacked, tuple(results), middle, frozenset(places.values())))
        return stacked
