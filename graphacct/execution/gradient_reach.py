"""How far gradients reach in a schedule: which tensors get one, and from how many uses each parameter does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from graphacct.execution.kernels import INPUT, PARAMETER, Schedule, StackedResult, Storage, Tensor

Key: TypeAlias = Tensor | Storage
"""What gradients are gathered by: a value that a call made, or a parameter's storage."""


class GradientReach:
    """Which tensors get a gradient, found in one walk over the schedule from its end.

    Attributes:
        stacks: The tensors that blocks stack, by the position of the call before which they are there, last first.
        keys: What gets a gradient.
        leaf_uses: From how many uses each parameter, and each input that is trained, gets one.
    """

    def __init__(self, schedule: Schedule, roots: Sequence[Tensor]) -> None:
        self.stacks: dict[int, list[StackedResult]] = {}
        for stack in schedule.stacks:
            self.stacks.setdefault(stack.position, []).insert(0, stack)
        self._made = {tensor for call in schedule.calls for tensor in call.outputs}
        self._made.update(stack.stacked for stack in schedule.stacks)
        self.keys: set[Key] = {self.key(tensor) for tensor in roots}
        self.leaf_uses: dict[Key, int] = {}
        for tensor in roots:
            self._use(tensor)
        for position in range(len(schedule.calls), -1, -1):
            for stack in self.stacks.get(position, ()):
                if stack.stacked in self.keys:
                    for result in stack.results:
                        self._use(result)
            if position and self.reaches(schedule.calls[position - 1].outputs):
                for operand in schedule.calls[position - 1].operands:
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
            if tensor not in self._made and tensor.storage.kind in (PARAMETER, INPUT):
                self.leaf_uses[key] = self.leaf_uses.get(key, 0) + 1
