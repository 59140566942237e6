"""Graphs to networkx and back.

This is the only file that imports networkx, and only when one of its functions is called.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.dims import check_dim
from graphacct.errors import GraphacctError, GraphError, brief
from graphacct.graph.assemble import GraphRecord, NodeRecord, assemble
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Parameter, Value
from graphacct.tensors import TensorSpec, dtype_name

if TYPE_CHECKING:
    import networkx

    from graphacct.operators.operator import Operator


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """Returns the networkx MultiDiGraph of a graph.

    Node attribute: `node`, the Node or Block. Edge key: the operand's position; edge attribute: `value`. Graph
    attributes: `name`, `inputs`, `outputs`, `workload`, `held`, `trained_inputs`. A block is one node;
    `Graph.unroll()` first for a flat one.
    """
    import networkx

    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        workload=dict(graph.workload),
        held=dict(graph.held),
        trained_inputs=graph.trained_inputs,
    )
    producers: dict[str, str] = {}
    for node in graph.nodes:
        result.add_node(node.name, node=node)
        operands = node.values if isinstance(node, Block) else node.inputs
        for position, operand in enumerate(operands):
            if isinstance(operand, Value) and operand.name in producers:
                result.add_edge(producers[operand.name], node.name, key=position, value=operand)
        producers.update((value.name, node.name) for value in node.outputs)
    return result


def is_networkx(model: object) -> bool:
    """Returns whether an object is a networkx graph. It cannot be one unless networkx is already imported."""
    networkx = sys.modules.get("networkx")
    return networkx is not None and isinstance(model, networkx.Graph)


def from_networkx(graph: networkx.Graph[Any], name: str, operators: Mapping[str, Operator]) -> Graph:
    """Returns the Graph of a directed networkx graph.

    A graph that `Graph.nx` gave (each node has the attribute `node`) becomes what it was; edges that were added or
    taken away must agree with the nodes' operands. In a plain graph, a node carries

    - `operator`: the operator's name; a node without one is an input of the model and needs `shape`;
    - `shape` and `dtype`: of its output, checked when the operator is known, inferred when left out; `shapes`, a
      list, for a node with several outputs;
    - `params`: a mapping from name to shape, in the operator's order, after the operands that flow in;
    - `attributes`: the operator's arguments that are not tensors;

    and an edge may carry `operand`, the position (or a tuple of positions) at which the value enters, and `output`,
    which of the producer's outputs it is. Without `operand` the edges enter in the order in which they were added.
    `operators` are those that its nodes may name.

    Raises GraphError, which names the node, and nothing else: whatever stands in the attributes.
    """
    try:
        return _read(graph, name, operators)
    except GraphError:
        raise
    except GraphacctError as error:
        raise GraphError(str(error)) from error
    except Exception as error:
        raise GraphError(f"the networkx graph cannot be read: {type(error).__name__}: {error}") from error


def _read(graph: networkx.Graph[Any], name: str, operators: Mapping[str, Operator]) -> Graph:
    import networkx

    if not isinstance(graph, networkx.DiGraph):
        raise GraphError("the networkx graph is undirected: use a DiGraph or MultiDiGraph")
    title = name or str(graph.graph.get("name") or "graph")
    marked = [isinstance(data.get("node"), (Node, Block)) for _, data in graph.nodes(data=True)]
    if marked and all(marked):
        return _restored(graph, title)
    return assemble(_plain(graph, title), operators)


def _restored(graph: networkx.DiGraph[Any], name: str) -> Graph:
    import networkx

    from graphacct.graph.validate import validate

    nodes = {key: data["node"] for key, data in graph.nodes(data=True)}
    producers = {value.name: key for key, node in nodes.items() for value in node.outputs}
    for key, node in nodes.items():
        needed = {producers[value.name] for value in node.values if value.name in producers}
        given = set(graph.predecessors(key))
        if needed != given:
            odd = sorted(map(str, needed ^ given))
            raise GraphError(f"node {node.name!r}: its edges and its operands disagree about {', '.join(odd)}")
    order = {key: index for index, key in enumerate(graph)}
    try:
        keys = list(networkx.lexicographical_topological_sort(graph, key=order.__getitem__))
    except networkx.NetworkXUnfeasible as error:
        raise GraphError(f"the graph has a cycle: {_cycle(graph)}") from error
    inputs = _values(graph, "inputs")
    if inputs is None:
        inside = {value.name: value for node in nodes.values() for value in node.values}
        inputs = tuple(value for value in inside.values() if value.name not in producers)
    ordered = tuple(nodes[key] for key in keys)
    outputs = _values(graph, "outputs")
    if outputs is None:
        outputs = tuple(value for key in keys if not graph.out_degree(key) for value in nodes[key].outputs)
    workload, held = (_mapping(graph.graph.get(key), f"the networkx graph: {key!r}") for key in ("workload", "held"))
    conditions = tuple(graph.graph.get("conditions") or ())
    learned = frozenset(graph.graph.get("trained_inputs") or ())
    parts = (tuple(inputs), ordered, tuple(outputs), workload, held)
    result = Graph(name, *parts, conditions=conditions, trained_inputs=learned)
    validate(result)
    return result


def _values(graph: networkx.DiGraph[Any], key: str) -> tuple[Value, ...] | None:
    """Returns the values that the graph's attribute lists; None without it."""
    found = graph.graph.get(key)
    if found is None:
        return None
    if not isinstance(found, (tuple, list)) or not all(isinstance(value, Value) for value in found):
        raise GraphError(f"the networkx graph: {key!r} is a tuple of Values, not {brief(found)}")
    return tuple(found)


