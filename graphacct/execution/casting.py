"""Casts that a framework makes on its own before an operator runs, as torch's autocast does.

A profile says to which dtype each operator's operands are cast. The copy of a parameter is made at its first use and
lives to the end of the pass; any other tensor is copied at every use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from graphacct.execution.kernels import PARAMETER, KernelCall, Storage, Tensor
from graphacct.execution.profiles import Profile
from graphacct.graph.graph import Graph, Parameter
from graphacct.graph.places import Place
from graphacct.operators.operator import Operator
from graphacct.operators.shape_inference import PROMOTE
from graphacct.tensors import FLOATING, promoted

NEVER_CAST = ("float64", "complex64", "complex128")
"""Floating-point dtypes that autocast leaves alone."""


@attrs.frozen(eq=False, repr=False)
class ParameterCopies:
    """The copies of parameters that a pass makes in another dtype.

    Attributes:
        shared: The parameters whose uses share one copy: torch's autocast caches those that need a gradient, and all of
            them in a pass without gradients.
        made: The copies so far, by parameter, dtype and the repetition that the parameter belongs to: the first indices
            and the numbers of the blocks around it, which blocks that share a parameter have in common.
        births: For each of their storages, the position of the call that made it.
    """

    shared: set[str] = attrs.field(factory=set)
    made: dict[tuple[str, str, tuple[int, ...], tuple[int, ...]], Tensor] = attrs.field(factory=dict)
    births: dict[Storage, int] = attrs.field(factory=dict)


class Caster(Protocol):
    """What a cast needs of the schedule that records it: where it stands, and how it records a kernel."""

    profile: Profile
    copies: ParameterCopies
    place: Place
    calls: list[KernelCall]

    def rule(self, operator: str) -> Operator: ...

    def record(
        self, operator: Operator, operands: Sequence[Tensor], attributes: Mapping[str, Any], copy_of: str = ""
    ) -> tuple[Tensor, ...]: ...


def cast(trace: Caster, operands: Sequence[Tensor], dtype: str) -> list[Tensor]:
    """Returns the operands in this dtype, or for `promote` in the one that they promote to. Only floats are cast."""
    eligible = [item.spec.dtype for item in operands if castable(item.spec.dtype)]
    if dtype == PROMOTE and eligible:
        dtype = promoted(eligible)
    return [item if not castable(item.spec.dtype) else in_dtype(trace, item, dtype) for item in operands]


def in_dtype(trace: Caster, tensor: Tensor, dtype: str) -> Tensor:
    """Returns a tensor in another dtype: a copy, which all uses of a whole parameter share."""
    if tensor.spec.dtype == dtype:
        return tensor
    whole = tensor.storage.kind == PARAMETER and tensor.spec.bytes == tensor.storage.bytes
    name, copies = tensor.storage.owner, trace.copies
    place = trace.place.around(name.count("*"))
    key = (name, dtype, place.starts, place.numbers)
    if whole and key in copies.made:
        return copies.made[key]
    rule = trace.rule(trace.profile.names.cast)
    (copy,) = trace.record(rule, (tensor,), {"dtype": dtype}, name if whole else "")
    if whole and name in copies.shared:
        copies.made[key] = copy
        copies.births[copy.storage] = len(trace.calls) - 1
    return copy


def castable(dtype: str) -> bool:
    """Returns whether a tensor of this dtype is cast at all."""
    return dtype in FLOATING and dtype not in NEVER_CAST


def trains(graph: Graph, trained: Callable[[Parameter], bool]) -> bool:
    """Returns whether any parameter is trained."""
    parameters = (parameter for node in graph.walk() for parameter in node.parameters)
    return any(map(trained, parameters))
