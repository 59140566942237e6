"""Graphs as JSON (docs/graph-json.md): reads files that `write` wrote or that someone wrote by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphacct.errors import DeclinedError, GraphacctError, GraphError, ReadError
from graphacct.files import read_json
from graphacct.files import write as write_file
from graphacct.graph.assemble import BlockRecord, GraphRecord, NodeRecord, Record, assemble
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Operand, Parameter, Value
from graphacct.graph.rerun import Rerun
from graphacct.operators.operator import Operator
from graphacct.readers import stored_weights
from graphacct.readers.json_values import list_in, object_of, shown, size_of, text_of, with_tuples
from graphacct.tensors import MAX_RANK, TensorSpec, dtype_name

SCHEMA = "graphacct.graph/1"
MOST_NESTED = 32
"""How deep blocks may be nested in a file; a model needs two or three."""

GRAPH_KEYS = {"schema", "name", "workload", "inputs", "nodes", "outputs", "held"}
VALUE_KEYS = {"name", "shape", "dtype"}
TRAINED = "trained"
"""The key of an input that a training step computes a gradient of."""
NODE_KEYS = {"name", "operator", "inputs", "outputs", "attributes", "rerun", "keeps"}
RERUN_KEYS = ("depth", "ordinal", "times")
BLOCK_KEYS = {"name", "repeat", "start", "carry", "constants", "each", "apart", "body"}
PARAMETER_KEYS = {"parameter", "shape", "dtype", "tied_to", "buffer", "frozen", "joined", "weights", "chosen"}


def read(path: str | os.PathLike[str], operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph in a JSON file.

    Raises ReadError, which names the file, the node and what is wrong in it.
    """
    file = Path(path)
    content = read_json(file)
    try:
        return from_dict(content, file.stem, operators, file.name)
    except DeclinedError as error:
        raise error.at(str(file)) from error
    except GraphacctError as error:
        raise ReadError(f"{file}: {error}") from error


def from_dict(content: Any, name: str, operators: Mapping[str, Operator], file: str = "") -> Graph:
    """Returns the graph of the parsed JSON; `name` is used if the file gives none. `file` is the file's name, for
    messages."""
    if isinstance(content, Mapping) and "schema" not in content:
        from graphacct.readers.foreign import kind_of

        raise DeclinedError(
            kind_of(content, file)
            or "has neither a schema, as a saved graph has, nor a model_type, as a config.json has",
            beside="",
        )
    graph = object_of(content, "the file", GRAPH_KEYS)
    if graph.get("schema") != SCHEMA:
        raise ReadError(f"its schema is {graph.get('schema')!r}, not {SCHEMA!r}: see docs/graph-json.md")
    return assemble(_graph(graph, str(graph.get("name") or name), 0), operators)


def _graph(content: Mapping[str, Any], name: str, depth: int) -> GraphRecord:
    if depth > MOST_NESTED:
        raise ReadError(f"{name!r}: blocks are nested more than {MOST_NESTED} deep")
    where = f"graph {name!r}"
    least = 0 if depth else 1  # a node may put out nothing, which a block may take
    inputs = [_input(item, where, least) for item in list_in(content, "inputs", where)]
    records = [_record(item, where, depth) for item in list_in(content, "nodes", where)]
    outputs = [text_of(item, f"an output of {where}") for item in list_in(content, "outputs", where)]
    workload = content.get("workload") or {}
    if not isinstance(workload, dict):
        raise ReadError(f"{where}: 'workload' is an object, not {shown(workload)}")
    held = content.get("held") or {}
    if not isinstance(held, dict) or not all(isinstance(scope, str) for scope in held.values()):
        raise ReadError(f"{where}: 'held' is an object of scopes by value, not {shown(held)}")
    frozen = {key: with_tuples(value) for key, value in workload.items()}
    trained = frozenset(value.name for value, item in zip(inputs, content["inputs"], strict=True) if item.get(TRAINED))
    return GraphRecord(name, inputs, records, outputs, frozen, held, trained)


