"""Activations: what is alive while a graph runs, kernel by kernel. Every figure of memory comes from this pipeline.

    graph -> schedule -> what calls save -> backward pass -> bytes alive after each kernel -> timeline

`Memory`, the columns of a training report and explanations read their figures from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property

import attrs

from graphacct.dims import Dim, largest_when_read, maximum
from graphacct.execution.autograd import backward_pass
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.gradient_reach import started
from graphacct.execution.kernels import ACTIVATION, FORWARD, TABLE, Schedule, storages
from graphacct.execution.profiles import Profile
from graphacct.execution.saved_storages import SavedUse, saved_storages, saved_uses
from graphacct.execution.schedule import schedule
from graphacct.footprint.live_tensors import LiveTensor, live_tensors
from graphacct.footprint.liveness import live_bytes
from graphacct.footprint.timeline import TimelineRow, peak_of, timeline
from graphacct.graph.graph import Graph, Parameter
from graphacct.operators.operator import Operator
from graphacct.training.recompute import NO_RECOMPUTE, RecomputePlan


@attrs.frozen(eq=False, repr=False, slots=False)
class Activations:
    """The activations of a graph that runs as a profile's kernels, in bytes.

    Each stage is computed on first use: what a step saves needs no backward pass.

    Attributes:
        graph: The graph.
        operators: The registered operators by name.
        profile: The execution profile.
        trained: Says which parameters need a gradient.
        plan: What the backward pass runs again, and whose outputs it saves instead.
        training: Whether there is a backward pass.
    """

    graph: Graph
    operators: Mapping[str, Operator]
    profile: Profile
    trained: Callable[[Parameter], bool]
    plan: RecomputePlan = NO_RECOMPUTE
    training: bool = True

    @cached_property
    def schedule(self) -> Schedule:
        """The kernels of the forward pass."""
        rerun, saved = self.plan.recompute, self.plan.saved
        return schedule(
            self.graph,
            self.operators,
            self.profile,
            self.trained,
            lambda node: node.name in rerun,
            lambda node: node.name in saved,
            self.training,
        )

    @cached_property
    def uses(self) -> tuple[SavedUse, ...]:
        """What each call saves for the backward pass, of every kind."""
        return tuple(saved_uses(self.schedule))

    @cached_property
    def saved(self) -> tuple[SavedUse, ...]:
        """The activations that are saved: the first use of each storage."""
        return tuple(use for use in saved_storages(self.uses) if use.storage.kind == ACTIVATION)

    @cached_property
    def backward(self) -> BackwardPass:
        """The backward pass; one without kernels if there is no training."""
        if not self.training:
            return NO_BACKWARD_PASS
        return backward_pass(self.schedule, self.uses, self.operators, self.profile)

    @cached_property
    def live_bytes(self) -> list[Dim]:
        """The bytes alive after each kernel, of the forward and then of the backward pass."""
        return live_bytes(self.schedule, self.saved, self.backward)

    @cached_property
    def forward_live_bytes(self) -> list[Dim]:
        """The bytes alive after each kernel of the forward pass. They need no backward pass, unless it starts in the
        middle of the graph, from where a value stays for it."""
        if "live_bytes" in self.__dict__ or self.profile.recorded or started(self.schedule):
            return self.live_bytes[: len(self.schedule.calls)]
        return live_bytes(self.schedule, self.saved)

    @cached_property
    def timeline(self) -> tuple[TimelineRow, ...]:
        """The kernels in order, with the bytes alive after each."""
        return timeline(self.schedule, self.live_bytes, self.backward)

    @property
    def saved_bytes(self) -> Dim:
        """Bytes that the backward pass needs of the forward pass, at its end."""
        return sum(use.bytes for use in self.saved)

    @property
    def weight_copy_bytes(self) -> Dim:
        """Of the saved bytes, those of parameters' copies in another dtype."""
        return sum(use.bytes for use in self.saved if use.storage.copy_of)

    @property
    def table_bytes(self) -> Dim:
        """Bytes of the constants that are made with the model: buffers, no activations."""
        made = storages(tensor for call in self.schedule.calls for tensor in call.outputs)
        return sum(storage.bytes * storage.count for storage in made if storage.kind == TABLE)

    @cached_property
    def forward_peak(self) -> Dim:
        """The most bytes alive during the forward pass."""
        return peak_of(self.forward_live_bytes)

    @cached_property
    def backward_peak(self) -> Dim:
        """The most bytes alive during the backward pass; 0 without one."""
        return peak_of(self.live_bytes[len(self.schedule.calls) :])

    @cached_property
    def peak(self) -> Dim:
        """The larger of the two peaks."""
        return maximum(self.forward_peak, self.backward_peak)

    @property
    def fresh_peak(self) -> Dim:
        """The most bytes alive in a step that starts without gradients: each parameter's stays when it is made."""
        if not self.training:
            return self.peak
        return peak_of(live_bytes(self.schedule, self.saved, self.backward, fresh=True))

    @property
    def peak_position(self) -> int | None:
        """The position of the first kernel at the peak; None if sizes are symbols or arrays, which have no largest."""
        return self._highest(range(len(self.live_bytes)))

    def live_tensors(self, position: int, caching: Collection[str] = ()) -> tuple[LiveTensor, ...]:
        """Returns what is alive after the kernel at a position; `caching` names nodes whose outputs stay in a cache."""
        return live_tensors(self.schedule, position, self.saved, caching, self.backward)

    def live_at_peak_of(self, node: str, forward: bool) -> tuple[LiveTensor, ...]:
        """Returns what is alive at a node's peak in the forward or the backward pass: together its `peak_bytes` or its
        `backward_peak_bytes`. Empty if no kernel of it runs there, and if sizes are symbols or arrays."""
        rows = enumerate(self.timeline)
        position = self._highest([i for i, row in rows if row.node == node and (row.run == FORWARD) == forward])
        return () if position is None else self.live_tensors(position)

    def _highest(self, positions: Collection[int]) -> int | None:
        alive = self.live_bytes
        if not positions or not all(type(alive[position]) is int for position in positions):
            return None
        return max(positions, key=lambda position: alive[position])


def saved_by_node(run: Activations) -> dict[str, Dim]:
    """Returns the bytes that each node is the first to save."""
    return {node: sum(sizes) for node, sizes in _by_node((use.call.node.name, use.bytes) for use in run.saved).items()}


def forward_peaks_by_node(run: Activations) -> dict[str, Dim]:
    """Returns the most bytes alive while each node runs in the forward pass."""
    names = (call.node.name for call in run.schedule.calls)
    rows = zip(names, run.forward_live_bytes, strict=True)
    return {node: largest_when_read(sizes) for node, sizes in _by_node(rows).items()}


def backward_peaks_by_node(run: Activations) -> dict[str, Dim]:
    """Returns the most bytes alive while each node runs in the backward pass, where it may be recomputed as well."""
    rows = ((row.node, row.live_bytes) for row in run.timeline if row.run != FORWARD)
    return {node: largest_when_read(sizes) for node, sizes in _by_node(rows).items()}


def _by_node(items: Iterable[tuple[str, Dim]]) -> dict[str, list[Dim]]:
    found: dict[str, list[Dim]] = {}
    for node, size in items:
        found.setdefault(node, []).append(size)
    return found
