"""Recorded activations: the figures of `Activations`, read from what a framework did instead of a profile's kernels.

A module that was captured can run again and be watched (`execution/recording.py`). Then nothing is modelled: the
storages have the lives that they had, and what was saved is what the framework saved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

import attrs

from graphacct.dims import Dim
from graphacct.execution.backward import NO_BACKWARD_PASS, BackwardPass
from graphacct.execution.kernels import BACKWARD, FORWARD, RECOMPUTE, TABLE, KernelCall, Schedule, Storage, Tensor
from graphacct.execution.recording import RecordedCall, RecordedStorage, Recording
from graphacct.execution.saved_storages import SavedUse
from graphacct.footprint.activations import Activations
from graphacct.footprint.live_tensors import LiveTensor
from graphacct.footprint.timeline import peak_of
from graphacct.graph.graph import Node


@attrs.frozen(eq=False, repr=False, slots=False)
class RecordedActivations(Activations):
    """The activations of a graph as its module had them. A step that adds to gradients which are there already, as
    most do, and one without are two recordings."""

    @cached_property
    def recording(self) -> Recording:
        """The step on parameters that have gradients; in a phase without a backward pass, the forward pass."""
        return self._recorded(accumulated=self.training)

    def _recorded(self, accumulated: bool) -> Recording:
        assert self.graph.origin is not None
        found = self.graph.origin.record(self.graph, self.training, accumulated)
        assert isinstance(found, Recording)
        return found

    @cached_property
    def _storages(self) -> dict[RecordedStorage, Storage]:
        return {
            storage: Storage(storage.bytes, storage.kind, storage.owner, 1, storage.dtype)
            for storage in self.recording.storages
        }

    @cached_property
    def _calls(self) -> tuple[KernelCall, ...]:
        nodes = {node.name: node for node in self.graph.walk()}
        return tuple(self._call(call, nodes) for call in self.recording.calls)

    def _call(self, call: RecordedCall, nodes: Mapping[str, Node]) -> KernelCall:
        node = nodes.get(call.node) or Node(call.node, call.operator, (), ())
        operator = self.operators.get(node.operator)
        return KernelCall(node, operator, (), (), {}, None, 1, run=call.run, name=call.operator)

    @cached_property
    def schedule(self) -> Schedule:
        """The calls of the forward pass, without their tensors."""
        return Schedule(self._calls[: self.recording.forward_calls], ())

    @cached_property
    def backward(self) -> BackwardPass:
        """The calls of the backward pass, without their tensors."""
        return attrs.evolve(NO_BACKWARD_PASS, calls=self._calls[self.recording.forward_calls :])

    @cached_property
    def uses(self) -> tuple[SavedUse, ...]:
        """What each call saved."""
        return tuple(
            SavedUse(
                self._storages[save.storage],
                Tensor(save.spec, self._storages[save.storage], True),
                save.name,
                save.why,
                self._calls[save.position],
                save.position,
            )
            for save in self.recording.saves
        )

    @cached_property
    def live_bytes(self) -> list[Dim]:
        """The bytes that were alive after each call."""
        return self.recording.live_bytes

    @property
    def table_bytes(self) -> Dim:
        """Bytes of the constants that the module's code has."""
        return sum(storage.bytes for storage in self.recording.storages if storage.kind == TABLE)

    @property
    def fresh_peak(self) -> Dim:
        """The most bytes alive in a step that started without gradients."""
        return peak_of(self._recorded(accumulated=False).live_bytes) if self.training else self.peak

    def live_tensors(self, position: int, caching: Collection[str] = ()) -> tuple[LiveTensor, ...]:
        """Returns what was alive after the call at a position, alike tensors together, the largest first."""
        saved = {save.storage: save for save in reversed(self.recording.saves)}
        counts: dict[tuple[str, Dim, str, str], int] = {}
        for storage in self._alive(position):
            save = saved.get(storage)
            if save is not None:
                kept_by, why = self.recording.calls[save.position].node, save.why
            else:
                kept_by, why = "", self._reason(storage)
            key = (storage.owner, storage.bytes, kept_by, why)
            counts[key] = counts.get(key, 0) + 1
        found = [LiveTensor(node, count, size * count, *reason) for (node, size, *reason), count in counts.items()]
        return tuple(sorted(found, key=lambda item: -item.bytes))

    def _alive(self, position: int) -> Iterator[RecordedStorage]:
        for storage in self.recording.activations:
            if storage.born <= position and (storage.died is None or storage.died >= position):
                yield storage

    def _reason(self, storage: RecordedStorage) -> str:
        return {FORWARD: "in use", RECOMPUTE: "recomputed", BACKWARD: "of the backward pass, in use"}[
            self.recording.calls[storage.born].run
        ]