def _input(content: Any, where: str, least: int) -> Value:
    item = object_of(content, f"an input of {where}", VALUE_KEYS | {TRAINED} if least else VALUE_KEYS)
    if not isinstance(item.get(TRAINED, False), bool):
        raise ReadError(f"input {item.get('name')!r}: {TRAINED!r} is true or false, not {shown(item[TRAINED])}")
    name = text_of(item.get("name"), f"the name of an input of {where}")
    return Value(name, _spec(item, f"input {name!r}", least))


def _record(content: Any, where: str, depth: int) -> Record:
    if not isinstance(content, dict):
        raise ReadError(f"a node of {where} is an object, not {shown(content)}")
    name = text_of(content.get("name"), f"the name of a node of {where}")
    if "body" in content:
        return _block(content, name, depth)
    item = object_of(content, f"node {name!r}", NODE_KEYS)
    title = f"node {name!r}"
    operands = [_operand(operand, title) for operand in list_in(item, "inputs", title)]
    outputs = None
    if "outputs" in item:
        outputs = [
            _spec(object_of(o, f"an output of {title}", VALUE_KEYS), title, 0) for o in list_in(item, "outputs", title)
        ]
        if not outputs:
            raise ReadError(f"{title}: 'outputs' is empty; leave it out to have it inferred")
    attributes = item.get("attributes") or NO_ATTRIBUTES
    if not isinstance(attributes, Mapping):
        raise ReadError(f"{title}: 'attributes' is an object, not {shown(attributes)}")
    frozen = {key: with_tuples(value) for key, value in attributes.items()} if attributes else NO_ATTRIBUTES
    operator = text_of(item.get("operator"), f"the operator of {title}")
    return NodeRecord(name, operator, operands, outputs, frozen, _rerun(item, title), _keeps(item, title))


def _keeps(item: Mapping[str, Any], title: str) -> tuple[int, ...] | None:
    """Reads what a node keeps for the backward pass because the model's own code says so."""
    if "keeps" not in item:
        return None
    found = list_in(item, "keeps", title)
    ends = len(list_in(item, "inputs", title)), -len(item.get("outputs", ())) - 1
    if any(type(place) is not int or not ends[1] < place < ends[0] for place in found):
        raise ReadError(f"{title}: 'keeps' has places of operands, and -1 less those of outputs, not {shown(found)}")
    return tuple(found)


def _rerun(item: Mapping[str, Any], title: str) -> Rerun | None:
    """Reads the region of a node that the model has run again."""
    if "rerun" not in item:
        return None
    found = object_of(item["rerun"], f"'rerun' of {title}", set(RERUN_KEYS))
    if "depth" not in found or any(type(value) is not int or value < 0 for value in found.values()):
        raise ReadError(f"{title}: 'rerun' has whole numbers from 0, 'depth' among them, not {shown(found)}")
    return Rerun(**found)


def _block(content: Mapping[str, Any], name: str, depth: int) -> BlockRecord:
    title = f"block {name!r}"
    item = object_of(content, title, BLOCK_KEYS)
    body = _graph(object_of(item["body"], f"the body of {title}", GRAPH_KEYS), name, depth + 1)
    return BlockRecord(
        name,
        body,
        size_of(item.get("repeat"), f"{title}: 'repeat'"),
        [text_of(value, f"a carried value of {title}") for value in list_in(item, "carry", title)],
        [text_of(value, f"a constant of {title}") for value in item.get("constants") or ()],
        size_of(item.get("start", 0), f"{title}: 'start'", minimum=0),
        [_each(values, title) for values in item.get("each") or ()],
        size_of(item.get("apart", 0), f"{title}: 'apart'", minimum=0),
    )


def _each(values: Any, title: str) -> list[str]:
    if not isinstance(values, list):
        raise ReadError(f"{title}: 'each' is a list of lists, one for each repetition's values, not {shown(values)}")
    return [text_of(value, f"a value of a repetition of {title}") for value in values]


def _operand(content: Any, where: str) -> str | Parameter:
    if isinstance(content, str):
        return content
    item = object_of(content, f"an operand of {where}", PARAMETER_KEYS)
    name = text_of(item.get("parameter"), f"the name of a parameter of {where}")
    spec = _spec(item, f"parameter {name!r}")
    return Parameter(
        name,
        spec,
        str(item.get("tied_to") or ""),
        bool(item.get("buffer", False)),
        bool(item.get("frozen", False)),
        size_of(item.get("joined", 1), f"parameter {name!r}: 'joined'"),
        stored_weights.from_dict(item.get("weights"), f"parameter {name!r}", spec.elements),
        _chosen(item.get("chosen"), f"parameter {name!r}: 'chosen'"),
    )


