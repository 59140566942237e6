"""The nouns of a schedule: storages, the tensors in them, and the kernels that read and make tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Node
from graphacct.operators.operator import Application, Operator
from graphacct.tensors import TensorSpec

ACTIVATION, GIVEN, INPUT, PARAMETER, TABLE = "activation", "given", "input", "parameter", "table"


@attrs.frozen(eq=False)
class Storage:
    """A piece of memory that tensors share.

    Attributes:
        bytes: Its size.
        kind: `activation` (a kernel's output, or what only a backward pass uses), `input` (from outside), `parameter`
            (buffers too), `table` (a constant that was made with the model), or `given` (what an earlier step left and
            this one gives up after its last use).
        owner: The node whose kernel made it, or the name of the input or parameter.
        weight: How many storages of this kind it stands for.
        dtype: The dtype of its elements.
        copy_of: The parameter that it is a copy of in another dtype; empty for all else.
    """

    bytes: Dim
    kind: str
    owner: str
    weight: Dim
    dtype: str
    copy_of: str = ""


@attrs.frozen(eq=False)
class Tensor:
    """A tensor of the schedule.

    Attributes:
        spec: Its shape, dtype and strides.
        storage: Where it is.
        needs_grad: Whether a training step computes its gradient.
        others: The other storages that it is in, when it gathers the results of a block's repetitions.
    """

    spec: TensorSpec
    storage: Storage
    needs_grad: bool
    others: tuple[Storage, ...] = ()

    @property
    def storages(self) -> tuple[Storage, ...]:
        """All storages that it is in."""
        return (self.storage, *self.others)


@attrs.frozen(eq=False)
class Step:
    """One kernel.

    Attributes:
        node: The node that it belongs to, as the graph names it.
        operator: The kernel's operator.
        operands: What it reads.
        outputs: What it makes.
        attributes: The operator's arguments that are not tensors.
        application: The operator applied to them; None for an operator that is not registered.
        weight: How many runs it stands for.
        region: The recomputed region that it is in; 0 for a kernel of none.
        output_saved: Whether, in such a region, its outputs are kept, so that it is not run again.
    """

    node: Node
    operator: Operator | None
    operands: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    application: Application | None
    weight: Dim
    region: int = 0
    output_saved: bool = False


@attrs.frozen
class Schedule:
    """The kernels of a forward pass, in order.

    Attributes:
        steps: The kernels.
        outputs: The tensors that leave the graph.
        holds: Storages that stay alive until a step has run although nothing needs them, and its position.
        groups: The repetitions that stand for several, inner ones before the ones around them.
        gathered: Pairs of a storage's id and the start of a group whose every repetition leaves such a storage behind,
            as one of the results that the block stacks up.
        gathers: The tensors that blocks stack up.
    """

    steps: tuple[Step, ...]
    outputs: tuple[Tensor, ...]
    holds: tuple[tuple[Storage, int], ...] = ()
    groups: tuple[Group, ...] = ()
    gathered: frozenset[tuple[int, int]] = frozenset()
    gathers: tuple[Gather, ...] = ()


@attrs.frozen
class Group:
    """A repetition of a block that stands for several, or a few in a row that do.

    Attributes:
        start: The position of its first step.
        stop: The position after its last step.
        times: How many such it stands for, without those of blocks around it.
        block: The positions of the first step of the block's first repetition and after the last of its last.
    """

    start: int
    stop: int
    times: Dim
    block: tuple[int, int]


@attrs.frozen(eq=False)
class Gather:
    """A tensor that a block stacks up of its repetitions' results.

    Attributes:
        position: The position of the step before which it is there.
        stacked: The tensor.
        results: What it is made of.
        group: The index among the groups of the block's repetitions that stand for several; -1 without any.
        many: The indices of the results that those make, as many of each as they stand for.
    """

    position: int
    stacked: Tensor
    results: tuple[Tensor, ...]
    group: int = -1
    many: frozenset[int] = frozenset()


def storages(tensors: Iterable[Tensor]) -> list[Storage]:
    """The storages of tensors, each once."""
    return list({id(storage): storage for tensor in tensors for storage in tensor.storages}.values())
