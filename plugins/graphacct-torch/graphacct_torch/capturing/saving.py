"""Saved tensors: which call of the forward pass saves which tensor for its backward pass.

Autograd numbers the nodes of its graph in the order in which it makes them. A forward call makes its node, saves the
operands that the node needs, runs, and saves the results that it needs. So the number of nodes at the moment of saving
says which call saves: that of the last call if it saves a result, a larger one if the next call saves an operand.
"""

from __future__ import annotations

import sys
from typing import TypeAlias

import torch
from torch.autograd.graph import saved_tensors_hooks

from graphacct_torch.calls import SavedRecord
from graphacct_torch.capturing.autograd import DETACH, nodes_so_far
from graphacct_torch.capturing.recorder import Recorder

CHECKPOINT = "torch.utils.checkpoint"


Packed: TypeAlias = tuple[torch.Tensor, int]
"""A tensor, and how often it had been written into when it was saved."""


class Saving(saved_tensors_hooks):
    """Records what the forward pass saves. Regions of torch.utils.checkpoint save in their own way, and only what
    enters them is seen."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(self._pack, _unpack)
        self.recorder = recorder
        self.saved: list[SavedRecord] = []

    def _pack(self, tensor: torch.Tensor) -> Packed:
        recorder = self.recorder
        if recorder.training:  # a region that runs again
            return tensor, tensor._version
        calls, record = recorder.calls, recorder.record(tensor)
        detached = bool(calls) and calls[-1].func is DETACH and calls[-1].outputs[0] is record
        if detached and calls[-1].nodes == nodes_so_far():  # else it is the module's own, before the node that saves
            calls.pop()  # autograd hands out a tensor without its history, which no step without hooks does
        last = len(calls) - 1
        entering = sys._getframe(1).f_globals.get("__name__") == CHECKPOINT
        here = not entering and last >= 0 and calls[last].nodes == nodes_so_far()
        self.saved.append(SavedRecord(last if here else last + 1, record, entering))
        result = here and any(made is record for made in calls[last].outputs)
        return recorder.without_history(tensor, record) if result else tensor, tensor._version


def _unpack(packed: Packed) -> torch.Tensor:
    """Returns a saved tensor. torch itself looks whether it was overwritten, but not where hooks hand it out."""
    tensor, version = packed
    if tensor._version != version:
        raise RuntimeError(
            f"a tensor of shape {[*tensor.shape]} that the backward pass needs was overwritten in place after it was "
            "saved: torch refuses such a step"
        )
    return tensor
