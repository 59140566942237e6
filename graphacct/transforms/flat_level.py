"""One level of a graph as tables: a number for what each node is, whatever its indices, and who takes which value."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from graphacct.dims import is_array
from graphacct.graph.graph import Block, Graph, Node, Parameter, Value, value_names
from graphacct.graph.paths import pattern
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec
from graphacct.transforms.layer_names import Form, Forms

Wire: TypeAlias = tuple[int, int]
"""A value: the index of the node that makes it and which of its outputs it is; (-1, i) is the graph's input i."""
OF_NODES = [field.name for field in attrs.fields(Node) if field.eq and field.name not in ("name", "inputs", "outputs")]
OF_PARAMETERS = [field.name for field in attrs.fields(Parameter) if field.name not in ("name", "spec", "tied_to")]
"""What nodes and parameters are besides their names and values, all of which has to be equal in all layers."""
MOST_BACK = 4
"""The most repetitions back that a carried value may come from."""
BASE, MODULUS = 1_000_003, 2**61 - 1


class FlatLevel:
    """The nodes of a graph, not those inside its blocks.

    Attributes:
        graph: The graph.
        blocks: How many blocks stand around it.
        tokens: For each node a number, the same for nodes that differ in nothing but indices and in which values they
            take. A block, and a node that cannot be in one, has a number of its own.
        forms: For each node the forms of its name, of the names of its parameters and of what these are tied to.
        takes: For each node the values that it takes, in its order.
        uses: How often each value is taken, by nodes and as an output of the graph, except to be gathered.
        gathers: Whether a node does nothing but stack up values, as one stands for what a block stacks.
        gathered: The nodes that gather a value.
        named: The first and the last node that use a parameter, by its name, or are tied to it.
        kept: The names of the parameters in blocks, with `*` for indices.
        stacked: The outputs of the graph that may leave it stacked, those of all layers in one.
        given: The inputs of the whole graph, which are alive to the end, whatever is held.
        held: The scope until whose end a value is held.
        ends: The last node of each of those scopes; nothing for one without nodes.
    """

    def __init__(
        self, graph: Graph, operators: Mapping[str, Operator], blocks: int, stack_outputs: bool = False
    ) -> None:
        self.graph, self.blocks = graph, blocks
        self.wires: dict[str, Wire] = {value.name: (-1, place) for place, value in enumerate(graph.inputs)}
        self.forms: list[tuple[Form, ...]] = []
        self.tokens: list[int] = []
        self.takes: list[tuple[Wire, ...]] = []
        self.uses: dict[Wire, int] = {}
        self.gathered: dict[Wire, list[int]] = {}
        self.named: dict[str, tuple[int, int]] = {}
        self.kept: set[str] = set()
        self.gathers = [_gathers(node, operators) for node in graph.nodes]
        reading = _Tokens(Forms(blocks))
        for index, node in enumerate(graph.nodes):
            taken = tuple([self.wires[value.name] for value in node.values])
            self.takes.append(taken)
            for wire in taken:
                if self.gathers[index]:
                    self.gathered.setdefault(wire, []).append(index)
                else:
                    self.uses[wire] = self.uses.get(wire, 0) + 1
            token, forms = reading.of(node)
            self.tokens.append(token)
            self.forms.append(forms)
            if isinstance(node, Block):
                inside = [p for each in node.body.walk() for p in each.parameters]
                self.kept.update(pattern(name) for p in inside for name in (p.name, p.tied_to))
            for form in forms[1:]:
                self.named[form.path] = (self.named.get(form.path, (index,))[0], index)
            self.wires.update((value.name, (index, place)) for place, value in enumerate(node.outputs))
        left = [self.wires[value.name] for value in graph.outputs]
        self.stacked = self._of_all_layers(left) if stack_outputs else set()
        for wire in left:
            if wire in self.stacked:
                continue
            self.uses[wire] = self.uses.get(wire, 0) + 1
        self.given = {(-1, place) for place in range(len(graph.inputs))} if blocks == 0 else set()
        self.held = {self.wires[name]: scope for name, scope in graph.held.items() if name in self.wires}
        self.ends = _ends(graph, set(self.held.values()))
        self._by_maker = sorted(self.held)
        self._by_end = sorted((self.ends[scope], wire) for wire, scope in self.held.items() if scope in self.ends)
        self._hashes, self._powers = _rolling(self.tokens)

    def value(self, wire: Wire) -> Value:
        """Returns the value that a wire stands for."""
        index, place = wire
        return self.graph.inputs[place] if index < 0 else self.graph.nodes[index].outputs[place]

    def held_between(self, start: int, end: int) -> Sequence[Wire]:
        """Returns the held values that nodes from one index up to another make."""
        return self._by_maker[bisect_left(self._by_maker, (start, 0)) : bisect_left(self._by_maker, (end, 0))]

    def held_until(self, start: int, end: int) -> Sequence[Wire]:
        """Returns the values that are held until the end of a scope whose last node is from one index up to another."""
        low, high = (bisect_left(self._by_end, (index, (-2, 0))) for index in (start, end))
        return [wire for _, wire in self._by_end[low:high]]

    def _of_all_layers(self, outputs: Sequence[Wire]) -> set[Wire]:
        """Returns those outputs of the graph that all nodes of a kind put out, each once, or all but one: the model may
        return something else in place of the last."""
        nodes, found = Counter(self.tokens), Counter((self.tokens[i], place) for i, place in outputs if i >= 0)
        unique = len(outputs) == len(set(outputs))
        return {
            (index, place)
            for index, place in outputs
            if unique and index >= 0 and found[self.tokens[index], place] >= max(2, nodes[self.tokens[index]] - 1)
        }

    def alike(self, first: int, second: int, count: int) -> bool:
        """Returns whether so many nodes from two places on are alike one by one, as far as their hash tells."""
        if max(first, second) + count > len(self.tokens):
            return False
        return self._hash(first, count) == self._hash(second, count)

    def _hash(self, start: int, count: int) -> int:
        return (self._hashes[start + count] - self._hashes[start] * self._powers[count]) % MODULUS


