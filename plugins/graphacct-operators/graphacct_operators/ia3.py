"""(IA)³ (Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022)
as a transform of a graph.

Each adapted matrix W (out, in) gets one trained vector: of its outputs, base(x) · l, or in a feed-forward network of
its inputs, base(x · l). The order of operations is that of the peft library (`tuners/ia3/layer.py`), and so are the
vectors' names. Everything else is frozen. Modules are named as for low-rank adapters.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from graphacct import (
    FLOATING,
    ConfigError,
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
    rewrite,
)
from graphacct_operators.lora import chosen, frozen_operand, names_of
from graphacct_operators.lora_targets import ALL_LINEAR, Adapters, Matrix, matrix, module
from graphacct_operators.saved_modules import SavedModules, separate


def scaled(
    graph: Graph,
    operators: Mapping[str, Operator],
    modules: Sequence[object],
    feedforward: Sequence[object] = (),
    saved: Sequence[str] = (),
) -> Graph:
    """Returns the graph with a vector beside each matrix that `modules` name, and every other parameter frozen.

    `modules` are names as peft takes them, `all-linear`, or globs. The vector is of the inputs where a module's path
    ends with one of `feedforward`. `saved` are modules that are trained whole. Raises ConfigError, which names what is
    asked for, for a name that is no matrix's.
    """
    asked = [_asked(name) for name in separate(modules, "modules")]
    ends = separate(feedforward, "feedforward")
    if not asked:
        raise ConfigError("modules names no module")
    whole = SavedModules(graph, saved)
    known = NodeNames(graph, partial(names_of, operators=operators), [glob for item in asked for glob in item.globs])
    weights = chosen(known, asked, operators, whole)

    def replace(node: Node, place: Replacement) -> Any:
        inputs = [frozen_operand(operand, node, place, whole) for operand in place.inputs]
        found = matrix(node, operators)
        if found is None or found.parameter.name not in weights:
            return place.keep(inputs)
        return _vector(node, place, inputs, found, any(module(found.parameter).endswith(end) for end in ends))

    stated = {"ia3": ", ".join(item.text for item in asked)}
    return rewrite(known.graph, operators, replace, stated)


def _asked(name: str) -> Adapters:
    return Adapters(1, (ALL_LINEAR,) if name.lower() == ALL_LINEAR else (name,), name)


def _vector(node: Node, place: Replacement, inputs: Sequence[Value | Parameter], found: Matrix, before: bool) -> Any:
    """base(x · l) where the vector is `before` the matrix, or else base(x) · l."""
    name, x = node.name, inputs[0]
    dtype = x.spec.dtype if x.spec.dtype in FLOATING else node.outputs[0].spec.dtype
    count = found.inside if before else found.outside
    shape = (1, count) if before else (count, 1)
    vector = Parameter(f"{module(found.parameter)}.ia3_l.default", TensorSpec(shape, dtype))
    flat = place.apply("reshape", vector, name=f"{name}.ia3_flat", shape=(count,))
    times = place.apply("scale", flat, name=f"{name}.ia3_scaling")  # the product starts from 1
    if before:
        x = place.apply("mul", x, times, name=f"{name}.ia3_scaled")
        return place.keep([x, *inputs[1:]], name=f"{name}.base_layer")
    base = place.keep(inputs, name=f"{name}.base_layer")
    return place.apply("mul", base, times, name=f"{name}.ia3_scaled")


IA3 = Transform(
    "ia3",
    "A trained vector beside each matrix, which alone is trained (Liu et al., 2022).",
    scaled,
    (
        Option("modules", tuple, ..., "Beside which matrices: NAME,NAME, a glob, or all-linear."),
        Option("feedforward", tuple, (), "Those of them whose vector is of the inputs: NAME,NAME."),
        Option("saved", tuple, (), "Modules that are trained whole: NAME,NAME."),
    ),
    ensures=("adapters", "frozen base"),
)
