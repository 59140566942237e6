"""The nouns of a schedule: storages, the tensors in them, and the kernel calls that read and make tensors.

Storages, tensors and calls are compared and hashed by identity: two storages of the same size are two pieces of memory.
So they can be keys of dictionaries and members of sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Node
from graphacct.operators.application import Application
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.graph.weight_format import StoredWeight

ACTIVATION, PREEXISTING, INPUT, PARAMETER, TABLE = "activation", "preexisting", "input", "parameter", "table"
FORWARD, RECOMPUTE, BACKWARD = "forward", "recompute", "backward"


@attrs.frozen(eq=False, repr=False)
class WrittenOut:
    """What a kernel writes out before a product: the copy of a weight that is stored in another form.

    Attributes:
        weight: The weight as it is stored, under the shape and dtype of the product.
        stored: Its form.
    """

    weight: Tensor
    stored: StoredWeight


@attrs.frozen(eq=False, repr=False)
class Storage:
    """A piece of memory that tensors share.

    Attributes:
        bytes: Its size.
        kind: `activation` (a kernel's output, or what only a backward pass uses), `input` (from outside), `parameter`
            (buffers too), `table` (a constant that was made with the model), or `preexisting` (left by an earlier step,
            and freed after its last use in this one).
        owner: The node whose kernel made it, or the name of the input or parameter.
        count: How many storages of this kind it stands for.
        dtype: The dtype of its elements.
        copy_of: The parameter that it is a copy of in another dtype; empty for all else.
        written_out: The stored weight that it was written out from. It is never saved: the backward pass writes it out
            again.
    """

    bytes: Dim
    kind: str
    owner: str
    count: Dim
    dtype: str
    copy_of: str = ""
    written_out: WrittenOut | None = None

    def __repr__(self) -> str:
        return f"<Storage {self.bytes} bytes>"


@attrs.frozen(eq=False, repr=False)
class Tensor:
    """A tensor of the schedule.

    Attributes:
        spec: Its shape, dtype and strides.
        storage: Where it is.
        needs_grad: Whether a training step computes its gradient.
        others: Its other storages, if it stacks the results of a block's repetitions.
    """

    spec: TensorSpec
    storage: Storage
    needs_grad: bool
    others: tuple[Storage, ...] = ()

    def __repr__(self) -> str:
        return f"<Tensor {self.spec}>"

    @property
    def storages(self) -> tuple[Storage, ...]:
        """All storages that it is in."""
        return (self.storage, *self.others)


@attrs.frozen(eq=False, repr=False)
class KernelCall:
    """One call of a kernel, in the forward or in the backward pass.

    Attributes:
        node: The node that it belongs to, as the graph names it.
        operator: The operator, also of a kernel that computes its gradients; None if none is registered.
        operands: The tensors that it reads.
        outputs: The tensors that it makes or writes to.
        attributes: The operator's arguments that are not tensors.
        application: The operator applied to the operands; None for an operator that is not registered, and for a
            kernel that computes a gradient, whose work the operator's `gradients` state.
        count: How many runs it stands for.
        region: The recomputed region that it is in; 0 if it is in none.
        run: `forward`, `backward`, or `recompute` for a forward kernel that the backward pass runs again.
        position: In the backward pass, the position in the schedule of the forward call that it belongs to.
        overwritten: The copy of the first operand that the framework made before the kernel overwrote it, because its
            gradient needs it.
        output_saved: Whether, in a recomputed region, its outputs are saved, so that it is not run again.
        name: What it does: the operator's name, or the profile's for a kernel that the framework adds (`KernelNames`).
    """

    node: Node
    operator: Operator | None
    operands: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    application: Application | None
    count: Dim
    region: int = 0
    run: str = FORWARD
    position: int = -1
    output_saved: bool = False
    overwritten: Tensor | None = None
    name: str = attrs.field()

    @name.default
    def _name(self) -> str:
        return self.operator.name if self.operator is not None else self.node.operator

    def __repr__(self) -> str:
        return f"<KernelCall {self.name} of {self.node.name}>"

    @property
    def view(self) -> bool:
        """Whether it only makes views, which takes no kernel on a device."""
        return self.application is not None and self.application.view

    @property
    def read_bytes(self) -> Dim:
        """Bytes that one run reads: as its operator states them, or else each operand once."""
        if self.application is not None:
            return self.application.cost.read_bytes
        return sum(tensor.spec.bytes for tensor in self.operands)

    @property
    def write_bytes(self) -> Dim:
        """Bytes that one run writes: as its operator states them, or else each output once."""
        if self.application is not None:
            return self.application.cost.write_bytes
        return sum(tensor.spec.bytes for tensor in self.outputs)


@attrs.frozen(eq=False, repr=False)
class Schedule:
    """The kernels of a forward pass, in order.

    Attributes:
        calls: The kernels.
        outputs: The tensors that leave the graph.
        holds: Pairs of a storage that nothing needs any more and the position of the call until which it stays alive.
        spans: The repetitions that stand for several, inner ones before the ones around them.
        left_behind: Pairs of a storage and the start of a span whose every repetition leaves such a storage behind, as
            one of the results that the block stacks.
        stacks: The tensors that blocks stack.
    """

    calls: tuple[KernelCall, ...]
    outputs: tuple[Tensor, ...]
    holds: tuple[tuple[Storage, int], ...] = ()
    spans: tuple[RepeatedSpan, ...] = ()
    left_behind: frozenset[tuple[Storage, int]] = frozenset()
    stacks: tuple[StackedResult, ...] = ()

    @cached_property
    def uses(self) -> Mapping[Storage, tuple[int, int]]:
        """For each storage that a call makes or reads, the positions of the first and the last such call."""
        first: dict[Storage, int] = {}
        last: dict[Storage, int] = {}
        for position, call in enumerate(self.calls):
            for tensors in (call.outputs, call.operands):
                for tensor in tensors:
                    first.setdefault(tensor.storage, position)
                    last[tensor.storage] = position
                    for storage in tensor.others:
                        first.setdefault(storage, position)
                        last[storage] = position
        return {storage: (position, last[storage]) for storage, position in first.items()}


@attrs.frozen(eq=False, repr=False)
class RepeatedSpan:
    """The calls of the repetition (or the few in a row) that stands for several of a block.

    Attributes:
        start: The position of its first call.
        stop: The position after its last call.
        times: How many repetitions it stands for, without counting blocks around it.
        block: The positions of the first call of the block's first repetition and after the last of its last.
    """

    start: int
    stop: int
    times: Dim
    block: tuple[int, int]


@attrs.frozen(eq=False, repr=False)
class StackedResult:
    """A tensor that a block stacks from its repetitions' results.

    Attributes:
        position: It exists from before the call at this position.
        stacked: The tensor.
        results: The repetitions' results.
        span: The index, among the schedule's spans, of the block's repetitions that stand for several; -1 without any.
        many: The indices of the results that those make, as many of each as they stand for.
        handed_on: The indices of the results that those hand on from before the block, as often as they stand for.
    """

    position: int
    stacked: Tensor
    results: tuple[Tensor, ...]
    span: int = -1
    many: frozenset[int] = frozenset()
    handed_on: frozenset[int] = frozenset()


def storages(tensors: Iterable[Tensor]) -> list[Storage]:
    """Returns the storages of tensors, each once."""
    found: dict[Storage, None] = {}
    for tensor in tensors:
        found[tensor.storage] = None
        if tensor.others:
            found.update(dict.fromkeys(tensor.others))
    return list(found)
