"""Where gradients stop: `detach()`, `torch.no_grad()` and `.data`, as torch itself had it when the module ran.

The graph lets a gradient through every floating-point operator. Where torch says that an operand needs none, and the
graph would give it one, a node `detach` comes between. A variable that the module makes on the way gets a gradient that
goes no further: a node `leaf`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from graphacct import FLOATING, Builder, Operator, Parameter, Value
from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.tracing.views import Reshaped, Standing, Turned

STOPS = "detach"
STARTS = "leaf"
LAZY = ("aten._conj.default", "aten._neg_view.default")


class GradientBuilder(Builder):
    """A builder that knows which of its values a gradient would reach a parameter from.

    Attributes:
        read: The names under which nodes read parameters.
    """

    def __init__(self, name: str, operators: Mapping[str, Operator]) -> None:
        super().__init__(name, operators)
        self.read: set[str] = set()
        self._carrying: set[str] = set()
        self._stopped: dict[str, Value] = {}
        self._started: dict[int, Value] = {}

    def given(self, name: str, shape: Sequence[Any], dtype: str, trained: bool) -> Value:
        """Returns an input; a `trained` one has a gradient."""
        value = self.input(name, tuple(shape), dtype)
        if trained:
            self._carrying.add(value.name)
        return value

    def carries(self, operand: Value | Parameter) -> bool:
        """Whether an operand is a parameter or an input that is trained, or a value made of one."""
        if isinstance(operand, Parameter):
            return not (operand.frozen or operand.buffer) and operand.spec.dtype in FLOATING
        return operand.name in self._carrying

    def stopped(self, operand: Value | Parameter, name: Callable[[], str]) -> Value:
        """Returns an operand behind a node that stops gradients; each has one."""
        if operand.name not in self._stopped:
            self._stopped[operand.name] = self.apply(STOPS, operand, name=name())
        return self._stopped[operand.name]

    def started(self, index: int, operand: Value | Parameter, name: Callable[[], str]) -> Value:
        """Returns the variable that the tensor of this number is, as a node in which gradients start; it has one."""
        if index not in self._started:
            self._started[index] = self.apply(STARTS, operand, name=name())
        return self._started[index]

    def apply(self, operator: str, *operands: Any, name: str = "", **attributes: Any) -> Any:
        made = super().apply(operator, *operands, name=name, **attributes)
        self.read.update(operand.name for operand in operands if isinstance(operand, Parameter))
        if operator == STARTS or (operator != STOPS and any(map(self.carries, operands))):
            for value in made if isinstance(made, tuple) else (made,):
                if value.spec.dtype in FLOATING:
                    self._carrying.add(value.name)
        return made


class Stops:
    """Which operands of the call that is being added get no gradient.

    A group of calls that is one operator has the operands of all of them. A module none of whose outputs needs a
    gradient, as one that runs under `no_grad` as a whole, has a stop at its outputs alone.
    """

    def __init__(self, calls: Sequence[CallRecord], groups: Mapping[int, object], outputs: frozenset[int]) -> None:
        self._outputs = outputs
        self._now: frozenset[int] | None = None
        self._leaves: frozenset[int] = frozenset()
        self._graded = _graded(calls, outputs) if outputs else {}
        gathered: frozenset[int] | None = frozenset()
        for call in calls:
            own = self._graded.get(call.position)
            gathered = None if gathered is None or own is None else gathered | own
            if groups.get(call.position, call) is not None:
                self._graded[call.position] = gathered
                gathered = frozenset()

    def at(self, call: CallRecord) -> None:
        """Goes on to a call."""
        self._now = self._graded.get(call.position)
        self._leaves = self._leaves | call.leaves if self._outputs else self._leaves

    def at_end(self) -> None:
        """Goes on to the outputs."""
        self._now = self._outputs

    @contextlib.contextmanager
    def nowhere(self) -> Iterator[None]:
        """A context in which no gradient is stopped."""
        before, self._now = self._now, None
        try:
            yield
        finally:
            self._now = before

    def starts(self, tensor: TensorRecord) -> bool:
        """Whether a tensor is a variable of its own, to which a gradient comes from the present call."""
        return tensor.index in self._leaves and self._now is not None and tensor.index in self._now

    def stops(self, tensor: TensorRecord) -> bool:
        """Whether no gradient comes to a tensor from the present call."""
        return self._now is not None and tensor.index not in self._now


def without_gradient(found: Standing, builder: GradientBuilder, name: Callable[[], str]) -> Standing:
    """Returns what a tensor is, behind a node that stops gradients if any would come through."""
    base = found.base if isinstance(found, Reshaped) else found.weight if isinstance(found, Turned) else found
    if not builder.carries(base):
        return found
    stopped = builder.stopped(base, name)
    if isinstance(found, Reshaped):
        return attrs.evolve(found, base=stopped)
    return attrs.evolve(found, weight=stopped) if isinstance(found, Turned) else stopped


def _graded(calls: Sequence[CallRecord], outputs: frozenset[int]) -> dict[int, frozenset[int] | None]:
    """Returns by the position of each call which of its operands a gradient may reach; None for all of them.

    `outputs` are the outputs of the module that need a gradient. The forward function of a torch.autograd.Function runs
    without gradients, as the code under `no_grad` does, but what it returns needs one: there the operators' own
    gradients stand for its backward function.
    """
    made: dict[int, CallRecord] = {}
    wanted: list[CallRecord] = []
    for call in calls:
        if call.grads:
            wanted += [made[index] for index in call.graded if index in made]
        else:
            read = {operand.index for operand in call.operands}
            made.update((tensor.index, call) for tensor in call.outputs if tensor.index not in read)
    wanted += [made[index] for index in outputs if index in made]
    inside: set[int] = set()
    while wanted:
        call = wanted.pop()
        if call.position not in inside:
            inside.add(call.position)
            wanted += [made[operand.index] for operand in call.operands if operand.index in made]
    copied = _written_out(calls)
    return {
        call.position: (call.graded | copied.intersection(operand.index for operand in call.operands))
        if call.grads
        else None
        if call.position in inside
        else frozenset()
        for call in calls
    }


def _written_out(calls: Sequence[CallRecord]) -> frozenset[int]:
    """Returns the copies in which torch writes out a lazy conjugate or negative that needs a gradient. It makes them
    below autograd, where nothing needs one."""
    lazy: set[int] = set()
    found: set[int] = set()
    for call in calls:
        if call.name in LAZY and call.graded:
            lazy.add(call.outputs[0].index)
        elif call.name == "aten.clone.default" and call.operands[0].index in lazy:
            found.add(call.outputs[0].index)
    return frozenset(found)
