"""The timeline of a step: every kernel of the forward and the backward pass, and what is alive after it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from graphacct.dims import Dim, largest_of
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.kernels import FORWARD, Schedule


@attrs.frozen(repr=False)
class TimelineRow:
    """One kernel of the step.

    Attributes:
        node: The node that it belongs to, with `*` inside blocks.
        operator: What the kernel does: its operator, or the name that the profile gives to a kernel that the framework
            adds (`KernelNames`).
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


def timeline(
    schedule: Schedule, alive: Sequence[Dim], backward: BackwardPass = NO_BACKWARD_PASS
) -> tuple[TimelineRow, ...]:
    """Returns the kernels in order; `alive` has the bytes after each (`live_bytes`)."""
    calls = (*schedule.calls, *backward.calls)
    return tuple(
        TimelineRow(call.node.name, call.name, call.count, live, call.run)
        for call, live in zip(calls, alive, strict=True)
    )


def peak_of(alive: Sequence[Dim]) -> Dim:
    """Returns the most that is alive at once; 0 without a kernel."""
    return largest_of(alive)
