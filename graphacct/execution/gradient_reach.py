"""How far gradients reach in a schedule: which tensors get one, and from how many uses each parameter does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphacct.execution.kernels import INPUT, PARAMETER, KernelCall, Schedule, StackedResult, Storage, Tensor
from graphacct.graph.graph import Graph
from graphacct.operators.operator import Operator

Key: TypeAlias = Tensor | Storage
"""What gradients are gathered by: a value that a call made, or a parameter's storage."""


class GradientReach:
    """Which tensors get a gradient, found in one walk over the schedule from its end.

    Attributes:
        stacks: The tensors that blocks stack, by the position of the call before which they are there, last first.
        keys: What gets a gradient.
        leaf_uses: From how many uses each parameter, and each input that is trained, gets one; and so each result that
            starts gradients, one of `leaves`.
    """

    def __init__(self, schedule: Schedule, roots: Sequence[Tensor]) -> None:
        self.stacks: dict[int, list[StackedResult]] = {}
        for stack in schedule.stacks:
            self.stacks.setdefault(stack.position, []).insert(0, stack)
        self._made = {tensor for call in schedule.calls for tensor in call.outputs}
        self._made.update(stack.stacked for stack in schedule.stacks)
        self.leaves = started(schedule)
        self.keys: set[Key] = {self.key(tensor) for tensor in roots}
        self.leaf_uses: dict[Key, int] = {}
        for tensor in roots:
            self._use(tensor)
        for position in range(len(schedule.calls), -1, -1):
            for stack in self.stacks.get(position, ()):
                if stack.stacked in self.keys:
                    for result in stack.results:
                        self._use(result)
            call = schedule.calls[position - 1] if position else None
            if call is not None and not starts(call) and self.reaches(call.outputs):
                for operand in call.operands:
                    self._use(operand)

    def key(self, tensor: Tensor) -> Key:
        """Returns what a tensor's gradients are gathered by."""
        return tensor if tensor in self._made else tensor.storage

    def reaches(self, outputs: Sequence[Tensor]) -> bool:
        """Returns whether any of a call's outputs gets a gradient, so that the call has a backward node."""
        return any(self.key(output) in self.keys for output in outputs)

    def _use(self, tensor: Tensor) -> None:
        if tensor.needs_grad:
            key = self.key(tensor)
            self.keys.add(key)
            leaf = tensor not in self._made and tensor.storage.kind in (PARAMETER, INPUT)
            if leaf or tensor in self.leaves:
                self.leaf_uses[key] = self.leaf_uses.get(key, 0) + 1


def starting_operators(graph: Graph, operators: Mapping[str, Operator]) -> frozenset[str]:
    """Returns the names of the operators of a graph in which gradients start."""
    used = {node.operator for node in graph.walk()}
    return frozenset(name for name in used if name in operators and operators[name].starts_gradient)


def starts(call: KernelCall) -> bool:
    """Returns whether what a call puts out starts gradients: it is a variable that a step computes the gradient of."""
    return call.operator is not None and call.operator.starts_gradient


def started(schedule: Schedule) -> set[Tensor]:
    """Returns the tensors of a training step that start gradients."""
    return {output for call in schedule.calls if starts(call) for output in call.outputs if output.needs_grad}
