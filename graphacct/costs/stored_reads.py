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


def as_stored(node: Node, operator: Operator | None, parameter: Parameter, cost: Cost) -> Cost:
    """Returns the cost of a node, one pass, with one of its parameters read as it is stored."""
    stored, spec = parameter.stored, parameter.spec
    if stored is None or operator is None or spec.dtype not in WIDER:
        return cost
    elements = _elements_read(node, operator, node.inputs.index(parameter))
    if same(elements, 0):
        return cost
    stored_bytes = stored.bytes if same(elements, spec.elements) else stored.part(elements)
    in_dtype = elements * WHOLE_BYTES[spec.dtype]
    if stored.written_out(node.inputs[0].spec):
        return attrs.evolve(cost, read_bytes=cost.read_bytes + stored_bytes, write_bytes=cost.write_bytes + in_dtype)
    return attrs.evolve(cost, read_bytes=cost.read_bytes - in_dtype + stored_bytes)


def _elements_read(node: Node, operator: Operator, index: int) -> Dim:
    """Returns how many elements of an operand the operator reads: all, or those of the experts and rows that it
    picks."""
    specs = [operand.spec for operand in node.inputs]
    spec = specs[index]
    other = WIDER[spec.dtype]
    wider = [*specs[:index], TensorSpec(spec.shape, other, spec.strides), *specs[index + 1 :]]
    reads = [operator.apply(operands, node.attributes).cost.read_bytes for operands in (specs, wider)]
    return floor_div(reads[1] - reads[0], WHOLE_BYTES[other] - WHOLE_BYTES[spec.dtype])
