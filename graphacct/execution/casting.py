"""Casts that a framework makes on its own before an operator runs, as torch's autocast does.

A profile says to which dtype each operator's operands are cast. The copy of a parameter is made at its first use and
lives to the end of the pass; any other tensor is copied at every use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graphacct.graph.graph import Graph, Parameter
from graphacct.operators.shape_inference import PROMOTE
from graphacct.tensors import FLOATING, promoted

if TYPE_CHECKING:
    from graphacct.execution.kernels import Tensor
    from graphacct.execution.schedule import Trace

NEVER_CAST = ("float64", "complex64", "complex128")
"""Floating-point dtypes that autocast leaves alone."""


def cast(trace: Trace, operands: Sequence[Tensor], dtype: str) -> list[Tensor]:
    """The operands in this dtype, or (`promote`) in that which they are promoted to; others than floats stay."""
    eligible = [item.spec.dtype for item in operands if castable(item.spec.dtype)]
    if dtype == PROMOTE and eligible:
        dtype = promoted(eligible)
    return [item if not castable(item.spec.dtype) else trace.in_dtype(item, dtype) for item in operands]


def castable(dtype: str) -> bool:
    """Whether a tensor of this dtype is cast at all."""
    return dtype in FLOATING and dtype not in NEVER_CAST


def trains(graph: Graph, trained: Callable[[Parameter], bool]) -> bool:
    """Whether any parameter is trained; without one it is a pass without gradients."""
    return any(trained(parameter) for node in graph.walk() for parameter in node.parameters)
