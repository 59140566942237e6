"""The matrices among a graph's parameters, by what its nodes do with them: those that a format of weights can store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.paths import pattern
from graphacct.graph.places import Place, nodes
from graphacct.graph.weight_format import StoredWeight, WeightFormat
from graphacct.operators.operator import Operator

LAYERS, OTHERS, ROUTERS, EMBEDDINGS = "layers", "others", "routers", "embeddings"
"""The kinds of matrices: of modules and experts in layers that repeat, of modules elsewhere (a head), of products that
are no module of their own (a router), and tables that are looked up."""


@attrs.frozen
class Matrix:
    """A parameter that a format can store.

    Attributes:
        kind: One of the four.
        rows: Its outputs; of experts those of each matrix.
        columns: Its inputs.
        matrices: How many there are.
        joined: How many of them each expert has in this parameter.
        places: The blocks around the nodes that have it.
    """

    kind: str
    rows: Any
    columns: Any
    matrices: Any
    joined: int
    places: tuple[Place, ...]

    def stored(self, format_: WeightFormat) -> StoredWeight:
        return StoredWeight(format_, self.rows, self.columns, self.matrices, self.kind == EMBEDDINGS)


def matrices_of(graph: Graph, operators: Mapping[str, Operator]) -> dict[str, Matrix]:
    """Returns the matrices of a graph, by the name of their storage."""
    found: dict[str, Matrix] = {}
    for node, place in nodes(graph):
        operator = operators.get(node.operator)
        if operator is None:
            continue
        for index, operand in enumerate(node.inputs):
            if type(operand) is not Parameter or operand.buffer or len(operand.spec.shape) < 2:
                continue
            name = operand.tied_to or operand.name
            known = found.get(name)
            here = place.around(name.count("*"))
            if known is not None:
                if here not in known.places:
                    found[name] = attrs.evolve(known, places=(*known.places, here))
                continue
            item = _matrix(node, operand, index, operator, here)
            if item is not None:
                found[name] = item
    return found


def _matrix(node: Node, parameter: Parameter, index: int, operator: Operator, place: Place) -> Matrix | None:
    """Returns what a node does with a parameter, by its operator's signature: it multiplies by matrices
    (`x: ... k, weight: n k -> ... n`, one for each expert in `weight: e n k`), or looks rows up
    (`ids: ..., weight: v d -> ... d`)."""
    signature = operator.signature
    module = module_name(parameter.name)
    kind = ROUTERS if node.name != module else LAYERS if "*" in pattern(module) else OTHERS
    if _seen_in_parts(node, module, operator):
        kind = LAYERS if "*" in pattern(module) else OTHERS
    if len(node.inputs) == 1 and kind != ROUTERS and len(parameter.spec.shape) == 2:
        # a step keeps it in memory and does not run it, or looks at parts of it; as torch.nn.Linear stores it
        kind = EMBEDDINGS if node.attributes.get("lookup") else kind
        return Matrix(kind, *parameter.spec.shape, 1, 1, (place,))
    if len(signature.outputs) != 1 or index != 1 or index >= len(signature.inputs):
        return None
    x, weight, out = signature.inputs[0], signature.inputs[index], signature.outputs[0]
    dims = (*weight.front, *weight.back)
    if weight.ellipsis or len(dims) != len(parameter.spec.shape):
        return None
    inside, outside = ((*term.front, *term.back)[-1:] for term in (x, out))
    if not outside or outside[0] not in dims:
        return None
    sizes = dict(zip(dims, parameter.spec.shape, strict=True))
    *lead, _, _ = dims
    if not inside and len(dims) == 2 and dims[1] == outside[0]:
        return Matrix(EMBEDDINGS, sizes[dims[0]], sizes[dims[1]], 1, 1, (place,))
    if not inside or {*dims[-2:]} != {inside[0], outside[0]} or len(lead) > 1:
        return None
    scope = module.rpartition(".")[0]
    if lead and kind == ROUTERS and scope and node.name.startswith(f"{scope}."):
        kind = LAYERS if "*" in pattern(module) else OTHERS  # the experts' own module multiplies by all of its parts
    joined = parameter.joined
    matrices = (sizes[lead[0]] if lead else 1) * joined
    return Matrix(kind, sizes[outside[0]] // joined, sizes[inside[0]], matrices, joined, (place,))


def _seen_in_parts(node: Node, module: str, operator: Operator) -> bool:
    """Returns whether a node in a module's scope only views its weight in another shape, as absorbed attention does
    before it multiplies by each head's part."""
    if not node.name.startswith(f"{module}.") or len(node.inputs) != 1:
        return False
    return operator.apply([operand.spec for operand in node.inputs], node.attributes).view


def module_name(name: str) -> str:
    """Returns the name of a parameter's module."""
    return name.removesuffix(".weight")


def is_stack(item: Matrix) -> bool:
    """Returns whether a parameter is a stack of matrices, as those of experts are."""
    return type(item.matrices) is not int or item.matrices > 1
