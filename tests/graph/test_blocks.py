"""Blocks as a builder makes them: their names, what they carry, stack and emit, and the bodies that it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import graphacct
from graphacct import Block, Builder, ConfigError, GraphError, TensorSpec, Value
from graphacct.errors import UnknownNameError
from graphacct.hooks.manager import default


@pytest.fixture
def b() -> Builder:
    return Builder("model", default().operators)


def test_a_block(b: Builder) -> None:
    """`repeat` makes a Block named `name.*` whose body's names have a `*`, and gives what comes out last."""
    x = b.input("x", (2, 4))

    def layer(inner: Builder, x: Value) -> Value:
        return inner.apply("linear", x, inner.parameter("fc.weight", (4, 4)), name="fc")

    with b.scope("model"):
        y = b.repeat("h", 12, layer, x)
    [block] = b.graph(y).nodes
    assert isinstance(block, Block)
    assert (block.name, block.repeat, block.carry, block.constants, block.start) == ("model.h.*", 12, (x,), (), 0)
    [node] = block.body.walk()
    assert (node.name, node.parameters[0].name) == ("model.h.*.fc", "model.h.*.fc.weight")
    assert (y.name, y.spec) == ("model.h.*", x.spec)


def test_a_block_stacks_what_its_body_returns_beside_the_carry(b: Builder) -> None:
    """Values after the carried ones come out with a leading dimension of the repeat."""
    x, mask = b.input("x", (2, 4)), b.input("mask", (4,))

    def layer(inner: Builder, x: Value, mask: Value) -> tuple[Value, Value]:
        y = inner.apply("mul", x, mask)
        return y, inner.apply("relu", y)

    y, stacked = b.repeat("h", 3, layer, x, constants=(mask,))
    assert (y.name, y.spec.shape) == ("h.*:0", (2, 4))
    assert (stacked.name, stacked.spec.shape) == ("h.*:1", (3, 2, 4))


def test_what_is_emitted_leaves_the_graph_from_any_depth(b: Builder) -> None:
    """Behind the outputs, a dimension more for each block around it; the block's own results are what they were."""

    def inner(b: Builder, x: Value) -> Value:
        with b.scope("attn"):
            b.emit(b.apply("relu", x, name="k"))
        return b.apply("gelu", x)

    def outer(b: Builder, x: Value) -> Value:
        b.emit(x)
        result = b.repeat("layers", 3, inner, x)
        assert isinstance(result, Value)
        return result

    y = b.repeat("stages", 2, outer, b.input("x", (5, 4)))
    graph = b.graph(y)
    assert graph.outputs[0] == y
    assert [value.spec.shape for value in graph.outputs] == [(5, 4), (2, 5, 4), (2, 3, 5, 4)]
    assert [value.spec.shape for value in graph.unroll().outputs] == [(5, 4), (2, 5, 4), (2, 3, 5, 4)]


def test_a_foreign_value_cannot_be_emitted(b: Builder) -> None:
    """As an output that nothing has made."""
    x = b.input("x", (2,))
    b.emit(Value("elsewhere", TensorSpec((2,))))
    with pytest.raises(GraphError, match="the outputs of 'model': takes 'elsewhere', which nothing before it produces"):
        b.graph(x)


def test_blocks_nest(b: Builder) -> None:
    """A block inside a block has a `*` for each."""

    def inner_layer(inner: Builder, x: Value) -> Value:
        return inner.apply("relu", x, name="act")

    def outer_layer(inner: Builder, x: Value) -> Value:
        return inner.repeat("expert", 2, inner_layer, x)

    graph = b.graph(b.repeat("h", 3, outer_layer, b.input("x", (2,))))
    assert [node.name for node in graph.walk()] == ["h.*.expert.*.act"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            lambda inner, x: inner.apply("linear", x, inner.parameter("w", (5, 4))),
            "block 'h.*': carries float32[2, 4] in but float32[2, 5] round: they must be equal",
        ),
        (
            lambda inner, x: inner.apply("cast", x, dtype="bfloat16"),
            "block 'h.*': carries float32[2, 4] in but bfloat16[2, 4] round: they must be equal",
        ),
        (
            lambda inner, x: inner.apply("slice", x, dim=0, length=2),
            None,  # a whole slice is the tensor itself
        ),
        (lambda inner, x: (), "block 'h.*': carries 1 values, but the body returns 0"),
    ],
)
def test_a_body_carries_round_what_it_takes(b: Builder, body: Any, message: str | None) -> None:
    """What goes round must come out of the body as it went in: same shape, dtype and number."""
    x = b.input("x", (2, 4))
    if message is None:
        assert b.repeat("h", 3, body, x).spec == x.spec
    else:
        with pytest.raises(GraphError, match=f"^{re.escape(message)}$"):
            b.repeat("h", 3, body, x)


def test_a_body_carries_round_the_same_layout(b: Builder) -> None:
    """A view that goes in and a copy that comes round would cost differently from the second repetition on."""
    x = b.apply("transpose", b.input("x", (4, 4)), dims=(0, 1))
    message = "carries float32[4, 4] with strides [1, 4] in but float32[4, 4] round"
    with pytest.raises(GraphError, match=re.escape(message)):
        b.repeat("h", 3, lambda inner, x: inner.apply("softmax", x), x)
    copy = b.apply("contiguous", x)
    assert b.repeat("g", 3, lambda inner, x: inner.apply("relu", x), copy).spec == TensorSpec((4, 4))


@pytest.mark.parametrize("times", [0, -1, 2.5, True])
def test_a_repeat_is_a_positive_count(b: Builder, times: Any) -> None:
    """A block repeats a positive number of times."""
    with pytest.raises(ConfigError, match=r"^the repeat of block 'h' must be (an integer|positive)"):
        b.repeat("h", times, lambda inner, x: x, b.input("x", (2,)))


def test_layers_that_differ_are_several_blocks_of_one_name() -> None:
    """Three narrow layers, then narrow and wide by turns, then wide ones: three blocks whose names say which layers
    they are; the report has one row for all, the checkpoint its own names, written out the same model."""

    def layer(width: int) -> Callable[[Builder, Value], Value]:
        return lambda b, x: b.apply("linear", x, b.parameter("fc.weight", (width, width)), name="fc")

    b = Builder("stack", default().operators)
    x = b.input("x", (2, 4))
    with b.scope("model"):
        x = b.repeat("layers", 3, layer(4), x)
        x = b.repeat("layers", 2, [layer(4), layer(4)], x, start=3)
        graph = b.graph(b.repeat("layers", 2, layer(4), x, start=7))
    assert [block.name for block in graph.nodes] == ["model.layers.*", "model.layers.2*+3", "model.layers.*+7"]
    report = graphacct.account(graph)
    assert [(row.path, row.repeat) for row in report.by_scope] == [
        ("model", 1),
        ("model.layers.*", 9),
        ("model.layers.*.fc", 9),
    ]
    assert [(row.parameter.name, row.count) for row in report.by_parameter] == [("model.layers.*.fc.weight", 9)]
    flat = graphacct.account(graph.unroll())
    assert [row.parameter.name for row in flat.by_parameter] == [f"model.layers.{i}.fc.weight" for i in range(9)]
    assert flat.total == report.total
    for index in range(9):
        assert graphacct.explain(report, f"model.layers.{index}.fc").operator == "linear"
    with pytest.raises(UnknownNameError, match="is there 9 times"):
        graphacct.explain(report, "model.layers.9.fc")
