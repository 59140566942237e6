"""Low-rank adapters (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021) as a transform of a graph.

Each adapted matrix W (out, in) gets two adapters, A (rank, in) and B (out, rank): base(x) + B(A(x)) · scaling. The
order of operations is that of the peft library, and so are the new parameters' names; its module around the base,
`base_layer`, is in the names of nodes and not in those of the base's own parameters. Everything but the adapters is
frozen. Which matrices are adapted is in `lora_targets.py`.

A matrix is recognised by its operator's signature: the operator contracts two operands, one of them a parameter with
two dimensions, one of which ends the other operand and one the output.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

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
    suggest,
)
from graphacct_operators.dora import Sides
from graphacct_operators.dora import dora as adapted_by_length
from graphacct_operators.lora_targets import (
    Adapters,
    Matrix,
    globs_of,
    is_glob,
    linear_layers,
    matrix,
    module,
    of_other_kind,
    parse,
)
from graphacct_operators.saved_modules import SavedModules


def adapted(
    graph: Graph,
    operators: Mapping[str, Operator],
    adapters: Sequence[object],
    dropout: float,
    dora: bool = False,
    saved: Sequence[str] = (),
) -> Graph:
    """Returns the graph with adapters beside the matrices that `adapters` name, and every other parameter frozen.

    Each of the `adapters` is `RANK:GLOB`: names of modules as peft takes them (`q_proj`, or several with commas),
    `all-linear`, or a glob, which is matched against nodes and their weights. One that names single layers writes the
    blocks out. `dropout` is that of the adapters' input, in a training step. `dora` says that the adapters are DoRA's;
    `saved` are modules that are trained whole.
    Raises ConfigError, which names what is asked for and the way out, for an item that cannot be read, a rank above
    the matrix, modules that are no matrix, and a matrix that is matched twice.
    """
    asked = [parse(text) for text in adapters]
    if "lora" in graph.workload:
        raise ConfigError(f"{graph.name!r} has adapters already: {graph.workload['lora']}")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout is a probability from 0 up to (not including) 1, not {brief(dropout)}")
    if dropout and graph.workload.get("phase") != "train":
        raise ConfigError('dropout matters in training alone: add phase="train"')
    whole = SavedModules(graph, saved)
    known = NodeNames(graph, partial(names_of, operators=operators), [glob for item in asked for glob in item.globs])
    ranks = chosen(known, asked, operators, whole)
    stated: dict[str, Any] = {"lora": ", ".join(item.text for item in asked)}
    if dropout:
        stated["lora_dropout"] = dropout
    if dora:
        stated["dora"] = True
    if saved:
        stated["saved"] = ", ".join(map(str, saved))

    def replace(node: Node, place: Replacement) -> Any:
        inputs = [frozen_operand(operand, node, place, whole) for operand in place.inputs]
        found = matrix(node, operators)
        if found is None or found.parameter.name not in ranks:
            return place.keep(inputs)
        return _adapter(node, place, inputs, found, ranks[found.parameter.name], dropout, dora)

    return rewrite(known.graph, operators, replace, stated)


LORA = Transform(
    "lora",
    "Low-rank adapters beside matrices, which alone are trained (Hu et al., 2021).",
    adapted,
    (
        Option(
            "adapters",
            tuple,
            ...,
            "RANK:GLOB: the rank, and beside which matrices; or RANK:NAME,NAME or RANK:all-linear.",
        ),
        Option("dropout", float, 0.0, "In training, the dropout in front of the adapters."),
        Option("dora", bool, False, "Whether each has a trained length for every output (Liu et al., 2024)."),
        Option("saved", tuple, (), "Modules that are trained whole: NAME,NAME."),
    ),
    ensures=("adapters", "frozen base"),
)


def chosen(
    known: NodeNames, asked: Iterable[Adapters], operators: Mapping[str, Operator], whole: SavedModules
) -> dict[str, int]:
    """Returns the rank for each matrix, by the name of its parameter; none for one of a module that is trained whole.
    Raises ConfigError for what is asked for and is no matrix, and for a matrix that is asked for twice."""
    matrices: dict[str, Matrix] = {}
    called: dict[str, set[str]] = {}
    for node in known.graph.walk():
        found = matrix(node, operators)
        if found is not None:
            matrices.setdefault(found.parameter.name, found)
            for name in names_of(node, operators):
                called.setdefault(name, set()).add(found.parameter.name)
    taken: dict[str, Adapters] = {}
    for item in asked:
        _check_whole(item, known, operators)
        for weight in _matched(item, known, called, operators):
            if weight not in whole.copies:
                _check(item, matrices[weight], taken.get(weight))
                taken[weight] = item
    return {weight: item.rank for weight, item in taken.items()}


def _matched(
    item: Adapters, known: NodeNames, called: Mapping[str, set[str]], operators: Mapping[str, Operator]
) -> list[str]:
    """Returns the weights that an item asks for, by the parameters' names; `called` has those of each name.

    Raises ConfigError for a name that matches none, or another kind of module too, which peft would adapt.
    """
    if item.all_linear:
        layers = linear_layers(known.graph, operators)
        if not layers:
            raise ConfigError(f"{item.who} matches no weight matrix: {known.graph.name!r} has no linear layer")
        return layers
    found: dict[str, None] = {}
    for name in item.modules:
        globs = globs_of(name)
        here = [weight for glob in globs for match in known.matching(glob) for weight in sorted(called[match])]
        if not here:
            what = "" if len(item.modules) == 1 else f": {name!r}"
            raise ConfigError(f"{item.who} matches no weight matrix{what}{_why_none(name, globs, known, called)}")
        found |= dict.fromkeys(here)
    other = of_other_kind(item.modules, known.graph, operators)
    if other:
        raise ConfigError(
            f"{item.who} matches {other} too: adapters are for matrices of products; write more of the path, or a glob"
        )
    return list(found)


def _check_whole(item: Adapters, known: NodeNames, operators: Mapping[str, Operator]) -> None:
    """Raises ConfigError if the glob matches a matrix that no product takes whole: nodes take views of its parts, as
    absorbed attention does."""
    parted = NodeNames(known.graph, partial(_parted, operators=operators))
    for name in [name for glob in (["*"] if item.all_linear else item.globs) for name in parted.matching(glob)]:
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
    """Raises ConfigError for a matrix that has an adapter, and for a rank above a matrix that was named.

    Among all linear layers a gate of one output gets the rank that was asked for, as in peft.
    """
    if other is not None:
        raise ConfigError(
            f"{item.who} matches {found.parameter.name!r}, which {brief(other.text)} has matched: a matrix has "
            "one adapter; narrow one of the globs"
        )
    if not item.all_linear and (some_below(found.inside, item.rank) or some_below(found.outside, item.rank)):
        raise ConfigError(
            f"{item.who}: node {found.node!r} multiplies by a matrix of {dim_text(found.inside)} in and "
            f"{dim_text(found.outside)} out, and rank {item.rank} is too high; the largest that fits is "
            f"{dim_text(minimum(found.inside, found.outside))}"
        )


def _why_none(asked: str, globs: Iterable[str], known: NodeNames, called: Iterable[str]) -> str:
    """Returns what a name or a glob matches that is no matrix, or what it may have meant."""
    kinds = {name: node.operator for node in known.graph.walk() for name in _all_names(node)}
    names = NodeNames(known.graph, _all_names)
    strange = [name for glob in globs for name in names.matching(glob)]
    close = known.closest(asked) if is_glob(asked) else suggest(asked, _ends(asked, called))
    modules = _modules(asked, called)
    if modules and not close.endswith(f"{modules}'?"):
        close = f"; did you mean {modules!r}?"
    if not strange:
        return close
    return f": {strange[0]!r} is of {kinds[strange[0]]!r}, no product with a matrix{close}"


def _ends(name: str, paths: Iterable[str]) -> set[str]:
    """Returns the ends of paths of modules, as many words as the name has."""
    words = name.count(".") + 1
    return {".".join(path.split(".")[-words:]) for path in paths if not path.endswith(".weight")}


def _modules(asked: str, paths: Iterable[str]) -> str:
    """Returns the modules that a text names in another form, with commas between: peft's expression
    `.*(q_proj|v_proj)`, or a path that is not the graph's. Returns an empty text if it names none, or a single
    layer's."""
    if re.search(r"(?<!\w)\d+(?!\w)", asked):
        return ""
    known = _ends("", paths)
    return ",".join(dict.fromkeys(word for word in re.findall(r"\w+", asked) if word in known))


