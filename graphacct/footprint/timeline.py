"""The timeline of a step: every kernel of the forward and the backward pass, and what is alive after it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import attrs

from graphacct.dims import Dim, maximum
from graphacct.execution.backward import BackwardPass
from graphacct.execution.kernels import Schedule

FORWARD, RECOMPUTE, BACKWARD = "forward", "recompute", "backward"


@attrs.frozen
class Moment:
    """One kernel of the step.

    Attributes:
        node: The node that it belongs to, with `*` inside blocks.
        operator: What the kernel does: its operator, or of the backward pass's own `gradient` (the loss's, of 1), `sum`
            (over what was broadcast) and `add` (gradients that meet).
        repeat: How many runs it stands for: a block's repetitions are written out at its ends, of the others one, or a
            few in a row, stands for all.
        live_bytes: Bytes of activations and their gradients alive after it: in the forward pass of the last of the
            runs, in the backward pass of the first.
        run: `forward`, `backward`, or `recompute` for a forward kernel that the backward pass runs again.
    """

    node: str
    operator: str
    repeat: Dim
    live_bytes: Dim
    run: str = FORWARD


def moments(schedule: Schedule, backward: BackwardPass, alive: Sequence[Dim]) -> tuple[Moment, ...]:
    """The kernels in order; `alive` has the bytes after each."""
    found = []
    for step, live in zip(schedule.steps, alive, strict=False):
        name = step.operator.name if step.operator else step.node.operator
        found.append(Moment(step.node.name, name, step.weight, live))
    for kernel, live in zip(backward.kernels, alive[len(schedule.steps) :], strict=True):
        step = schedule.steps[kernel.step]
        run = RECOMPUTE if kernel.again else BACKWARD
        found.append(Moment(step.node.name, kernel.name, step.weight * kernel.times, live, run))
    return tuple(found)


def largest(alive: Sequence[Dim]) -> Dim:
    """The most that is alive at once."""
    nothing: Dim = 0
    return reduce(maximum, alive, nothing)
