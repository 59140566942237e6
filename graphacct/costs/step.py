"""What a training step adds to a node's cost: its work, and its memory."""

from __future__ import annotations

import attrs

from graphacct.dims import Dim
from graphacct.operators.cost import Cost

NOTHING = Cost()


@attrs.frozen(eq=False, repr=False)
class StepCost:
    """The work that a training step adds to a node, and the memory for its parameters, over all repetitions.

    Attributes:
        input_grad: The work of all its gradients with respect to values.
        weight_grad: The same with respect to parameters.
        recompute: The forward work that the backward pass repeats: all of it if the node is recomputed, and what its
            kernel computes again.
        rerun: The forward work that the backward pass repeats because the model's own code says so (`Node.rerun`). It
            is part of the step, since the model asks for it.
        optimizer: The work of updating the parameters that it owns, on one rank.
        gradient_bytes: The gradients of those parameters, on one rank.
        optimizer_state_bytes: The optimizer's state for them, on one rank.
    """

    input_grad: Cost
    weight_grad: Cost
    recompute: Cost
    optimizer: Cost
    gradient_bytes: Dim
    optimizer_state_bytes: Dim
    rerun: Cost = NOTHING


@attrs.frozen(eq=False, repr=False)
class StepMemory:
    """The memory of a node's activations in a training step, with all repetitions. What nobody asks for is None: the
    peak of the forward pass needs no backward pass.

    Attributes:
        saved_bytes: The activations that it is the first to save.
        peak_bytes: The most activation bytes alive while it runs, in the forward pass.
        backward_peak_bytes: The same in the backward pass, with gradients, and where it is run again.
    """

    saved_bytes: Dim | None = None
    peak_bytes: Dim | None = None
    backward_peak_bytes: Dim | None = None
