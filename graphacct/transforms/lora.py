"""Low-rank adapters (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021) as a rewrite of a graph.

Beside a matrix W of (out, in) stand A of (rank, in) and B of (out, rank): base(x) + B(A(x)) · scaling. The order of
operations is that of the peft library, and so are the new parameters' names; its module around the base, `base_layer`,
is in the names of nodes and not in those of the base's own parameters. Everything but the adapters is frozen.

A matrix is found by what an operator declares: it contracts two operands, of which one is a parameter with two
dimensions, one that the other operand ends in and one that the output ends in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import MAX_DIM, Dim, minimum, some_below, text
from graphacct.errors import ConfigError, blame, brief, unknown
from graphacct.graph.graph import NO_ATTRIBUTES, Block, Graph, Node, Operand, Parameter, Value
from graphacct.operators.operator import Operator
from graphacct.phases import TRAIN
from graphacct.tensors import FLOATING, TensorSpec
from graphacct.training.selection import closest, matching, names, written_out

LINEAR, SCALE, ADD, DROPOUT = "linear", "scale", "add", "dropout"
"""What an adapter is made of, as peft makes it of torch's functions; without a plugin that has them there are none."""
FORM = "RANK:GLOB, such as 8:*.attn.c_attn"


@attrs.frozen
class Adapters:
    """What one `RANK:GLOB` asks for."""

    rank: int
    glob: str
    text: str

    @property
    def who(self) -> str:
        """How messages call it."""
        return _asked(self.text)


@attrs.frozen
class Matrix:
    """A weight that an adapter can stand beside.

    Attributes:
        parameter: The weight.
        node: The first node that multiplies by it.
        inside: The size of the dimension that is contracted.
        outside: The size of the one that is not.
    """

    parameter: Parameter
    node: str
    inside: Dim
    outside: Dim


def parse(text: object) -> Adapters:
    """The rank and the glob that `RANK:GLOB` writes; ConfigError says what is wrong with it."""
    if not isinstance(text, str):
        raise ConfigError(f"{_asked(text)} is no text of the form {FORM}")
    rank, colon, glob = (part.strip() for part in text.partition(":"))
    if not colon or not rank or not glob:
        raise ConfigError(f"{_asked(text)} is not of the form {FORM}")
    digits = rank.isascii() and rank.isdecimal() and len(rank) < 20
    if not digits or not 0 < int(rank) <= MAX_DIM:
        turned = f"; did you mean {brief(f'{glob}:{rank}')}?" if glob.isdecimal() else ""
        raise ConfigError(f"{_asked(text)}: the rank is a positive integer, not {brief(rank)}{turned}")
    return Adapters(int(rank), glob, text)


def _asked(text: object) -> str:
    return f"--lora {brief(text)} (in Python, lora=)"


def adapted(graph: Graph, lora: Sequence[str], operators: Mapping[str, Operator], dropout: float = 0.0) -> Graph:
    """The graph with adapters beside the matrices that `lora` names, and every other parameter frozen.

    Each item of `lora` is `RANK:GLOB`; the glob is matched against nodes and their weights. One that names single
    layers writes the blocks out. `dropout` is that of the adapters' input, in a training step.
    Raises ConfigError, which names what is asked for and the way out, for an item that cannot be read, a rank above
    the matrix, a glob that matches no matrix, and a matrix that is matched twice.
    """
    asked = [parse(text) for text in ((lora,) if isinstance(lora, str) else lora)]
    if "lora" in graph.workload:
        raise ConfigError(f"{graph.name!r} has adapters already: {graph.workload['lora']}")
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise ConfigError(f"lora_dropout is a probability from 0 up to (not including) 1, not {brief(dropout)}")

    in_training = graph.workload.get("phase") == TRAIN
    if dropout and not in_training:
        raise ConfigError('lora_dropout matters in training alone: add phase="train" (--phase train)')

    def known(node: Node) -> list[str]:
        return _names(node, operators)

    graph = written_out(graph, [item.glob for item in asked], known)
    ranks = _chosen(graph, asked, operators)
    setting = {"lora": ", ".join(item.text for item in asked), **({"lora_dropout": dropout} if dropout else {})}
    rewrite = _Rewrite(operators, ranks, dropout)
    return attrs.evolve(rewrite.graph(graph, {}), workload={**graph.workload, **setting})


