"""Random graphs with blocks, and random training steps of them, made to be hostile to folding.

Blocks nest three deep, carry one to three values that may change places or be handed on, see constants, stack results
up and emit them, and alternate. Parameters are one per repetition, one per outer repetition, shared by all or tied to
another, trained, frozen or buffers. All values are (batch, seq, width), so that any step may follow any other.

A graph is made of numbers that something draws: Hypothesis (`steps`), which shrinks what fails, or a seed (`seeded`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from string import ascii_lowercase
from typing import Any

import attrs
from hypothesis import strategies as st

from graphacct import Builder, Graph, Parameter, TensorSpec, Value
from graphacct.graph.graph import Block
from graphacct.graph.paths import pattern
from graphacct.hooks.manager import default

MOST_NESTED = 3
BUDGETS = (14, 14, 14, 20, 40)
"""The most repetitions of a step in nested blocks; 36 are a block of 6 in a block of 6, each of which is folded."""
PROFILES = (
    "torch-eager-cpu",
    "torch-eager-cuda",
    "torch-autocast-cpu",
    "torch-autocast-cuda",
    "torch-eager-cuda-composed-norms",
)
STEPS = (
    *["linear"] * 8,
    *("biased", "add", "mul", "double", "square", "softmax", "gelu", "relu", "norm", "layer_norm", "dropout"),
    *("heads", "split", "product", "mask", "view", "cast", "gain", "sdpa", "cached", "scaled"),
)


@attrs.frozen
class Step:
    """A training step of a random graph, or a forward pass: the options of `account` and `memory` that it runs with."""

    graph: Graph
    options: dict[str, Any]


class Choices:
    """What is chosen while a graph is made; `number(low, high)` gives each choice, the simplest first."""

    def __init__(self, number: Callable[[int, int], int]) -> None:
        self.number = number
        self.shape = (number(1, 2), number(1, 3), self.pick((1, 2, 4, 24)))  # weights larger and smaller than values
        self.names = 0
        self.weights: list[list[Parameter]] = [[]]  # for each body around the current one, the square weights so far
        self.blocks: list[tuple[int, int]] = []  # repetitions and first index of each block around the current one
        self.elsewhere: list[tuple[Parameter, list[tuple[int, int]]]] = []  # the weights of all bodies, and those

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.number(0, len(items) - 1)]

    def once_in(self, count: int) -> bool:
        return self.number(0, count - 1) == count - 1

    def name(self, kind: str) -> str:
        """A new name without a digit, so that a glob of it does not single out an index."""
        number, letters = self.names, ""
        self.names += 1
        while number >= 0:
            letters = ascii_lowercase[number % 26] + letters
            number = number // 26 - 1
        return f"{kind}_{letters}"


def _weight(c: Choices, b: Builder) -> Parameter:
    """A (width, width) parameter: of this node alone, shared with others by its name, or tied to another."""
    width = c.shape[2]
    spec = TensorSpec((width, width))
    known = [parameter for level in c.weights for parameter in level]
    alike = [weight for weight, blocks in c.elsewhere if c.blocks[: len(blocks)] == blocks]
    if alike and c.once_in(2):
        twin = c.pick(alike)
        return b.parameter(c.name("weight"), spec.shape, tied_to=twin.name) if c.once_in(3) else twin  # type: ignore[no-any-return]
    kind = c.pick(
        ("own", "own", "global", "global", "frozen", "buffer", *(("again", "equal", "tied") if known else ()))
    )
    if kind == "again":
        return c.pick(known)
    if kind == "equal":
        return attrs.evolve(c.pick(known))
    if kind == "global":
        parameter = Parameter(f"shared_{c.pick('abc')}.weight", spec)
        c.weights[0].append(parameter)
        return parameter
    name = c.name("weight")
    if kind == "tied":
        return b.parameter(name, spec.shape, tied_to=c.pick(known).name)
    parameter = b.parameter(name, spec.shape, frozen=kind == "frozen", buffer=kind == "buffer")
    if kind == "own":
        c.weights[-1].append(parameter)
        if c.blocks:
            c.elsewhere.append((parameter, list(c.blocks)))
    return parameter


def _step(c: Choices, b: Builder, x: Value, y: Value) -> Value:
    """One to four nodes that make a value of the same shape, contiguous in memory."""
    batch, seq, width = c.shape
    kind = c.pick(STEPS)

    def apply(operator: str, *operands: Any, **attributes: Any) -> Any:
        return b.apply(operator, *operands, name=c.name(operator), **attributes)

    if kind == "linear":
        return apply("linear", x, _weight(c, b))
    if kind == "biased":
        return apply("linear_in_out", x, _weight(c, b), b.parameter(c.name("bias"), (width,)))
    if kind in ("add", "mul"):
        return apply(kind, x, y)
    if kind == "double":
        return apply("add", x, x)
    if kind == "square":
        return apply("mul", x, x)
    if kind in ("softmax", "gelu", "relu"):
        return apply(kind, x)
    if kind == "scaled":
        return apply("scale", x)
    if kind == "norm":
        return apply("rms_norm", x, b.parameter(c.name("gain"), (width,)))
    if kind == "layer_norm":
        gain = c.pick(("own", "global"))
        weight = (
            Parameter("shared_gain", TensorSpec((width,)))
            if gain == "global"
            else b.parameter(c.name("gain"), (width,))
        )
        return apply("layer_norm", x, weight, b.parameter(c.name("bias"), (width,)))
    if kind == "gain":  # a parameter that a broadcast reads
        return apply("mul", x, b.parameter(c.name("scale"), (width,)))
    if kind == "dropout":
        return apply("dropout", x, p=0.1)
    if kind == "heads":  # a view, and a copy out of it
        turned = apply("transpose", x, dims=(0, 1))
        return apply("add", y, apply("reshape", turned, shape=(batch, seq, width)))
    if kind == "split":
        parts = apply("split", apply("concat", x, y), parts=2)
        return apply("mul", *parts)
    if kind == "product":
        return apply("matmul", apply("matmul", x, apply("transpose", y, dims=(-2, -1))), y)
    if kind == "view":
        return apply("reshape", x, shape=(batch, seq, width))
    if kind == "cast":
        return apply("cast", apply("cast", x, dtype="bfloat16"), dtype="float32")
    if kind == "sdpa":
        q, k, v = (apply("reshape", item, shape=(batch, 1, seq, width)) for item in (x, y, x))
        return apply("reshape", apply("scaled_dot_product_attention", q, k, v), shape=(batch, seq, width))
    if kind == "cached":
        return apply("add", x, apply("kv_cache", shape=(batch, seq, width)))
    return apply("masked_fill", x, apply("constant", shape=(seq, 1), dtype="bool"))


def _body(c: Choices, b: Builder, values: Sequence[Value], depth: int, budget: int) -> list[Value]:
    """Some steps and blocks; the values that can be used after them, each contiguous."""
    known = list(values)
    for _ in range(c.pick((1, 1, 2, 2, 3, 4))):
        x, y = c.pick(known), c.pick(known)
        if depth < MOST_NESTED and budget > 1 and c.once_in(3 if depth == 0 else 4):
            known.extend(_block(c, b, known, depth, budget))
        else:
            known.append(_step(c, b, x, y))
        if c.once_in(8):
            b.hold(known[-1])
    return known


def _block(c: Choices, b: Builder, known: Sequence[Value], depth: int, budget: int) -> list[Value]:
    """A block over some of the known values; what it carries out, and what is made of what it stacked up."""
    name = c.name("block")
    carry = [c.pick(known) for _ in range(c.pick((1, 1, 1, 2, 3)))]
    constants = [c.pick(known) for _ in range(c.number(0, 2))]
    stacked, emits = c.pick((0, 0, 1, 2)), c.once_in(6)
    turned = c.once_in(4)  # whether a view is among the constants, which a reshape in the body copies
    if turned:
        constants.append(b.apply("transpose", c.pick(known), name=c.name("turned"), dims=(0, 1)))
    times = min(c.pick((1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16)), budget)
    kinds = c.pick((1, 1, 2, 3)) if not stacked and not emits else 1
    start = c.pick((0, 0, 0, 1, 3))
    around = len(c.blocks)
    twins = [at[around] for _, at in c.elsewhere if len(at) > around and at[:around] == c.blocks]
    if twins and c.once_in(2):  # a second block for the weights of another
        (times, start), kinds = c.pick(twins), 1

    def body(inner: Builder, *inside: Value) -> list[Value]:
        c.weights.append([])
        c.blocks.append((times, start if kinds == 1 else 0))
        with inner.scope(c.pick(("", "part"))):
            if turned:
                copy = inner.apply("reshape", inside[-1], name=c.name("copy"), shape=c.shape)
                inside = (*inside[:-1], inner.apply("add", inside[0], copy, name=c.name("add")))
            values = _body(c, inner, inside, depth + 1, budget // (times * kinds))
        c.weights.pop()
        c.blocks.pop()
        if emits:
            inner.emit(c.pick(values))
        return [c.pick(values[len(values) // 2 :] if c.once_in(2) else values) for _ in range(len(carry) + stacked)]

    scope = c.pick(("", "enc", "dec", "stages.0", "stages.1"))
    with b.scope(scope):
        result = b.repeat(
            name,
            times,
            [body] * kinds if kinds > 1 else body,
            *carry,
            constants=constants,
            start=start,
        )
        results = (result,) if isinstance(result, Value) else result
        out = list(results[: len(carry)])
        for stack in results[len(carry) :]:  # (repeat, batch, seq, width)
            for _ in range(c.pick((1, 1, 2, 0))):
                out.append(_unstacked(c, b, stack))
    return out


def _unstacked(c: Choices, b: Builder, stack: Value) -> Value:
    """A value that is made of all that a block stacked up, or of the first."""
    kind = c.pick(("first", "gelu", "sum", "double"))
    if kind == "gelu":
        stack = b.apply("gelu", stack, name=c.name("act"))
    if kind == "double":
        stack = b.apply("add", stack, stack, name=c.name("add"))
    if kind == "sum":
        return b.apply("sum", stack, name=c.name("sum"), dim=0)  # type: ignore[no-any-return]
    first = b.apply("select", stack, name=c.name("select"), dim=0)
    return b.apply("contiguous", b.apply("gelu", first, name=c.name("gelu")), name=c.name("copy"))  # type: ignore[no-any-return]


def _graph(c: Choices) -> Graph:
    b = Builder("random", default().operators, workload={"phase": "train"})
    inputs = [b.input(f"input_{letter}", c.shape) for letter in "ab"[: c.number(1, 2)]]
    if c.once_in(2):  # what enters blocks needs a gradient
        inputs.append(
            b.apply("linear", inputs[-1], b.parameter("embed.weight", (c.shape[2], c.shape[2])), name="embed")
        )
    budget = c.pick(BUDGETS)
    values = _body(c, b, inputs, 0, budget)
    if not any(isinstance(node, Block) for node in b._nodes):
        values += _block(c, b, values, 0, budget)
    kind = c.pick(("last", "loss", "some"))
    if kind == "loss":
        return b.graph(b.apply("sum", values[-1], name="loss"))
    return b.graph(*(values[-2:] if kind == "last" else dict.fromkeys(c.pick(values) for _ in range(c.number(1, 3)))))


def _globs(c: Choices, names: Sequence[str]) -> str:
    """A glob that matches some of these names, in a folded graph as in it written out."""
    parts = c.pick(names).split(".")
    kind = c.pick(("whole", "end", "begin", "kind"))
    if kind == "end" and len(parts) > 1:
        return "*." + parts[-1]
    if kind == "begin":
        keep = c.number(1, len(parts))
        return ".".join(parts[:keep]) + (".*" if keep < len(parts) else "")
    if kind == "kind":
        return "*" + parts[-1].partition("_")[0] + "*"
    return ".".join(parts)


def _step_of(c: Choices) -> Step:
    graph = _graph(c)
    options: dict[str, Any] = {"profile": c.pick(PROFILES)}
    nodes = list(dict.fromkeys(pattern(node.name) for node in graph.walk()))
    tensors = list(dict.fromkeys(pattern(p.name) for node in graph.walk() for p in node.parameters if p.trainable))
    if tensors and c.once_in(3):
        options["freeze"] = [_globs(c, tensors) for _ in range(c.number(1, 2))]
    kind = c.pick(("none", "none", "full", "glob", "glob", "op-selective"))
    if kind == "op-selective" and any("attention" in node.operator for node in graph.walk()):
        kind = c.pick(("selective", kind))
    layered = any("." in node and any(part == "*" or part.isdigit() for part in node.split(".")) for node in nodes)
    if kind == "glob":
        options["recompute"] = _globs(c, nodes)
    elif kind in ("none", "selective") or layered:
        options["recompute"] = kind
    if c.once_in(10):
        return Step(attrs.evolve(graph, workload={"phase": "forward"}), {"profile": options["profile"]})
    return Step(graph, options)


@st.composite
def steps(draw: Callable[..., Any]) -> Step:
    """Random steps that Hypothesis shrinks."""
    return _step_of(Choices(lambda low, high: draw(st.integers(low, high))))


def seeded(seed: int) -> Step:
    """The random step of a seed."""
    return _step_of(Choices(Random(seed).randint))