def _rolling(tokens: Sequence[int]) -> tuple[list[int], list[int]]:
    """Returns the hashes of the first 0, 1, 2, … tokens, and the powers with which parts of them are compared."""
    hashes, powers = [0], [1]
    for token in tokens:
        hashes.append((hashes[-1] * BASE + token + 1) % MODULUS)
        powers.append(powers[-1] * BASE % MODULUS)
    return hashes, powers


class _Tokens:
    """Numbers for what nodes are."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._known: dict[Any, int] = {}
        self._specs: dict[int, Any] = {}  # by identity: a graph has few, and hashing one takes a while
        self._kept: list[Any] = []  # alive, so that no other object has their identity

    def of(self, node: Node | Block) -> tuple[int, tuple[Form, ...]]:
        """Returns a node's number, and the forms of its names."""
        if isinstance(node, Block):
            return self._number(("block", node.name)), ()
        forms = [self._forms.of(node.name)]
        operands: list[Any] = []
        for operand in node.inputs:
            if isinstance(operand, Parameter):
                name, tied = self._forms.of(operand.name), self._forms.of(operand.tied_to)
                forms += (name, tied)
                rest = tuple([_key(getattr(operand, field)) for field in OF_PARAMETERS])
                operands.append((name.text, tied.text, self._spec(operand.spec), rest))
            else:
                operands.append(self._spec(operand.spec))
        outputs = tuple([self._spec(value.spec) for value in node.outputs])
        own = node.name if [value.name for value in node.outputs] != value_names(node.name, len(outputs)) else ""
        key = (
            node.operator,
            forms[0].text,
            tuple(operands),
            outputs,
            _key(node.attributes),
            own,
            node.rerun,
            node.keeps,
        )
        return self._number(key), tuple(forms)

    def _spec(self, spec: TensorSpec) -> Any:
        key = self._specs.get(id(spec))
        if key is None:
            key = self._specs[id(spec)] = self._number((_key(spec.shape), spec.dtype, _key(spec.strides)))
            self._kept.append(spec)
        return key

    def _number(self, key: Any) -> int:
        return self._known.setdefault(key, len(self._known))


def _key(value: Any) -> Any:
    """Returns something hashable that is equal for equal values of the same type, and for nothing else."""
    if isinstance(value, Mapping):
        return tuple([(name, _key(item)) for name, item in sorted(value.items())]) if value else ()
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_key, value))
    if is_array(value):
        return value.shape, value.dtype.str, tuple(value.ravel().tolist())
    if attrs.has(type(value)):
        return type(value), tuple([_key(getattr(value, field.name)) for field in attrs.fields(type(value))])
    try:
        hash(value)
    except TypeError:
        return "object", id(value)
    return type(value), value


def _gathers(node: Node | Block, operators: Mapping[str, Operator]) -> bool:
    if isinstance(node, Block) or node.attributes or len(node.outputs) != 1 or node.parameters:
        return False
    operator = operators.get(node.operator)
    return operator is not None and operator.stacks


def _ends(graph: Graph, scopes: set[str]) -> dict[str, int]:
    """Returns the last node in each of the scopes."""
    found: dict[str, int] = {}
    if not scopes:
        return found
    for index in range(len(graph.nodes) - 1, -1, -1):
        scope = graph.nodes[index].name
        while scope and scope not in found:  # the scopes around one that was found were found with it
            if scope in scopes:
                found[scope] = index
            scope = scope.rpartition(".")[0]
        if "" in scopes:
            found.setdefault("", index)
        if len(found) == len(scopes):
            break
    return found
