"""A recording: the calls that a framework made when a module ran, and the memory that it held meanwhile.

A profile computes which kernels run and what they keep. A recording was watched: storages were born and died, and the
framework saved what it saved. It holds for the device on which the module ran.
"""

from __future__ import annotations

from functools import cached_property

import attrs

from graphacct.dims import Dim
from graphacct.execution.kernels import ACTIVATION, FORWARD
from graphacct.tensors import TensorSpec

OWN_GRADIENT = "gradient"
"""The kind of a storage that keeps a parameter's gradient from an earlier step."""


@attrs.frozen(eq=False, repr=False)
class RecordedStorage:
    """A piece of memory.

    Attributes:
        bytes: Its size.
        kind: `activation`, `parameter`, `buffer`, `input`, `table` for a constant of the code, or `gradient` for that
            of a parameter from an earlier step.
        dtype: The dtype of its elements.
        owner: The node whose call made it, or the name of the parameter, buffer or input.
        born: The position of the call that made it; -1 if it was there before.
        died: The position of the last call with which it was alive; None if it was alive at the end.
        gradient_of: The parameter whose gradient it was at the end; empty for all else.
    """

    bytes: Dim
    kind: str
    dtype: str
    owner: str
    born: int = -1
    died: int | None = None
    gradient_of: str = ""

    def __repr__(self) -> str:
        return f"<RecordedStorage {self.bytes} bytes>"


@attrs.frozen(eq=False, repr=False)
class RecordedCall:
    """One call of an operator of the framework.

    Attributes:
        node: The node of the graph that it belongs to: in the backward pass, the one whose gradient it computes.
        operator: Its name in the framework.
        run: `forward`, `backward`, or `recompute` for a forward call that the backward pass makes again.
        matmul_flops: The FLOPs of its products.
    """

    node: str
    operator: str
    run: str
    matmul_flops: Dim = 0

    def __repr__(self) -> str:
        return f"<RecordedCall {self.operator} of {self.node}>"


@attrs.frozen(eq=False, repr=False)
class RecordedSave:
    """A forward call saved a tensor for its backward pass.

    Attributes:
        position: The position of the call.
        storage: Where the tensor is; another call may have saved it before.
        spec: The tensor's shape and dtype.
        name: What it is to the call: the name of an operand, or `output`.
        why: The reason, as far as it can be watched.
    """

    position: int
    storage: RecordedStorage
    spec: TensorSpec
    name: str
    why: str


@attrs.frozen(eq=False, repr=False, slots=False)
class Recording:
    """What a framework did in one pass or in one training step.

    Attributes:
        calls: The calls in order, those of the forward pass first.
        storages: The storages that they touched.
        saves: What was saved for the backward pass, in order.
        device: Where the module ran, such as `cpu`.
    """

    calls: tuple[RecordedCall, ...]
    storages: tuple[RecordedStorage, ...]
    saves: tuple[RecordedSave, ...]
    device: str = ""

    def __repr__(self) -> str:
        return f"<Recording of {len(self.calls)} calls>"

    @cached_property
    def forward_calls(self) -> int:
        """How many calls the forward pass has."""
        return sum(1 for call in self.calls if call.run == FORWARD)

    @cached_property
    def live_bytes(self) -> list[Dim]:
        """The bytes of activations that are alive after each call: what the step itself has made."""
        changes: list[Dim] = [0] * (len(self.calls) + 1)
        for storage in self.activations:
            changes[max(storage.born, 0)] += storage.bytes
            if storage.died is not None:
                changes[max(storage.died, storage.born, 0) + 1] -= storage.bytes
        alive: list[Dim] = []
        total: Dim = 0
        for change in changes[:-1]:
            total = total + change
            alive.append(total)
        return alive

    @property
    def activations(self) -> list[RecordedStorage]:
        """The storages that the step itself has made."""
        return [storage for storage in self.storages if storage.kind == ACTIVATION]

    def saved_bytes(self, kind: str = ACTIVATION) -> Dim:
        """Returns the bytes of the saved storages of a kind, each once."""
        return sum(storage.bytes for storage in {save.storage for save in self.saves} if storage.kind == kind)