def _mapping(value: Any, subject: str) -> dict[Any, Any]:
    """Returns a mapping, empty for None."""
    return {} if value is None else dict(_typed(value, Mapping, f"{subject} is a mapping"))


def _cycle(graph: networkx.DiGraph[Any]) -> str:
    import networkx

    edges = networkx.find_cycle(graph)
    return " -> ".join(repr(str(edge[0])) for edge in (*edges, edges[0]))


def _plain(graph: networkx.DiGraph[Any], title: str) -> GraphRecord:
    workload = _mapping(graph.graph.get("workload"), "the networkx graph: 'workload'")
    names = {key: str(key) for key in graph}
    if len(set(names.values())) < len(names):
        raise GraphError("two nodes of the networkx graph have the same name as text")
    inputs, records = [], []
    for key, data in graph.nodes(data=True):
        if data.get("shapes") is not None:
            _typed(data["shapes"], Sequence, f"node {names[key]!r}: 'shapes' is a list of shapes")
        _mapping(data.get("attributes"), f"node {names[key]!r}: 'attributes'")
    counts = {key: 1 if data.get("shapes") is None else len(data["shapes"]) for key, data in graph.nodes(data=True)}
    several = {key for key, count in counts.items() if count > 1}
    for key, data in graph.nodes(data=True):
        node = names[key]
        if "operator" not in data:
            if "shape" not in data:
                raise GraphError(
                    f"node {node!r} has neither 'operator' nor 'shape': an operator's node needs the first, an input "
                    "of the model the second"
                )
            if graph.in_degree(key):
                raise GraphError(f"node {node!r} has operands but no 'operator'")
            inputs.append(Value(node, _spec(data["shape"], data.get("dtype", "float32"), node)))
            continue
        records.append(
            NodeRecord(
                node,
                str(data["operator"]),
                [*_operands(graph, key, names, several), *_parameters(data, node)],
                _outputs(data, node),
                _mapping(data.get("attributes"), "") or NO_ATTRIBUTES,
            )
        )
    outputs = [
        f"{names[key]}:{index}" if key in several else names[key]
        for key, data in graph.nodes(data=True)
        if not graph.out_degree(key) and "operator" in data
        for index in range(counts[key] or 1)
    ]
    return GraphRecord(title, inputs, records, outputs, dict(workload))


def _operands(
    graph: networkx.DiGraph[Any], key: Hashable, names: Mapping[Hashable, str], several: set[Hashable]
) -> list[str]:
    """Returns the names of the values that flow into a node, in the operator's order."""
    entering: list[tuple[int, str]] = []
    for source, _, data in graph.in_edges(key, data=True):
        output = data.get("output")
        value = f"{names[source]}:{output or 0}" if output is not None or source in several else names[source]
        positions = data.get("operand", len(entering))
        for position in positions if isinstance(positions, (tuple, list)) else (positions,):
            _typed(position, int, f"node {names[key]!r}: an edge's 'operand' is a position or a tuple of them")
            entering.append((position, value))
    places = [position for position, _ in entering]
    if len(set(places)) < len(places):
        raise GraphError(f"node {names[key]!r}: two edges enter at the same operand: {sorted(places)}")
    if places and sorted(places) != list(range(len(places))):
        raise GraphError(
            f"node {names[key]!r}: its edges enter at the operands {sorted(places)}, not at 0 to {len(places) - 1}"
        )
    return [value for _, value in sorted(entering)]


def _parameters(data: Mapping[str, Any], node: str) -> list[Parameter]:
    params = data.get("params")
    if params is None:
        return []
    _typed(params, Mapping, f"node {node!r}: 'params' is a mapping from name to shape")
    dtype = data.get("dtype", "float32")
    return [Parameter(f"{node}.{name}", _spec(shape, dtype, node)) for name, shape in params.items()]


def _outputs(data: Mapping[str, Any], node: str) -> list[TensorSpec] | None:
    dtype = data.get("dtype", "float32")
    if data.get("shapes") is not None:
        return [_spec(shape, dtype, node) for shape in data["shapes"]]
    return [_spec(data["shape"], dtype, node)] if "shape" in data else None


def _spec(shape: Any, dtype: str, node: str) -> TensorSpec:
    try:
        dims = tuple(shape)
    except TypeError as error:
        raise GraphError(f"node {node!r}: a shape is a sequence of sizes, not {shape!r}") from error
    try:
        name = dtype_name(dtype)
    except GraphacctError as error:
        raise type(error)(f"node {node!r}: {error}") from error
    return TensorSpec(tuple(check_dim(dim, f"a dimension of {node!r}") for dim in dims), name)


def _typed(value: Any, kind: type, subject: str) -> Any:
    """Returns the value, or a GraphError that says `subject` it should be."""
    if not isinstance(value, kind) or isinstance(value, (str, bool)):
        raise GraphError(f"{subject}, not {brief(value)}")
    return value