def _chosen(graph: Graph, asked: Iterable[Adapters], operators: Mapping[str, Operator]) -> dict[str, int]:
    """The rank for each matrix, by the name of its parameter."""
    matrices: dict[str, Matrix] = {}
    called: dict[str, set[str]] = {}
    for node in graph.walk():
        found = matrix(node, operators)
        if found is not None:
            matrices.setdefault(found.parameter.name, found)
            for name in _names(node, operators):
                called.setdefault(name, set()).add(found.parameter.name)
    known = names(graph, lambda node: _names(node, operators))
    chosen: dict[str, Adapters] = {}
    for item in asked:
        here = dict.fromkeys(weight for name in matching(item.glob, known) for weight in sorted(called[name]))
        if not here:
            raise ConfigError(f"{item.who} matches no weight matrix{_why_none(item.glob, graph, known)}")
        for weight in here:
            _check(item, matrices[weight], chosen.get(weight))
            chosen[weight] = item
    return {weight: item.rank for weight, item in chosen.items()}


def _check(item: Adapters, found: Matrix, other: Adapters | None) -> None:
    """Raise ConfigError for a rank above the matrix, and for a matrix that has an adapter."""
    if other is not None:
        raise ConfigError(
            f"{item.who} matches {found.parameter.name!r}, which --lora {brief(other.text)} has matched: a matrix has "
            "one adapter; narrow one of the globs"
        )
    if some_below(found.inside, item.rank) or some_below(found.outside, item.rank):
        raise ConfigError(
            f"{item.who}: node {found.node!r} multiplies by a matrix of {text(found.inside)} in and "
            f"{text(found.outside)} out, so that rank {item.rank} is above it; the largest that fits is "
            f"{text(minimum(found.inside, found.outside))}"
        )


def _why_none(glob: str, graph: Graph, known: Mapping[str, Any]) -> str:
    """What a glob matches that is no matrix, or what it may have meant."""
    others = names(graph, lambda node: (node.name, *(parameter.name for parameter in node.parameters)))
    strange = matching(glob, others)
    if not strange:
        return closest(glob, known)
    kinds = {name: node.operator for node in graph.walk() for name in (node.name, *(p.name for p in node.parameters))}
    return f": {strange[0]!r} is of {kinds[strange[0]]!r}, no product with a matrix{closest(glob, known)}"


def matrix(node: Node, operators: Mapping[str, Operator]) -> Matrix | None:
    """The matrix that a node multiplies its first operand by; None for one that does something else."""
    operator = operators.get(node.operator)
    if operator is None or len(operator.contracts) != 2 or len(node.inputs) < 2 or len(node.outputs) != 1:
        return None
    x, weight = operator.signature.inputs[:2]
    out = operator.signature.outputs[0]
    value, parameter = node.inputs[:2]
    if {x.name, weight.name} != set(operator.contracts) or not isinstance(value, Value):
        return None
    if not isinstance(parameter, Parameter) or parameter.buffer or len(parameter.spec.shape) != 2:
        return None
    dims = (*weight.front, *weight.back)
    ends = ((*term.front, *term.back)[-1:] for term in (x, out))
    inside, outside = (dims.index(end[0]) if end and end[0] in dims else -1 for end in ends)
    if len(dims) != 2 or {inside, outside} != {0, 1}:
        return None
    return Matrix(parameter, node.name, parameter.spec.shape[inside], parameter.spec.shape[outside])


def _names(node: Node, operators: Mapping[str, Operator]) -> list[str]:
    """What a node that multiplies by a matrix can be asked for by: its own name, the weight's, and its module's."""
    found = matrix(node, operators)
    return [] if found is None else [node.name, found.parameter.name, module(found.parameter)]


def module(parameter: Parameter) -> str:
    """The module that a weight belongs to: its name without `.weight`, or all of another name."""
    return parameter.name.removesuffix(".weight")


