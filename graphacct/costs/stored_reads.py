"""The traffic of a node whose parameters are stored in another form than the one that it computes in.

Operators state the traffic of operands in their own dtype. A product either reads the stored form, or a kernel before
it reads that form and writes the matrix out in the dtype of the computation, from where the product reads it.
"""

from __future__ import annotations

import attrs

from graphacct.dims import Dim, floor_div, same
from graphacct.graph.graph import Node, Parameter
from graphacct.operators.cost import Cost
from graphacct.operators.operator import Operator
from graphacct.tensors import WHOLE_BYTES, TensorSpec

WIDER = {"float16": "float32", "bfloat16": "float32", "float32": "float64", "float64": "float32"}
"""Another dtype for each; the difference in bytes read says how many elements of an operand are read."""


@attrs.frozen
class StoredRead:
    """How a node reads a parameter that is stored in another form.

    Attributes:
        parameter: The parameter.
        in_dtype: The bytes of what is read, in the dtype of the computation.
        stored: The bytes of the same as it is stored.
        copied: Whether a copy in that dtype is written out first, and the node reads the copy.
    """

    parameter: Parameter
    in_dtype: Dim
    stored: Dim
    copied: bool

    @property
    def read(self) -> Dim:
        """The bytes that are read beside those that the operator states."""
        return self.stored if self.copied else self.stored - self.in_dtype

    @property
    def written(self) -> Dim:
        """The bytes that are written beside those that the operator states."""
        return self.in_dtype if self.copied else 0


def stored_read(node: Node, operator: Operator | None, parameter: Parameter) -> StoredRead | None:
    """Returns how a node reads a parameter; None if it reads nothing of it, or reads it in its dtype."""
    stored, spec = parameter.stored, parameter.spec
    if stored is None or operator is None or spec.dtype not in WIDER:
        return None
    elements = _elements_read(node, operator, node.inputs.index(parameter))
    if same(elements, 0):
        return None
    size = stored.bytes if same(elements, spec.elements) else stored.part(elements)
    return StoredRead(parameter, elements * WHOLE_BYTES[spec.dtype], size, stored.written_out(node.inputs[0].spec))


def as_stored(node: Node, operator: Operator | None, parameter: Parameter, cost: Cost) -> Cost:
    """Returns the cost of a node, one pass, with one of its parameters read as it is stored."""
    found = stored_read(node, operator, parameter)
    if found is None:
        return cost
    return attrs.evolve(cost, read_bytes=cost.read_bytes + found.read, write_bytes=cost.write_bytes + found.written)


def _elements_read(node: Node, operator: Operator, index: int) -> Dim:
    """Returns how many elements of an operand the operator reads: all, or those of the experts and rows that it
    picks."""
    specs = [operand.spec for operand in node.inputs]
    spec = specs[index]
    other = WIDER[spec.dtype]
    wider = [*specs[:index], TensorSpec(spec.shape, other, spec.strides), *specs[index + 1 :]]
    reads = [operator.apply(operands, node.attributes).cost.read_bytes for operands in (specs, wider)]
    return floor_div(reads[1] - reads[0], WHOLE_BYTES[other] - WHOLE_BYTES[spec.dtype])
