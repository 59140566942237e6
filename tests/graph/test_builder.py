"""The builder: names, scopes, blocks, and errors that say which node."""

from __future__ import annotations

import re
from typing import Any

import pytest

from graphacct import Builder, ConfigError, GraphError, OperatorError, Parameter, ShapeError, TensorSpec, Value
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
