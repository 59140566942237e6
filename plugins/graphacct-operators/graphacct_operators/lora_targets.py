"""Which matrices adapters stand beside: globs, or the names of modules as the peft library reads them.

peft's `target_modules` is a list of names. Each stands for the modules of that name, and for those whose path ends with
it: `q_proj` is `model.layers.0.self_attn.q_proj`, and not `my_q_proj`. `all-linear` stands for every linear layer but
the output embedding (peft, `tuners/tuners_utils.py`, check_target_module_exists and _maybe_include_all_linear_layers).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphacct import ConfigError, Dim, Graph, Node, Operator, Parameter, Value, brief, has_value, same

FORM = "RANK:GLOB, such as 8:*.attn.c_attn, 16:q_proj,v_proj or 16:all-linear"
ALL_LINEAR = "all-linear"
WILD = frozenset("*?[")
EMBEDDING = "embedding"
CHOICE = "topk"
"""The operator that takes the scores of experts, which a router computes."""


class Adapters(NamedTuple):
    """What one `RANK:GLOB` asks for."""

    rank: int
    modules: tuple[str, ...]
    text: str

    @property
    def who(self) -> str:
        """How messages call it."""
        return asked(self.text)

    @property
    def all_linear(self) -> bool:
        """Whether it asks for every linear layer."""
        return self.modules == (ALL_LINEAR,)

    @property
    def globs(self) -> list[str]:
        """The globs of what it asks for; none for every linear layer."""
        if self.all_linear:
            return []
        return [glob for name in self.modules for glob in globs_of(name)]


class Matrix(NamedTuple):
    """A weight that an adapter can stand beside.

    Attributes:
        parameter: The weight.
        node: The first node that multiplies by it.
        inside: The size of the dimension that is contracted.
        outside: The size of the one that is not.
        turned: Whether the dimension that is contracted is the first.
    """

    parameter: Parameter
    node: str
    inside: Dim
    outside: Dim
    turned: bool


def is_glob(name: str) -> bool:
    """Returns whether a name is a glob, which has to match all of a path."""
    return not WILD.isdisjoint(name)


def globs_of(name: str) -> list[str]:
    """Returns the globs that stand for a name: itself, and for a bare name every path that ends with it."""
    return [name] if is_glob(name) else [name, f"*.{name}"]


def parse(text: object) -> Adapters:
    """Returns the rank and the modules that `RANK:GLOB` writes; ConfigError says what is wrong with it."""
    if not isinstance(text, str):
        raise ConfigError(f"{asked(text)} is no text of the form {FORM}")
    rank, colon, names = (part.strip() for part in text.partition(":"))
    modules = tuple(name.strip() for name in ([names] if "[" in names else names.split(",")))
    if not colon or not rank or not all(modules):
        raise ConfigError(f"{asked(text)} is not of the form {FORM}")
    if not (rank.isascii() and rank.isdecimal() and len(rank) < 19 and int(rank)):
        turned = f"; did you mean {brief(f'{names}:{rank}')}?" if names.isdecimal() else ""
        raise ConfigError(f"{asked(text)}: the rank is a positive integer, not {brief(rank)}{turned}")
    if len(modules) > 1 and ALL_LINEAR in map(str.lower, modules):
        raise ConfigError(f"{asked(text)}: {ALL_LINEAR} is every linear layer, so that no other name goes with it")
    return Adapters(int(rank), (ALL_LINEAR,) if names.lower() == ALL_LINEAR else modules, text)


def asked(text: object) -> str:
    """Returns how messages call what was asked for."""
    return f"adapters {brief(text)}"


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
    return Matrix(parameter, node.name, parameter.spec.shape[inside], parameter.spec.shape[outside], inside == 0)


def module(parameter: Parameter) -> str:
    """Returns the module that a weight belongs to: its name without `.weight`, or all of another name."""
    return parameter.name.removesuffix(".weight")


def linear_layers(graph: Graph, operators: Mapping[str, Operator]) -> list[str]:
    """Returns the weights of every linear layer but the output embedding, by the parameters' names.

    The output embedding gives one number for each row of the largest table that the graph's inputs are looked up in. A
    router, whose scores choose experts, is no linear layer: the library's has a bare parameter, as the experts have,
    and peft leaves both.
    """
    found = {node.name: known for node in graph.walk() if (known := matrix(node, operators)) is not None}
    asked = {value.name for value in graph.inputs}
    rows = [
        operand.spec.shape[0]
        for node in graph.walk()
        if node.operator == EMBEDDING and any(value.name in asked for value in node.values)
        for operand in node.parameters
    ]
    routers = _routers(graph, found)
    left = [
        known.parameter.name
        for node, known in found.items()
        if node not in routers and not _is_vocabulary(known.outside, rows)
    ]
    return list(dict.fromkeys(left))


def _is_vocabulary(size: Dim, rows: Sequence[Dim]) -> bool:
    """Returns whether a size is that of the largest table. A symbol is, if it is the size of any."""
    if has_value(size):
        return size == max([row for row in rows if type(row) is int], default=None)
    return any(same(size, row) for row in rows)


def _routers(graph: Graph, matrices: Mapping[str, Matrix]) -> set[str]:
    """Returns the names of the matrices' nodes whose output reaches the choice of experts before another matrix."""
    makers = {value.name: node for node in graph.walk() for value in node.outputs}
    routers: set[str] = set()
    waiting = [node for node in graph.walk() if node.operator == CHOICE]
    seen = set()
    while waiting:
        node = waiting.pop()
        for value in node.values:
            maker = makers.get(value.name)
            if maker is None or maker.name in seen:
                continue
            seen.add(maker.name)
            if maker.name in matrices:
                routers.add(maker.name)
            else:
                waiting.append(maker)
    return routers


def of_other_kind(names: Iterable[str], graph: Graph, operators: Mapping[str, Operator]) -> str:
    """Returns the first module of bare names that peft would adapt too and that has no matrix: an embedding, a
    convolution; empty if there is none."""
    bare = [name for name in names if not is_glob(name)]
    for node in graph.walk() if bare else ():
        if matrix(node, operators) is not None:
            continue
        for parameter in node.parameters:
            path = module(parameter)
            if path == parameter.name or parameter.buffer or len(parameter.spec.shape) < 2:
                continue  # not a module's weight, or that of a norm
            if any(path == name or path.endswith(f".{name}") for name in bare):
                return f"{path!r}, which is of {node.operator!r}"
    return ""
