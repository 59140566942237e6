"""How the tensors of a model's file store its parameters, one by one: GGUF files say so of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.places import Place, nodes
from graphacct.graph.weight_format import StoredTensor, StoredWeight, WeightFormat
from graphacct.models.matrices import EMBEDDINGS, matrices_of
from graphacct.models.weight_plan import Stored, instances
from graphacct.operators.operator import Operator
from graphacct.transforms.rewrite import Replacement, rewrite

MOST_NAMED = 3
"""The most names that one message lists."""


@attrs.frozen
class FileTensor:
    """One tensor of a file: its format, and the sizes of its matrices."""

    format: WeightFormat
    rows: int
    columns: int
    matrices: int = 1

    @property
    def elements(self) -> int:
        return self.rows * self.columns * self.matrices

    def holds(self, elements: int) -> bool:
        """Returns whether a parameter of so many elements can be a part of it."""
        part = self.of(elements)
        return part.elements == elements and StoredWeight(self.format, part.rows, part.columns).fits

    def of(self, elements: int) -> FileTensor:
        """Returns the part of it that is a parameter of so many elements: whole rows, or a part of its only row."""
        if self.rows * self.matrices == 1:
            return attrs.evolve(self, columns=elements)
        return attrs.evolve(self, rows=elements // self.columns, matrices=1)


@attrs.frozen
class TensorPlan:
    """How the tensors of a file store a model's parameters.

    Attributes:
        tensors: The tensors by the file's names.
        places: Given a tensor's name, the names of the parameters that it may be; the first that the model has
            counts. A tensor that several parameters are stored in has their names with `+` between, and one that is no
            parameter, such as a table of angles, an empty name.
        text: How reports show the plan.
    """

    tensors: Mapping[str, FileTensor]
    places: Callable[[str], Sequence[str]]
    text: str

    def __str__(self) -> str:
        return self.text


def stored_in(graph: Graph, plan: TensorPlan, operators: Mapping[str, Operator]) -> Stored:
    """Returns the graph with its parameters stored as the file's tensors are, and the tensors that are no parameters.

    Layers whose tensors differ are written out. Raises ConfigError, which names the tensor, for one that is no
    parameter of the model or has other sizes, and for a parameter that the file does not have.
    """
    found = _parameters(graph)
    spelled = {name: _spelled(name, places) for name, (_, places) in found.items()}
    elements = {each: found[name][0].spec.elements for name, all_ in spelled.items() for each in all_}
    parts, others = _parts(plan, elements)
    _check(plan, elements, parts)
    lookups = {name for name, item in matrices_of(graph, operators).items() if item.kind == EMBEDDINGS}
    if any(len({_key(parts[each]) for each in all_}) > 1 for all_ in spelled.values()):
        graph = graph.unroll(operators)
        spelled = {each: [each] for each in elements}
    stored = {name: _stored(parts[all_[0]], name in lookups) for name, all_ in spelled.items()}

    def replace(node: Node, place: Replacement) -> Any:
        return place.keep([_as_stored(operand, stored) for operand in place.inputs])

    return Stored(rewrite(graph, operators, replace, {"weights": str(plan)}), (), others)


def _parameters(graph: Graph) -> dict[str, tuple[Parameter, list[Place]]]:
    """Returns the parameters of a graph by the names of their storage, and the blocks around each."""
    found: dict[str, tuple[Parameter, list[Place]]] = {}
    for node, place in nodes(graph):
        for operand in node.inputs:
            if type(operand) is Parameter and not operand.buffer:
                name = operand.tied_to or operand.name
                _, places = found.setdefault(name, (operand, []))
                here = place.around(name.count("*"))
                if here not in places:
                    places.append(here)
    return found


def _spelled(name: str, places: Iterable[Place]) -> list[str]:
    return [*dict.fromkeys(instances(name, places))]


def _parts(plan: TensorPlan, elements: Mapping[str, Any]) -> tuple[dict[str, list[FileTensor]], tuple[str, ...]]:
    """Returns the tensors that each parameter is stored in, and the names of those that are no parameters."""
    parts: dict[str, list[FileTensor]] = {}
    strange: list[str] = []
    others: list[str] = []
    for name, tensor in plan.tensors.items():
        places = plan.places(name)
        at = next((place for place in places if all(part in elements for part in place.split("+"))), None)
        if at is None:
            (others if "" in places else strange).append(name)
            continue
        names = at.split("+")
        whole = sum(elements[part] for part in names)
        if len(names) > 1 and not (whole == tensor.elements and all(tensor.holds(elements[part]) for part in names)):
            raise ConfigError(
                f"tensor {name!r} has {tensor.elements:,} elements, and {at.replace('+', ', ')} {whole:,}"
            )
        for part in names:
            parts.setdefault(part, []).append(tensor if len(names) == 1 else tensor.of(elements[part]))
    if strange:
        raise ConfigError(f"{_some('tensor', strange)} no parameter of the model that its metadata describe")
    return parts, tuple(others)


def _check(plan: TensorPlan, elements: Mapping[str, Any], parts: Mapping[str, Sequence[FileTensor]]) -> None:
    missing = [name for name in elements if name not in parts]
    if missing:
        raise ConfigError(f"{_some('parameter', missing)} not among its {len(plan.tensors):,} tensors")
    for name, wanted in elements.items():
        there = sum(tensor.elements for tensor in parts[name])
        if there != wanted:
            raise ConfigError(f"parameter {name!r} has {wanted:,} elements, and its tensors {there:,}")


def _some(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"{what}{'s' if len(names) > 1 else ''} {shown}{more} {'are' if len(names) > 1 else 'is'}"


def _key(tensors: Sequence[FileTensor]) -> tuple[FileTensor, ...]:
    return tuple(tensors)


def _stored(tensors: Sequence[FileTensor], lookup: bool) -> StoredWeight:
    """Returns how a parameter is stored: as the matrices of one tensor, of several alike, or of several that differ,
    whose bytes stand for themselves."""
    first = tensors[0]
    if all(tensor.format == first.format and _sizes(tensor) == _sizes(first) for tensor in tensors):
        matrices = sum(tensor.matrices for tensor in tensors)
        return StoredWeight(first.format, first.rows, first.columns, matrices, lookup)
    total = sum(int(tensor.format.bytes(tensor.rows, tensor.columns)) * tensor.matrices for tensor in tensors)
    name = " + ".join(dict.fromkeys(tensor.format.name for tensor in tensors))
    format_ = WeightFormat(name, (StoredTensor("tensors", total, 0, 0),))
    return StoredWeight(format_, 1, sum(tensor.elements for tensor in tensors), 1, lookup)


def _sizes(tensor: FileTensor) -> tuple[int, int]:
    return tensor.rows, tensor.columns


def _as_stored(operand: Any, stored: Mapping[str, StoredWeight]) -> Any:
    if type(operand) is not Parameter or operand.buffer:
        return operand
    found = stored[operand.tied_to or operand.name]
    return operand if found.format.dtype == operand.spec.dtype else attrs.evolve(operand, stored=found)
