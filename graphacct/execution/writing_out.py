"""Stored weights as products read them: in their stored form, or as a copy that kernels of the profile write out first.

The copy is alive during the product. It is not saved for the backward pass, which writes the weight out again if the
gradient of the product's other operand needs it (`Engine` in autograd.py).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from graphacct.execution.casting import castable
from graphacct.execution.kernels import Tensor, WrittenOut
from graphacct.execution.profiles import Profile
from graphacct.graph.graph import Node
from graphacct.operators.shape_inference import PROMOTE
from graphacct.tensors import TensorSpec


class Writer(Protocol):
    """What writing out needs of the schedule: its profile, and the mark of the storages that are made meanwhile."""

    profile: Profile
    training: bool
    written_out: WrittenOut | None


def as_read(trace: Writer, node: Node, operands: list[Tensor], dtype: str) -> list[Tensor]:
    """Returns the operands of a node as its kernels read them.

    A stored weight is read, or written out, in `dtype`, to which the profile casts the node's operands, if there is
    one.
    """
    for index, operand in enumerate(node.inputs):
        stored = getattr(operand, "stored", None)
        if stored is None:
            continue
        weight = operands[index]
        if dtype and dtype != PROMOTE and castable(weight.spec.dtype):
            weight = attrs.evolve(weight, spec=TensorSpec(weight.spec.shape, dtype))
        write_out, training = trace.profile.write_out, stored.format.keeps_input and trace.training
        if write_out is not None and (training or stored.written_out(operands[0].spec)):
            trace.written_out = source = WrittenOut(weight, stored)
            copy = write_out(trace, weight, stored, False)
            trace.written_out = None
            weight = _written_out_later(weight, source) if copy is weight else copy
        operands[index] = weight
    return operands


def _written_out_later(weight: Tensor, source: WrittenOut) -> Tensor:
    """Returns a weight that is read as it is stored, and written out in the backward pass."""
    return attrs.evolve(weight, storage=attrs.evolve(weight.storage, written_out=source))
