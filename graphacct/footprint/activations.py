"""Activations: what is alive while a step runs, kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import attrs

from graphacct.dims import Dim, maximum
from graphacct.execution.autograd import backward_pass
from graphacct.execution.backward import NO_BACKWARD_PASS
from graphacct.execution.kernels import ACTIVATION, TABLE, Schedule, storages
from graphacct.execution.profiles import Profile
from graphacct.execution.saved_storages import kept, savings
from graphacct.execution.schedule import schedule
from graphacct.footprint.live_tensors import Resident, residents
from graphacct.footprint.liveness import step_bytes
from graphacct.footprint.timeline import Moment, largest, moments
from graphacct.graph.graph import Graph, Parameter
from graphacct.operators.operator import Operator
from graphacct.training.recompute import Recomputed


@attrs.frozen
class Activations:
    """The activations of a step, in bytes. An attribute without a word here is that of `Memory`.

    Attributes:
        saved: Of what the backward pass needs of the forward pass, at its end.
        weight_copies: Of those, the copies of parameters in another dtype.
        tables: Of the constants that are made with the model, which are no activations: they are buffers.
        forward_peak, backward_peak, peak, fresh_peak, peak_at, peak_in, live_at_peak, timeline: As there.
    """

    saved: Dim
    weight_copies: Dim
    tables: Dim
    forward_peak: Dim
    backward_peak: Dim
    peak: Dim
    fresh_peak: Dim
    peak_at: str
    peak_in: str
    live_at_peak: tuple[Resident, ...]
    timeline: tuple[Moment, ...]


def activations(
    graph: Graph,
    operators: Mapping[str, Operator],
    profile: Profile,
    trained: Callable[[Parameter], bool],
    again: Recomputed,
    caching: Collection[str],
    training: bool,
) -> Activations:
    """The activations of a graph that runs as a profile's kernels.

    `trained` says which parameters need a gradient, `again` what the backward pass runs again, and `caching` names the
    nodes whose outputs stay in a cache. A step that is not `training` has no backward pass.
    """
    steps = schedule(
        graph, operators, profile, trained, lambda node: node.name in again.again, lambda node: node.name in again.saved
    )
    saving = list(savings(steps))
    keeping = [item for item in kept(steps, saving) if item.storage.kind == ACTIVATION]
    back = backward_pass(steps, saving, operators, profile) if training else NO_BACKWARD_PASS
    alive = step_bytes(steps, keeping, back)
    count = len(steps.steps)
    forward_peak, backward_peak = largest(alive[:count]), largest(alive[count:])
    peak = maximum(forward_peak, backward_peak)
    fresh_peak = largest(step_bytes(steps, keeping, back, fresh=True)) if training else peak
    at = alive.index(peak) if alive and all(type(value) is int for value in alive) else None
    timeline = moments(steps, back, alive)
    return Activations(
        saved=sum(item.bytes for item in keeping),
        weight_copies=sum(item.bytes for item in keeping if item.storage.copy_of),
        tables=_tables(steps),
        forward_peak=forward_peak,
        backward_peak=backward_peak,
        peak=peak,
        fresh_peak=fresh_peak,
        peak_at="" if at is None else timeline[at].node,
        peak_in="" if at is None else timeline[at].run,
        live_at_peak=() if at is None else residents(steps, at, keeping, caching, back),
        timeline=timeline,
    )


def _tables(steps: Schedule) -> Dim:
    """Bytes of the constants that are made with the model."""
    tensors = (tensor for step in steps.steps for tensor in step.outputs)
    return sum(storage.bytes * storage.weight for storage in storages(tensors) if storage.kind == TABLE)
