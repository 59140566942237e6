"""Weights: the bytes of a graph's parameters, their gradients and their optimizer state."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.dims import Dim
from graphacct.graph.graph import Parameter
from graphacct.graph.paths import instances
from graphacct.tensors import FLOATING
from graphacct.training.optimizers import Optimizer, has_master, state_bytes


@attrs.frozen
class Weights:
    """Bytes of the parameters and of what training has beside them, each storage once, before ranks divide them.

    Attributes:
        parameters: Of the parameters, as they are stored.
        gradients: Of the gradients of those that are trained, in the parameters' dtype.
        optimizer_state: Of the optimizer's state for those, master copies included.
        buffers: Of what is in the model's checkpoint and never trained.
        master: Whether any parameter has a master copy.
    """

    parameters: Dim = 0
    gradients: Dim = 0
    optimizer_state: Dim = 0
    buffers: Dim = 0
    master: bool = False


def weights(
    annotated: AnnotatedGraph, optimizer: Optimizer | None, master: str, trained: Callable[[Parameter], bool]
) -> Weights:
    """Returns the weights of a graph, without those of nodes that have no cost; without an optimizer there is no state.

    `master` is that of `TrainingOptions`, and `trained` says which parameters have a gradient.
    """
    parameters: Dim = 0
    gradients: Dim = 0
    state: Dim = 0
    buffers: Dim = 0
    copies = False
    for record in annotated.costs:
        for item in record.owned:
            count = instances(item.name, record.repeats)
            size = item.bytes * count
            if item.buffer:
                buffers = buffers + size
                continue
            parameters = parameters + size
            if trained(item) and item.spec.dtype in FLOATING:
                gradients = gradients + item.spec.bytes * count
                if optimizer is not None:
                    state = state + state_bytes(optimizer, item, master) * count
                    copies = copies or has_master(item.spec, master)
    return Weights(parameters, gradients, state, buffers, copies)
