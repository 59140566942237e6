"""Writes through views: what torch's autograd does for x[:, :4].mul_(w), in one node of its own (CopySlices).

In the graph that is a view of x, an operator in place on it, and an operator that says `writes_through`: x as it is
then. torch's node has the gradient g of x as it is then, and

1. copies g, into `whole`, since it will write into it;
2. copies the part of it that was written, which is the gradient of the operator's result;
3. computes the operator's gradients of that;
4. writes the one of the overwritten part into `whole`, which is the gradient of x as it was. So no gradient goes back
   through the view.

g, both copies and the operator's gradients are alive until the node has run: torch/csrc/autograd/functions/tensor.cpp.
"""

from __future__ import annotations

from graphacct.execution.kernels import KernelCall, Tensor
from graphacct.execution.tape import Tape
from graphacct.tensors import TensorSpec


class SliceWrites:
    """The writes through views whose nodes are running: each begins with the whole and ends with the operator."""

    def __init__(self, tape: Tape, name: str) -> None:
        self._tape = tape
        self._name = name  # of the kernels that copy
        self._running: dict[Tensor, tuple[Tensor, Tensor]] = {}  # g and its copy, by the part as it was written

    def begin(self, call: KernelCall, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Returns the gradients of x and of the part that was written, of a call that says `writes_through`.

        That of x is g itself if no gradient goes to the part, which was written while torch recorded nothing.
        """
        x, part = call.operands
        if not part.needs_grad:
            return g, None
        (whole,) = self._tape.make(self._name, (g,), [TensorSpec(x.spec.shape, g.spec.dtype, x.spec.strides)])
        (copy,) = self._tape.make(self._name, (whole,), [TensorSpec(part.spec.shape, g.spec.dtype)])
        self._running[part] = g, whole
        return whole if x.needs_grad else None, copy

    def end(
        self, call: KernelCall, gradients: list[Tensor | None], arrived: list[Tensor]
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Returns the gradients of a call's operands that are still to be given, and what is alive until they are: if
        it wrote through a view, not the gradient of the part, which is written into the whole, but g."""
        found = [self._running.pop(output) for output in call.outputs if output in self._running]
        if not found or call.application is None or not call.application.in_place:
            return gradients, arrived
        g, whole = found[0]
        if gradients[0] is not None:
            self._tape.record(self._name, (gradients[0],), (whole,))
        self._tape.touch(*arrived, *(gradient for gradient in gradients if gradient is not None))
        return [None, *gradients[1:]], [g, whole]
