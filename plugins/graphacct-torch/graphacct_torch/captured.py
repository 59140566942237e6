"""What a module did when it ran: the noun that a capture returns."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct_torch.calls import CallRecord, SavedRecord, TensorRecord, VisitRecord, WholeRecord


@attrs.frozen(eq=False)
class Captured:
    """What a module did when it ran.

    Attributes:
        calls: The calls, in order.
        inputs: The inputs that it was given, in order.
        outputs: The tensors that it returned, in order.
        tensors: The parameters and buffers by their paths, all names of a tied one included.
        frozen: The parameters that the module does not train, by path.
        starts: The tensors that the backward pass starts from.
        saved: What the forward pass saved for it, if that was asked for.
        gradients: The parameters' gradients at the end, by path.
        graded: The numbers of the outputs that need a gradient, and of what the backward pass starts from.
        wholes: The functions whose calls are one operator together.
        trained_inputs: The names of the inputs that need a gradient.
        decided: The lines of code that branched on data of tensors whose sizes are symbols.
        visits: The runs of modules in the forward pass by number, but for that of the whole one.
    """

    calls: tuple[CallRecord, ...]
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    tensors: Mapping[str, TensorRecord]
    frozen: frozenset[str] = frozenset()
    starts: tuple[TensorRecord, ...] = ()
    saved: tuple[SavedRecord, ...] = ()
    gradients: Mapping[str, TensorRecord] = attrs.field(factory=dict)
    wholes: tuple[WholeRecord, ...] = ()
    graded: frozenset[int] = frozenset()
    visits: Mapping[int, VisitRecord] = attrs.field(factory=dict)
    trained_inputs: frozenset[str] = frozenset()
    decided: tuple[str, ...] = ()
