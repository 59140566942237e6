"""The builder: names, scopes, blocks, and errors that say which node."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import graphacct
from graphacct import Block, Builder, ConfigError, GraphError, OperatorError, Parameter, ShapeError, TensorSpec, Value
from graphacct.errors import UnknownNameError
from graphacct.hooks.manager import default


@pytest.fixture
def b() -> Builder:
    return Builder("model", default().operators)


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_scopes_prefix_names(b: Builder) -> None:
    """Nodes and parameters take the path of the scopes around them; inputs are named as they are."""
    with b.scope("transformer"):
        x = b.input("x", (2, 4))
        with b.scope("mlp"):
            weight = b.parameter("c_fc.weight", (4, 8))
            y = b.apply("linear_in_out", x, weight, name="c_fc")
        z = b.apply("relu", y, name="act")
    assert (x.name, weight.name, y.name, z.name) == (
        "x",
        "transformer.mlp.c_fc.weight",
        "transformer.mlp.c_fc",
        "transformer.act",
    )


def test_a_scope_ends_when_it_fails(b: Builder) -> None:
    """An error inside a scope leaves the builder where it was."""
    with pytest.raises(RuntimeError), b.scope("inner"):
        raise RuntimeError
    assert b.parameter("w", (1,)).name == "w"


def test_unnamed_nodes_are_numbered(b: Builder) -> None:
    """A node without a name has its operator's, numbered when that is taken."""
    x = b.input("x", (2,))
    assert [b.apply("relu", x).name for _ in range(3)] == ["relu", "relu_2", "relu_3"]


def test_several_outputs_are_numbered(b: Builder) -> None:
    """An operator with several outputs gives a tuple of values, each named after the node and its position."""
    x = b.input("x", (2, 6))
    parts = b.apply("split", x, name="qkv", parts=3)
    assert [part.name for part in parts] == ["qkv:0", "qkv:1", "qkv:2"]
    assert [part.spec.shape for part in parts] == [(2, 2)] * 3


def test_dtypes(b: Builder) -> None:
    """Inputs and parameters have the builder's dtype unless they say another."""
    half = Builder("half", default().operators, "bfloat16")
    assert half.parameter("w", (2,)).spec.dtype == "bfloat16"
    assert half.input("x", (2,)).spec.dtype == "bfloat16"
    assert half.input("ids", (2,), "int64").spec.dtype == "int64"
    assert b.parameter("w", (2,)).spec.dtype == "float32"


def test_the_graph_has_nodes_in_order(b: Builder) -> None:
    """The graph's nodes are in the order in which they were applied, its outputs what was asked for."""
    x = b.input("x", (2,))
    y = b.apply("relu", x, name="first")
    z = b.apply("add", x, y, name="second")
    graph = b.graph(z)
    assert [node.name for node in graph.nodes] == ["first", "second"]
    assert (graph.name, graph.inputs, graph.outputs) == ("model", (x,), (z,))


def test_a_name_is_taken_once(b: Builder) -> None:
    """Two nodes, or a node and an input, of one name are an error."""
    x = b.input("x", (2,))
    b.apply("relu", x, name="act")
    for name in ("act", "x"):
        with pytest.raises(GraphError, match=exactly(f"node {name!r} exists already: give this one another name")):
            b.apply("relu", x, name=name)


def test_an_unknown_operator(b: Builder) -> None:
    """The error names the node and the closest operator, and says how to add one."""
    message = (
        "node 'norm': unknown operator 'layernorm'; did you mean 'layer_norm'? "
        "(a plugin can register it, see docs/writing-a-plugin.md)"
    )
    with pytest.raises(UnknownNameError, match=exactly(message)):
        b.apply("layernorm", b.input("x", (2,)), name="norm")


def test_shapes_are_checked_at_once(b: Builder) -> None:
    """Operands that do not fit are an error that names the node, the operator and both sizes, where it is applied."""
    x, weight = b.input("x", (2, 3)), b.parameter("fc.weight", (5, 4))
    with b.scope("mlp"), pytest.raises(ShapeError) as caught:
        b.apply("linear", x, weight, name="fc")
    assert str(caught.value).startswith("node 'mlp.fc', operator 'linear'")
    assert "dimension k is 3 in x but 4 in weight: x[2, 3], weight[5, 4]" in str(caught.value)


def test_attributes_are_checked_at_once(b: Builder) -> None:
    """An attribute that the operator does not have is an error that names the node and the closest."""
    with pytest.raises(OperatorError) as caught:
        b.apply("dropout", b.input("x", (2,)), name="drop", q=0.1)
    assert str(caught.value).startswith("node 'drop', operator 'dropout'")
    assert str(caught.value).endswith("has no attribute 'q'; did you mean 'p'?") or "known: p" in str(caught.value)


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_an_input_has_real_sizes(b: Builder, size: Any) -> None:
    """An input's dimensions are checked, by its name."""
    with pytest.raises(ConfigError, match=r"^a dimension of input 'x' must be "):
        b.input("x", (size, 4))


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
        with pytest.raises(GraphError, match=exactly(message)):
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


def test_ties_and_buffers(b: Builder) -> None:
    """A parameter may name the one whose storage it shares, by its full name, and a buffer says that it is one."""
    with b.scope("head"):
        tied = b.parameter("weight", (4, 4), tied_to="wte.weight")
        buffer = b.parameter("mean", (4,), buffer=True)
    assert tied == Parameter("head.weight", TensorSpec((4, 4)), "wte.weight")
    assert buffer.buffer


def test_a_value_that_nothing_has_made_is_refused() -> None:
    """A body that reaches for a value outside it would make an edge that dangles, which unrolling cannot follow."""
    b = Builder("m", default().operators)
    x = b.input("x", (2,))
    y = b.apply("relu", x, name="y")
    with pytest.raises(GraphError, match=r"node 'h.\*.add', operator 'add': takes 'y', .* outer values as constants="):
        b.repeat("h", 2, lambda inner, carried: inner.apply("add", carried, y), x)
    ghost = Value("ghost", x.spec)
    with pytest.raises(GraphError, match="node 'relu', operator 'relu': takes 'ghost', which nothing before it"):
        b.apply("relu", ghost)
    with pytest.raises(GraphError, match=r"block 'g.\*': takes 'ghost'"):
        b.repeat("g", 2, lambda inner, carried: inner.apply("relu", carried), ghost)
    with pytest.raises(GraphError, match="the outputs of 'm': takes 'ghost'"):
        b.graph(ghost)


@pytest.mark.parametrize("wrong", [None, 5, "x", (1, 2)])
def test_what_is_no_value_is_refused(wrong: Any) -> None:
    """A forgotten `return`, or the tuple of a split, is named where it arrives."""
    b = Builder("m", default().operators)
    x = b.input("x", (2,))
    with pytest.raises(GraphError, match=r"node 'relu', operator 'relu': takes .*, which is no Value or Parameter"):
        b.apply("relu", wrong)
    with pytest.raises(GraphError, match=r"block 'h.\*': its body returned|the outputs of 'h.\*'"):
        b.repeat("h", 2, lambda inner, carried: wrong, x)
    with pytest.raises(GraphError, match=r"the outputs of 'm': takes .*, which is no Value$"):
        b.graph(wrong)


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
