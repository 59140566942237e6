"""Low-rank adapters (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021) as a transform of a graph.

Each adapted matrix W (out, in) gets two adapters, A (rank, in) and B (out, rank): base(x) + B(A(x)) · scaling. The
order of
operations is that of the peft library, and so are the new parameters' names; its module around the base, `base_layer`,
is in the names of nodes and not in those of the base's own parameters. Everything but the adapters is frozen.

A matrix is recognised by its operator's signature: the operator contracts two operands, one of them a parameter with
two dimensions, one of which ends the other operand and one the output.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from attrs import evolve

from graphacct import (
    FLOATING,
    ConfigError,
    Dim,
    Graph,
    Node,
    NodeNames,
    Operator,
    Option,
    Parameter,
    Replacement,
    TensorSpec,
    Transform,
    Value,
    brief,
    dim_text,
    minimum,
    rewrite,
    some_below,
)

FORM = "RANK:GLOB, such as 8:*.attn.c_attn"


class Adapters(NamedTuple):
    """What one `RANK:GLOB` asks for."""

    rank: int
    glob: str
    text: str

    @property
    def who(self) -> str:
        """How messages call it."""
        return _asked(self.text)


class Matrix(NamedTuple):
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
    """Returns the rank and the glob that `RANK:GLOB` writes; ConfigError says what is wrong with it."""
    if not isinstance(text, str):
        raise ConfigError(f"{_asked(text)} is no text of the form {FORM}")
    rank, colon, glob = (part.strip() for part in text.partition(":"))
    if not colon or not rank or not glob:
        raise ConfigError(f"{_asked(text)} is not of the form {FORM}")
    if not (rank.isascii() and rank.isdecimal() and len(rank) < 19 and int(rank)):
        turned = f"; did you mean {brief(f'{glob}:{rank}')}?" if glob.isdecimal() else ""
        raise ConfigError(f"{_asked(text)}: the rank is a positive integer, not {brief(rank)}{turned}")
    return Adapters(int(rank), glob, text)


def _asked(text: object) -> str:
    return f"adapters {brief(text)}"


def adapted(graph: Graph, operators: Mapping[str, Operator], adapters: Sequence[object], dropout: float) -> Graph:
    """Returns the graph with adapters beside the matrices that `adapters` name, and every other parameter frozen.

    Each of the `adapters` is `RANK:GLOB`; the glob is matched against nodes and their weights. One that names single
    layers writes the blocks out. `dropout` is that of the adapters' input, in a training step.
    Raises ConfigError, which names what is asked for and the way out, for an item that cannot be read, a rank above
    the matrix, a glob that matches no matrix, and a matrix that is matched twice.
    """
    asked = [parse(text) for text in adapters]
    if "lora" in graph.workload:
        raise ConfigError(f"{graph.name!r} has adapters already: {graph.workload['lora']}")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout is a probability from 0 up to (not including) 1, not {brief(dropout)}")
    if dropout and graph.workload.get("phase") != "train":
        raise ConfigError('dropout matters in training alone: add phase="train"')
    known = NodeNames(graph, partial(_names, operators=operators), [item.glob for item in asked])
    ranks = _chosen(known, asked, operators)
    stated: dict[str, Any] = {"lora": ", ".join(item.text for item in asked)}
    if dropout:
        stated["lora_dropout"] = dropout

    def replace(node: Node, place: Replacement) -> Any:
        inputs = [operand if isinstance(operand, Value) else _frozen(operand) for operand in place.inputs]
        found = matrix(node, operators)
        if found is None or found.parameter.name not in ranks:
            return place.keep(inputs)
        return _adapter(node, place, inputs, found, ranks[found.parameter.name], dropout)

    return rewrite(known.graph, operators, replace, stated)


LORA = Transform(
    "lora",
    "Low-rank adapters beside matrices, which alone are trained (Hu et al., 2021).",
    adapted,
    (
        Option("adapters", tuple, ..., "RANK:GLOB: the rank, and beside which matrices, by their nodes or weights."),
        Option("dropout", float, 0.0, "In training, the dropout in front of the adapters."),
    ),
    ensures=("adapters", "frozen base"),
)


def _chosen(known: NodeNames, asked: Iterable[Adapters], operators: Mapping[str, Operator]) -> dict[str, int]:
    """Returns the rank for each matrix, by the name of its parameter."""
    matrices: dict[str, Matrix] = {}
    called: dict[str, set[str]] = {}
    for node in known.graph.walk():
        found = matrix(node, operators)
        if found is not None:
            matrices.setdefault(found.parameter.name, found)
            for name in _names(node, operators):
                called.setdefault(name, set()).add(found.parameter.name)
    chosen: dict[str, Adapters] = {}
    for item in asked:
        _check_whole(item, known, operators)
        here = dict.fromkeys(weight for name in known.matching(item.glob) for weight in sorted(called[name]))
        if not here:
            raise ConfigError(f"{item.who} matches no weight matrix{_why_none(item.glob, known)}")
        for weight in here:
            _check(item, matrices[weight], chosen.get(weight))
            chosen[weight] = item
    return {weight: item.rank for weight, item in chosen.items()}


def _check_whole(item: Adapters, known: NodeNames, operators: Mapping[str, Operator]) -> None:
    """Raises ConfigError if the glob matches a matrix that no product takes whole: nodes take views of its parts, as
    absorbed attention does."""
    for name in NodeNames(known.graph, partial(_parted, operators=operators)).matching(item.glob):
        weight = name if name.endswith(".weight") else f"{name}.weight"
        raise ConfigError(
            f"{item.who}: {weight!r} is applied in parts here, and an adapter stands beside a whole matrix: choose "
            'attention="fused", or a glob without it'
        )


def _parted(node: Node, operators: Mapping[str, Operator]) -> list[str]:
    """Returns the names of a matrix that the node takes views of: of the weight and of its module."""
    operator = operators.get(node.operator)
    if operator is None or operator.view is False or not node.parameters:
        return []
    shape = node.outputs[0].spec.shape  # another than the weight's: one that is only in memory stays whole
    weights = [item for item in node.parameters if len(item.spec.shape) == 2 and not item.buffer]
    weights = [item for item in weights if item.spec.shape != shape]
    return [name for item in weights for name in (item.name, module(item))]


def _check(item: Adapters, found: Matrix, other: Adapters | None) -> None:
    """Raises ConfigError for a rank above the matrix, and for a matrix that has an adapter."""
    if other is not None:
        raise ConfigError(
            f"{item.who} matches {found.parameter.name!r}, which {brief(other.text)} has matched: a matrix has "
            "one adapter; narrow one of the globs"
        )
    if some_below(found.inside, item.rank) or some_below(found.outside, item.rank):
        raise ConfigError(
            f"{item.who}: node {found.node!r} multiplies by a matrix of {dim_text(found.inside)} in and "
            f"{dim_text(found.outside)} out, and rank {item.rank} is too high; the largest that fits is "
            f"{dim_text(minimum(found.inside, found.outside))}"
        )


def _why_none(glob: str, known: NodeNames) -> str:
    """Returns what a glob matches that is no matrix, or what it may have meant."""
    kinds = {name: node.operator for node in known.graph.walk() for name in _all_names(node)}
    strange = NodeNames(known.graph, _all_names).matching(glob)
    if not strange:
        return known.closest(glob)
    return f": {strange[0]!r} is of {kinds[strange[0]]!r}, no product with a matrix{known.closest(glob)}"


def _all_names(node: Node) -> list[str]:
    return [node.name, *(parameter.name for parameter in node.parameters)]


def matrix(node: Node, operators: Mapping[str, Operator]) -> Matrix | None:
    """Returns the matrix that a node multiplies its first operand by; None for one that does something else."""
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
    """Returns what a node that multiplies by a matrix can be asked for by: its own name, the weight's, and its
    module's."""
    found = matrix(node, operators)
    return [] if found is None else [node.name, found.parameter.name, module(found.parameter)]


