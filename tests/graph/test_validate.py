"""Graphs made by hand are checked before they are costed."""

import attrs
import pytest

import graphacct
from graphacct import Block, Graph, GraphError, Node, Parameter, ShapeError, TensorSpec, Value
from graphacct.graph.validate import validate
from graphacct.hooks.manager import default

X = Value("x", TensorSpec((2, 3)))
Y = Value("y", TensorSpec((2, 3)))
RELU = Node("y", "relu", (X,), (Y,))


def test_a_graph_made_by_hand_is_accounted():
    """Nodes and values are plain values: no builder is needed."""
    report = graphacct.account(Graph("hand", (X,), (RELU,), (Y,)))
    assert report.total["vector_flops"] == 2 * 3


BAD = [
    (Graph("g", (X, X), (RELU,), (Y,)), "input 'x': the value 'x' exists already"),
    (Graph("g", (X,), (RELU, RELU), (Y,)), "two nodes are named 'y'"),
    (Graph("g", (), (RELU,), (Y,)), "node 'y' takes 'x', which nothing before it produces"),
    (Graph("g", (X,), (RELU,), (Value("z", X.spec),)), "the outputs of 'g' takes 'z'"),
    (
        Graph("g", (attrs.evolve(X, spec=TensorSpec((2, 4))),), (RELU,), (Y,)),
        "node 'y' takes 'x' as float32[2, 3], but it is float32[2, 4]",
    ),
    (
        Graph("g", (X,), (Block("b.*", Graph("b.*", (), (), ()), 2, (X,), (), (Y,)),), (Y,)),
        "block 'b.*': the body takes 0 values, the block gives 1",
    ),
    (
        Graph("g", (X,), (Block("b.*", Graph("b.*", (X,), (), ()), 2, (X,), (), (Y,)),), (Y,)),
        "block 'b.*': carries 1 values, but the body returns 0",
    ),
    (
        Graph("g", (X,), (Block("b.*", Graph("b.*", (X,), (RELU,), (Y,)), 2, (X,), (), (Y,)),), (Y,)),
        "block 'b.*': the node 'y' in its body needs a '*' where the repetition's index goes",
    ),
]


@pytest.mark.parametrize(("graph", "message"), BAD, ids=[message for _, message in BAD])
def test_what_is_wrong_is_named(graph, message):
    """Each error names the node or block and both sides of what does not fit."""
    with pytest.raises(GraphError) as caught:
        validate(graph)
    assert message in str(caught.value)


def test_one_parameter_has_one_shape():
    """The same name with two shapes is two parameters, and one of the names is wrong."""
    nodes = []
    value = X
    for index, width in enumerate((3, 4)):
        weight = Parameter("w", TensorSpec((width, value.spec.shape[-1])))
        output = Value(f"fc{index}", TensorSpec((2, width)))
        nodes.append(Node(f"fc{index}", "linear", (value, weight), (output,)))
        value = output
    with pytest.raises(
        GraphError, match=r"node 'fc1': parameter 'w' is float32\[4, 3\] here but float32\[3, 3\] before"
    ):
        graphacct.account(Graph("g", (X,), tuple(nodes), (value,)))


def test_blocks_that_start_elsewhere_have_parameters_of_their_own():
    """`h.*.w` in layers 0 and 1 is other storage than in layers 2 and 3, and may have another shape."""
    b = graphacct.Builder("two", default().operators)
    x = b.input("x", (2, 4))

    def square(b, x):
        return b.apply("linear", x, Parameter("h.*.w", TensorSpec((4, 4))), name="up")

    def wide(b, x):
        x = b.apply("linear", x, Parameter("h.*.w", TensorSpec((8, 4))), name="up")
        return b.apply("linear", x, Parameter("h.*.v", TensorSpec((4, 8))), name="down")

    graph = b.graph(b.repeat("wide", 2, wide, b.repeat("square", 2, square, x), start=2))
    assert graphacct.account(graph).total["params"] == 2 * 4 * 4 + 2 * (8 * 4 + 4 * 8)


def test_shapes_that_the_operator_does_not_make_are_refused():
    """A node made by hand states its outputs; annotating checks them against its operator."""
    wrong = Value("y", TensorSpec((2, 4)))
    graph = Graph("g", (X,), (Node("y", "relu", (X,), (wrong,)),), (wrong,))
    with pytest.raises(
        ShapeError, match=r"node 'y', operator 'relu': output 0 is \[2, 3\], but the graph says \[2, 4\]"
    ):
        graphacct.account(graph)
