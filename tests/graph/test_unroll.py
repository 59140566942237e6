"""Writing a folded graph out flat: names, edges, stacks and parameters (reports/test_properties.py compares costs)."""

from __future__ import annotations

import attrs
import pytest
import sympy

from graphacct import Block, Builder, Graph, GraphError, Node, Parameter, TensorSpec, Value, build
from graphacct.graph.validate import validate
from graphacct.hooks.manager import default


def model(repeat: object = 2, start: int = 0) -> Graph:
    """Two nested blocks, a constant, a stacked output, a shared and a tied parameter."""
    b = Builder("model", default().operators)
    x, mask = b.input("x", (2, 4)), b.input("mask", (4,))

    def expert(inner: Builder, x: Value) -> Value:
        own = inner.parameter("w", (4, 4))
        tied = inner.parameter("v", (4, 4), tied_to="shared.w")
        y = inner.apply("linear", x, own, name="own")
        y = inner.apply("linear", y, Parameter("h.*.outer.w", TensorSpec((4, 4))), name="outer")
        return inner.apply("linear", y, tied, name="tied")

    def layer(inner: Builder, x: Value, mask: Value) -> tuple[Value, Value]:
        y = inner.apply("linear", x, Parameter("shared.w", TensorSpec((4, 4))), name="shared")
        y = inner.repeat("experts", 2, expert, y)
        y = inner.apply("mul", y, mask, name="masked")
        return y, y

    y, stacked = b.repeat("h", repeat, layer, x, constants=(mask,), start=start)
    return b.graph(y, b.apply("select", stacked, name="first", dim=0))


def flat_nodes(graph: Graph) -> list[Node]:
    nodes = graph.unroll().nodes
    assert not any(isinstance(node, Block) for node in nodes)
    return [node for node in nodes if isinstance(node, Node)]


def test_names_have_indices() -> None:
    """Each `*` becomes the index of its block's repetition, the outermost first, in the order of the schedule."""
    layer = "shared experts.0.own experts.0.outer experts.0.tied experts.1.own experts.1.outer experts.1.tied masked"
    expected = [f"h.{index}.{name}" for index in (0, 1) for name in layer.split()]
    assert [node.name for node in flat_nodes(model())] == [*expected, "h_stack_0", "first"]


def test_indices_begin_where_the_checkpoint_begins() -> None:
    """A block whose first layer is not number 0 says where its names start."""
    names = [node.name for node in flat_nodes(model(start=3))]
    assert names[0] == "h.3.shared"
    assert names[8] == "h.4.shared"


def test_parameters_have_indices() -> None:
    """A parameter has an index for each `*` that its name has, and is shared by the repetitions of the other blocks."""
    names = {node.name: [parameter.name for parameter in node.parameters] for node in flat_nodes(model())}
    assert names["h.1.experts.0.own"] == ["h.1.experts.0.w"]
    assert names["h.1.experts.0.outer"] == names["h.1.experts.1.outer"] == ["h.1.outer.w"]
    assert names["h.0.shared"] == names["h.1.shared"] == ["shared.w"]
    ties = [p.tied_to for node in flat_nodes(model()) for p in node.parameters if p.tied_to]
    assert ties == ["shared.w"] * 4


def test_values_are_wired_through() -> None:
    """What goes round enters the next repetition; a constant enters each; the last result leaves."""
    nodes = {node.name: node for node in flat_nodes(model())}
    assert nodes["h.0.shared"].values[0].name == "x"
    assert nodes["h.1.shared"].values[0].name == "h.0.masked"
    assert nodes["h.1.experts.0.own"].values[0].name == "h.1.shared"
    assert nodes["h.1.experts.1.own"].values[0].name == "h.1.experts.0.tied"
    assert {nodes[f"h.{index}.masked"].values[1].name for index in (0, 1)} == {"mask"}
    assert model().unroll().outputs[0].name == "h.1.masked"


def test_stacked_results_are_gathered() -> None:
    """What repetitions stack up is gathered by a node beside them, with a leading dimension of the repeat."""
    nodes = {node.name: node for node in flat_nodes(model())}
    stack = nodes["h_stack_0"]
    assert (stack.operator, [value.name for value in stack.values]) == ("stack", ["h.0.masked", "h.1.masked"])
    assert stack.outputs[0].spec.shape == (2, 2, 4)
    assert nodes["first"].values == stack.outputs


def test_a_flat_graph_is_a_valid_graph() -> None:
    """The result passes the same validation as any graph, is its own unrolled form and keeps name and workload."""
    graph = build("gpt2", seq_len=8)
    flat = graph.unroll()
    validate(flat)
    validate(model().unroll())
    assert flat.unroll() == flat
    assert (flat.name, flat.workload, flat.inputs) == (graph.name, graph.workload, graph.inputs)
    # each of gpt2's 12 layers has the same number of nodes
    per_layer = sum(1 for node in graph.walk() if node.name.startswith("transformer.h.*."))
    assert len(flat.nodes) == len(list(graph.walk())) + 11 * per_layer


def test_only_a_number_unrolls() -> None:
    """A symbolic depth has no flat form, and the error names the block."""
    n = sympy.Symbol("n", positive=True, integer=True)
    with pytest.raises(GraphError, match=r"^block 'h\.\*' repeats n times: give a number to unroll it$"):
        model(n).unroll()


def test_one_operator_gathers_what_is_stacked_up() -> None:
    """None and two are errors that name the block; a block that stacks nothing up needs none."""
    message = r"^block 'h\.\*' stacks up results, and no operator says stacks=True: one operator has to gather them$"
    with pytest.raises(GraphError, match=message):
        model().unroll({})
    stack = default().operators["stack"]
    with pytest.raises(GraphError, match="operators 'stack' and 'pile' say stacks=True"):
        model().unroll({"stack": stack, "pile": attrs.evolve(stack, name="pile")})
    assert build("gpt2", seq_len=8).unroll({}) == build("gpt2", seq_len=8).unroll()