def module(parameter: Parameter) -> str:
    """Returns the module that a weight belongs to: its name without `.weight`, or all of another name."""
    return parameter.name.removesuffix(".weight")


def _adapter(
    node: Node, place: Replacement, inputs: Sequence[Value | Parameter], found: Matrix, rank: int, dropout: float
) -> Any:
    """result = base(x); result + lora_B(lora_A(dropout(x))) * scaling."""
    name, x = node.name, inputs[0]
    dtype = x.spec.dtype if x.spec.dtype in FLOATING else node.outputs[0].spec.dtype

    def weight(letter: str, *shape: Dim) -> Parameter:
        return Parameter(f"{module(found.parameter)}.lora_{letter}.default.weight", TensorSpec(shape, dtype))

    base = place.keep(inputs, name=f"{name}.base_layer")
    if isinstance(x, Value):
        place.hold(x, until=name)  # an argument of the adapter's function, which names it to the end
    if dropout:
        x = place.apply("dropout", x, name=f"{name}.lora_dropout", p=dropout)
    down = place.apply("linear", x, weight("A", rank, found.inside), name=f"{name}.lora_A")
    up = place.apply("linear", down, weight("B", found.outside, rank), name=f"{name}.lora_B")
    scaled = place.apply("scale", up, name=f"{name}.lora_scale")
    return place.apply("add", base, scaled, name=f"{name}.lora_add")


def _frozen(item: Parameter) -> Parameter:
    return item if item.buffer else evolve(item, frozen=True)