def _all_names(node: Node) -> list[str]:
    return [node.name, *(parameter.name for parameter in node.parameters)]


def names_of(node: Node, operators: Mapping[str, Operator]) -> list[str]:
    """Returns what a node that multiplies by a matrix can be asked for by: its own name, the weight's, and its
    module's."""
    found = matrix(node, operators)
    return [] if found is None else [node.name, found.parameter.name, module(found.parameter)]


def _adapter(
    node: Node,
    place: Replacement,
    inputs: Sequence[Value | Parameter],
    found: Matrix,
    rank: int,
    dropout: float,
    dora: bool,
) -> Any:
    """result = base(x); result + lora_B(lora_A(dropout(x))) * scaling, or as DoRA has it."""
    name, x = node.name, inputs[0]
    dtype = x.spec.dtype if x.spec.dtype in FLOATING else node.outputs[0].spec.dtype

    def weight(letter: str, *shape: Dim) -> Parameter:
        return Parameter(f"{module(found.parameter)}.lora_{letter}.default.weight", TensorSpec(shape, dtype))

    base = place.keep(inputs, name=f"{name}.base_layer")
    if found.parameter.stored is not None and found.parameter.stored.format.direct_rows is not None:
        base = place.apply("clone", base, name=f"{name}.lora_base")  # peft copies the result of a 4-bit layer
    if isinstance(x, Value):
        place.hold(x, until=name)  # an argument of the adapter's function, which names it to the end
    if dropout:
        x = place.apply("dropout", x, name=f"{name}.lora_dropout", p=dropout)
    matrices = weight("A", rank, found.inside), weight("B", found.outside, rank)
    if dora:
        own = inputs[1]
        assert isinstance(own, Parameter)
        if own.stored is not None:
            raise ConfigError(
                f"dora computes with all of {own.name!r}, which is stored as {own.stored.format.name!r}: choose plain "
                "adapters, or weights in the dtype of the computation"
            )
        bias = inputs[2] if len(inputs) > 2 else None
        sides = Sides(own, bias, found.inside, found.outside, found.turned, *matrices, module(found.parameter))
        return adapted_by_length(place, name, base, x, dropout > 0, sides)
    down = place.apply("linear", x, matrices[0], name=f"{name}.lora_A")
    up = place.apply("linear", down, matrices[1], name=f"{name}.lora_B")
    scaled = place.apply("scale", up, name=f"{name}.lora_scale")
    return place.apply("add", base, scaled, name=f"{name}.lora_add")


def frozen_operand(item: Value | Parameter, node: Node, place: Replacement, whole: SavedModules) -> Value | Parameter:
    """Returns an operand of a node with its parameter frozen, or its copy if its module is trained whole."""
    if isinstance(item, Value) or item.buffer:
        return item
    copied = whole.copy(item, node.name, place)
    if copied is not None:
        return copied
    return Parameter(item.name, item.spec, item.tied_to, item.buffer, True, item.joined, item.stored, item.chosen)