@attrs.frozen
class _Rewrite:
    """How a graph is rewritten: the rank for each matrix, and the dropout in front of the adapters."""

    operators: Mapping[str, Operator]
    ranks: Mapping[str, int]
    dropout: float

    def graph(self, graph: Graph, values: dict[str, Value]) -> Graph:
        """A graph with its adapters; `values` receives what stands for each value that is no longer the same."""
        held: dict[str, str] = {}
        nodes: list[Node | Block] = []
        for node in graph.nodes:
            if isinstance(node, Block):
                nodes.append(self._block(node, values))
                continue
            inputs = tuple(_operand(operand, values) for operand in node.inputs)
            found = matrix(node, self.operators)
            if found is None or found.parameter.name not in self.ranks:
                nodes.append(_remade(node, inputs=inputs))
                continue
            added = list(self._adapter(node, inputs, found))
            nodes.extend(added)
            values[node.outputs[0].name] = added[-1].outputs[0]
            held[inputs[0].name] = node.name  # an argument of the adapter's function, which names it to the end
        outputs = tuple(values.get(value.name, value) for value in graph.outputs)
        held |= {values[name].name if name in values else name: scope for name, scope in graph.held.items()}
        return attrs.evolve(graph, nodes=tuple(nodes), outputs=outputs, held=held)

    def _block(self, block: Block, values: Mapping[str, Value]) -> Block:
        carry, constants = (tuple(values.get(v.name, v) for v in given) for given in (block.carry, block.constants))
        return attrs.evolve(block, body=self.graph(block.body, {}), carry=carry, constants=constants)

    def _adapter(self, node: Node, inputs: tuple[Operand, ...], found: Matrix) -> Iterator[Node]:
        """result = base(x); result + lora_B(lora_A(dropout(x))) * scaling."""
        name, x, rank = node.name, inputs[0], self.ranks[found.parameter.name]
        dtype = x.spec.dtype if x.spec.dtype in FLOATING else node.outputs[0].spec.dtype
        weights = (
            Parameter(f"{module(found.parameter)}.lora_{letter}.default.weight", TensorSpec(shape, dtype))
            for letter, shape in (("A", (rank, found.inside)), ("B", (found.outside, rank)))
        )
        base = _remade(node, name=f"{name}.base_layer", inputs=inputs)
        yield base
        if self.dropout:
            dropped = self._node(f"{name}.lora_dropout", DROPOUT, x, p=self.dropout)
            yield dropped
            x = dropped.outputs[0]
        down = self._node(f"{name}.lora_A", LINEAR, x, next(weights))
        yield down
        up = self._node(f"{name}.lora_B", LINEAR, down.outputs[0], next(weights))
        yield up
        scaled = self._node(f"{name}.lora_scale", SCALE, up.outputs[0])
        yield scaled
        yield self._node(f"{name}.lora_add", ADD, base.outputs[0], scaled.outputs[0])

    def _node(self, name: str, operator: str, *inputs: Operand, **attributes: Any) -> Node:
        rule = self.operators.get(operator)
        if rule is None:
            raise unknown("operator", operator, self.operators, "adapters are made of it")
        try:
            application = rule.apply([operand.spec for operand in inputs], attributes)
        except Exception as error:
            raise blame(name, operator, self.operators, error) from error
        outputs = (Value(name, application.outputs[0]),)
        return Node(name, operator, inputs, outputs, attributes or NO_ATTRIBUTES).applied(application)


def _operand(operand: Operand, values: Mapping[str, Value]) -> Operand:
    """What a node takes now: the value that stands for it, or the parameter, frozen."""
    if isinstance(operand, Value):
        return values.get(operand.name, operand)
    return operand if operand.buffer else attrs.evolve(operand, frozen=True)


def _remade(node: Node, *, inputs: tuple[Operand, ...], name: str = "") -> Node:
    """A node with other operands of the same kinds, and another name where one is given."""
    if not name and all(ours is theirs for ours, theirs in zip(inputs, node.inputs, strict=True)):
        return node
    outputs = (Value(name, node.outputs[0].spec),) if name else node.outputs
    made = attrs.evolve(node, name=name or node.name, inputs=inputs, outputs=outputs)
    return made if node.application is None else made.applied(node.application)
