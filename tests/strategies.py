"""Hypothesis strategies: random graphs with blocks, and what each of them is made of.

A graph carries one kind of value, (batch, seq, width), so that any operator below may follow any other. Blocks nest,
carry one to three values, see constants and stack results up; parameters are one per repetition, one per outer
repetition, shared by all (no `*` in the name) or tied to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from graphacct import Builder, Graph, Parameter, TensorSpec, Value
from graphacct.hooks.manager import default

MOST_NESTED = 3
MOST_TIMES = 81
"""How often a node of the graph written out is there at most: two blocks of 9 repetitions in each other show what three
do, which are nine times as much work."""
STEPS = (*["linear"] * 5, "biased", "add", "mul", "softmax", "gelu", "norm", "heads", "split", "product", "mask")


integers = cache(st.integers)
"""A strategy that is made once is checked once: a random graph makes a hundred choices, among few numbers of things."""


class _Random:
    """The choices of one random graph, and the names of the parameters that it has so far."""

    def __init__(self, draw: Callable[..., Any], shape: tuple[int, int, int], repeats: int) -> None:
        self.draw, self.shape, self.made, self.repeats = draw, shape, 0, repeats
        self.times = 1  # those of the blocks around the current one
        self.weights: list[list[Parameter]] = [[]]  # for each body around the current one, the square weights so far

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.draw(integers(0, len(items) - 1))]

    def number(self, low: int, high: int) -> int:
        return self.draw(integers(low, high))


def _weight(random: _Random, b: Builder) -> Parameter:
    """A (width, width) parameter: of this node alone, shared with others by its name, or tied to another."""
    width = random.shape[2]
    spec = TensorSpec((width, width))
    known = [parameter for level in random.weights for parameter in level]
    kind = random.pick(("own", "global", "again", "equal", "tied") if known else ("own", "global"))
    if kind == "again":
        return random.pick(known)
    if kind == "equal":
        return Parameter(random.pick(known).name, spec)
    if kind == "global":
        parameter = Parameter(f"shared_{random.number(0, 2)}.weight", spec)
        random.weights[0].append(parameter)
        return parameter
    random.made += 1
    name = f"weight_{random.made}"
    if kind == "tied":
        return b.parameter(name, spec.shape, tied_to=random.pick(known).name)
    parameter = b.parameter(name, spec.shape)
    random.weights[-1].append(parameter)
    return parameter


def _step(random: _Random, b: Builder, x: Value, y: Value) -> Value:
    """One to three nodes that make a value of the same shape, contiguous in memory."""
    batch, seq, width = random.shape
    kind = random.pick(STEPS)
    if kind == "linear":
        return b.apply("linear", x, _weight(random, b))
    if kind == "biased":
        return b.apply("linear_in_out", x, _weight(random, b), b.parameter(f"bias_{random.number(0, 9)}", (width,)))
    if kind in ("add", "mul"):
        return b.apply(kind, x, y)
    if kind in ("softmax", "gelu"):
        return b.apply(kind, x)
    if kind == "norm":
        return b.apply("rms_norm", x, b.parameter(f"gain_{random.number(0, 9)}", (width,)))
    if kind == "heads":  # a view, and a copy out of it
        turned = b.apply("transpose", x, dims=(0, 1))
        return b.apply("add", y, b.apply("reshape", turned, shape=(batch, seq, width)))
    if kind == "split":
        parts = b.apply("split", b.apply("concat", x, y), parts=2)
        return b.apply("mul", *parts)
    if kind == "product":
        return b.apply("matmul", b.apply("matmul", x, b.apply("transpose", y, dims=(-2, -1))), y)
    return b.apply("masked_fill", x, b.apply("constant", shape=(seq, 1), dtype="bool"))


def _body(random: _Random, b: Builder, values: Sequence[Value], depth: int) -> list[Value]:
    """Some steps and blocks; the values that can be used after them, each contiguous."""
    known = list(values)
    for index in range(random.number(2, 5)):
        x, y = random.pick(known), random.pick(known)
        if depth < MOST_NESTED and random.number(0, 3) == 0:
            known.extend(_block(random, b, f"block_{index}", known, depth))
        else:
            known.append(_step(random, b, x, y))
    return known


def _block(random: _Random, b: Builder, name: str, known: Sequence[Value], depth: int) -> list[Value]:
    """A block over some of the known values; what it carries out, and a sum over what it stacked up."""
    carry = [random.pick(known) for _ in range(random.number(1, 3))]
    constants = [random.pick(known) for _ in range(random.number(0, 2))]
    stacked = random.number(0, 2)
    turned = random.number(0, 1)  # whether a view is among the constants, which a reshape in the body copies
    if turned:
        constants.append(b.apply("transpose", random.pick(known), dims=(0, 1)))

    def body(inner: Builder, *inside: Value) -> list[Value]:
        random.weights.append([])
        if turned:
            copy = inner.apply("reshape", inside[-1], shape=random.shape)
            inside = (*inside[:-1], inner.apply("add", inside[0], copy))
        values = _body(random, inner, inside, depth + 1)
        random.weights.pop()
        return [random.pick(values) for _ in range(len(carry) + stacked)]

    with b.scope(random.pick(("enc", "dec"))):
        alternating = [body] * random.number(1, 2) if not stacked else body
        start = random.number(0, 2) + 10 * len(b._nodes)  # where the name is taken, layers of other indices
        times = random.number(1, min(random.repeats, MOST_TIMES // random.times))
        random.times *= times
        result = b.repeat(name, times, alternating, *carry, constants=constants, start=start)
        random.times //= times
        results = (result,) if isinstance(result, Value) else result
        out = list(results[: len(carry)])
        for stack in results[len(carry) :]:  # (repeat, batch, seq, width): each use of one broadcasts back
            first = b.apply("select", stack, dim=0)
            out.append(b.apply("contiguous", b.apply("gelu", first)))
    return out


@st.composite
def graphs(draw: Callable[..., Any], repeats: int = 3) -> Graph:
    """A random graph of the operators that every model needs; from 6 `repeats` on some of a block's repetitions are
    written out in a schedule as one."""
    random = _Random(draw, (draw(integers(1, 3)), draw(integers(1, 4)), draw(integers(1, 4))), repeats)
    b = Builder("random", default().operators)
    inputs = [b.input(f"input_{index}", random.shape) for index in range(random.number(1, 2))]
    return b.graph(*_body(random, b, inputs, 0)[-2:])


@st.composite
def dags(draw: Callable[..., Any]) -> Graph:
    """A random DAG of element-wise operators, products, views and copies on (4, 6) tensors, some of them outputs."""
    b = Builder("random", default().operators)
    values = [b.input("x", (4, 6))]
    for index in range(draw(integers(1, 12))):
        kinds = ["relu", "gelu", "mul", "add", "reshape", "contiguous", "linear", "softmax", "kv_cache"]
        kind = kinds[draw(integers(0, len(kinds) - 1))]
        x, y = (values[draw(integers(0, len(values) - 1))] for _ in "xy")
        name = f"n{index}"
        if kind in ("mul", "add"):
            value = b.apply(kind, x, y, name=name)
        elif kind == "linear":
            value = b.apply(kind, x, b.parameter(f"{name}.weight", (6, 6)), name=name)
        elif kind == "reshape":
            value = b.apply(kind, x, name=name, shape=(4, 6))
        elif kind == "kv_cache":
            value = b.apply(kind, name=name, shape=(4, 6))
        else:
            value = b.apply(kind, x, name=name)
        values.append(value)
    outputs = draw(st.lists(st.sampled_from(values[1:]), min_size=1, max_size=2, unique_by=lambda v: v.name))
    return b.graph(*outputs)


def sizes(low: int = 2, high: int = 64) -> st.SearchStrategy[int]:
    """A dimension. From 2: a symbol or a sweep stands for sizes above 1 (a size of 1 broadcasts, and has any stride,
    so that a reshape that copies in general is a view there)."""
    return st.integers(low, high)
