"""What autograd tells while a module runs: which node of its graph a call belongs to, and which tensors it saves.

Autograd numbers the nodes of its graph in the order in which it makes them. A forward call makes its node, saves the
operands that the node needs, runs, and saves the results that it needs. So the number of nodes at the moment of saving
says which call saves: that of the last call if it saves a result, a larger one if the next call saves an operand.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs
import torch
from torch.autograd.graph import saved_tensors_hooks

from graphacct_torch.calls import TensorRecord

if TYPE_CHECKING:
    from graphacct_torch.capture import Recorder

CHECKPOINT = "torch.utils.checkpoint"
DETACH = torch.ops.aten.detach.default
LAST = 2**63
"""Numbers from here on are those of the nodes that add a gradient to a parameter's, which run before all others."""


@attrs.frozen(eq=False, slots=True)
class SavedRecord:
    """A tensor that a forward call saves for its backward pass.

    Attributes:
        position: The position of the call.
        tensor: The tensor.
        entering: Whether it enters a region of torch.utils.checkpoint, which runs again from it; then the call is the
            first of the region.
    """

    position: int
    tensor: TensorRecord
    entering: bool = False


def nodes_so_far() -> int:
    """Returns how many nodes autograd has made in this thread."""
    return int(torch.autograd._get_sequence_nr())


def gradient_node() -> int:
    """Returns `nodes_so_far` of the forward calls whose gradient is being computed; -1 outside a backward pass, and
    while a gradient is added to a parameter's."""
    node = torch._C._current_autograd_node()
    number = -1 if node is None else int(node._sequence_nr())
    return number + 1 if 0 <= number < LAST else -1


class Saving(saved_tensors_hooks):
    """Records what the forward pass saves. Regions of torch.utils.checkpoint save in their own way, and only what
    enters them is seen."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(self._pack, _unpack)
        self.recorder = recorder
        self.saved: list[SavedRecord] = []

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        recorder = self.recorder
        if recorder.training:  # a region that runs again
            return tensor
        calls, record = recorder.calls, recorder.record(tensor)
        detached = bool(calls) and calls[-1].func is DETACH and calls[-1].outputs[0] is record
        if detached and calls[-1].nodes == nodes_so_far():  # else it is the module's own, before the node that saves
            calls.pop()  # autograd hands out a tensor without its history, which no step without hooks does
        last = len(calls) - 1
        entering = sys._getframe(1).f_globals.get("__name__") == CHECKPOINT
        here = not entering and last >= 0 and calls[last].nodes == nodes_so_far()
        self.saved.append(SavedRecord(last if here else last + 1, record, entering))
        return tensor


def _unpack(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