def _chosen(value: Any, subject: str) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise ReadError(f"{subject} is two numbers, the experts that a token uses and all, not {shown(value)}")
    used, count = (size_of(number, subject) for number in value)
    if used > count:
        raise ReadError(f"{subject}: a token cannot use {used} of {count} experts")
    return used, count


def _spec(item: Mapping[str, Any], where: str, least: int = 1) -> TensorSpec:
    shape = list_in(item, "shape", where)
    if len(shape) > MAX_RANK:
        raise ReadError(f"{where} has {len(shape)} dimensions; {MAX_RANK} is the most")
    dtype = item.get("dtype", "float32")
    return TensorSpec(tuple([size_of(dim, f"{where}: a dimension", least) for dim in shape]), dtype_name(dtype))


def write(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Saves a graph. Raises GraphError for a dimension that is not a number, WriteError for a path that cannot be
    written."""
    write_file(path, to_json(graph))


def to_json(graph: Graph) -> str:
    """Returns the graph as JSON text. Raises GraphError for a dimension that is not a number."""
    return json.dumps(to_dict(graph), indent=1) + "\n"


def to_dict(graph: Graph) -> dict[str, Any]:
    """Returns the graph as plain values, as docs/graph-json.md describes them."""
    return {"schema": SCHEMA, **_graph_dict(graph), "workload": dict(graph.workload)}


def _graph_dict(graph: Graph) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": graph.name,
        "inputs": [_input_dict(value, value.name in graph.trained_inputs) for value in graph.inputs],
        "nodes": [_block_dict(node) if isinstance(node, Block) else _node_dict(node) for node in graph.nodes],
        "outputs": [value.name for value in graph.outputs],
    }
    if graph.held:
        result["held"] = dict(graph.held)
    return result


def _input_dict(value: Value, trained: bool) -> dict[str, Any]:
    result = {"name": value.name, **_spec_dict(value.spec, value.name)}
    return {**result, TRAINED: True} if trained else result


def _node_dict(node: Node) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": node.name,
        "operator": node.operator,
        "inputs": [_operand_dict(operand) for operand in node.inputs],
        "outputs": [_spec_dict(value.spec, node.name) for value in node.outputs],
    }
    if node.attributes:
        result["attributes"] = dict(node.attributes)
    if node.keeps is not None:
        result["keeps"] = list(node.keeps)
    if node.rerun is not None:
        result["rerun"] = {key: getattr(node.rerun, key) for key in RERUN_KEYS}
    return result


def _block_dict(block: Block) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": block.name,
        "repeat": _number(block.repeat, block.name),
        "start": block.start,
        "carry": [value.name for value in block.carry],
        "constants": [value.name for value in block.constants],
    }
    if block.each:
        result["each"] = [[value.name for value in values] for values in block.each]
    if block.apart:
        result["apart"] = block.apart
    return {**result, "body": _graph_dict(block.body)}


def _operand_dict(operand: Operand) -> str | dict[str, Any]:
    if isinstance(operand, Value):
        return operand.name
    result: dict[str, Any] = {"parameter": operand.name, **_spec_dict(operand.spec, operand.name)}
    if operand.tied_to:
        result["tied_to"] = operand.tied_to
    if operand.buffer:
        result["buffer"] = True
    if operand.frozen:
        result["frozen"] = True
    if operand.joined != 1:
        result["joined"] = operand.joined
    if operand.stored is not None:
        result["weights"] = stored_weights.to_dict(operand.stored, operand.name)
    if operand.chosen is not None:
        result["chosen"] = [_number(count, operand.name) for count in operand.chosen]
    return result


def _spec_dict(spec: TensorSpec, where: str) -> dict[str, Any]:
    return {"shape": [_number(dim, where) for dim in spec.shape], "dtype": spec.dtype}


def _number(dim: Any, where: str) -> int:
    if type(dim) is not int:
        raise GraphError(f"{where!r} has the size {dim}, which is no number: build the model with numbers to save it")
    return dim
