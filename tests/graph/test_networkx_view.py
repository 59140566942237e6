"""Graphs as networkx graphs, and plain networkx graphs as models."""

import networkx
import pytest

import graphacct
from graphacct import Graph, GraphError, Node


@pytest.fixture
def mlp():
    """A plain DiGraph: x (2, 8) -> fc (16) -> act -> out."""
    graph = networkx.DiGraph(name="mlp")
    graph.add_node("x", shape=(2, 8))
    graph.add_node("fc", operator="linear", params={"weight": (16, 8), "bias": (16,)}, shape=(2, 16))
    graph.add_node("act", operator="relu")
    networkx.add_path(graph, ["x", "fc", "act"])
    return graph


def test_the_view_has_the_nodes_and_their_edges():
    """Each networkx node carries the Node, each edge the Value and the operand's position."""
    graph = graphacct.build("gpt2", attention="eager", seq_len=8)
    view = graph.nx
    assert view is graph.nx
    assert isinstance(view.nodes["transformer.embed"]["node"], Node)
    assert view.edges["transformer.wte", "transformer.embed", 0]["value"].spec.shape == (1, 8, 768)
    assert set(view.edges) == {
        ("transformer.wte", "transformer.embed", 0),
        ("transformer.position_ids", "transformer.wpe", 0),
        ("transformer.wpe", "transformer.embed", 1),
        ("transformer.embed", "transformer.h.*", 0),
        ("transformer.causal_mask", "transformer.h.*", 1),
        ("transformer.h.*", "transformer.ln_f", 0),
        ("transformer.ln_f", "lm_head", 0),
    }


def test_any_networkx_algorithm_runs_on_it():
    """The unrolled GPT-2 is one DAG, whose longest path runs through all twelve layers."""
    view = graphacct.build("gpt2", attention="eager", seq_len=8).unroll().nx
    assert networkx.is_directed_acyclic_graph(view)
    longest = networkx.dag_longest_path(view)
    assert [name for name in longest if name.endswith("mlp.act")] == [f"transformer.h.{i}.mlp.act" for i in range(12)]
    assert len(networkx.ancestors(view, "lm_head")) == len(view) - 1


def test_the_view_of_a_graph_becomes_that_graph():
    """There and back gives an equal graph, folded or flat."""
    for graph in (
        graphacct.build("gpt2", attention="eager", seq_len=8),
        graphacct.build("gpt2", attention="eager", seq_len=8).unroll(),
    ):
        assert Graph.from_nx(graph.nx) == graph


def test_an_operand_used_twice_is_two_edges():
    """x + x needs a multigraph: both operands are edges of their own."""
    builder = graphacct.Builder("twice", _operators())
    x = builder.input("x", (3,))
    y = builder.apply("relu", x)
    graph = builder.graph(builder.apply("add", y, y))
    assert sorted(graph.nx.edges) == [("relu", "add", 0), ("relu", "add", 1)]
    assert Graph.from_nx(graph.nx) == graph


def test_a_plain_digraph_is_accounted(mlp):
    """Operator names, shapes and parameters on the nodes are enough."""
    graph = Graph.from_nx(mlp)
    report = graphacct.account(graph)
    assert report.model == "mlp"
    assert report.total["params"] == 16 * 8 + 16
    assert report.total["matmul_flops"] == 2 * 2 * 8 * 16
    assert report.total["vector_flops"] == 2 * 16 + 2 * 16  # the bias, relu
    assert [value.name for value in graph.outputs] == ["act"]
    assert [row.parameter.name for row in report.by_parameter] == ["fc.weight", "fc.bias"]


def test_edges_enter_in_the_order_they_say(mlp):
    """`operand` gives an edge its position, a tuple lets one value enter twice."""
    mlp.add_node("product", operator="matmul")
    mlp.add_node("turned", operator="transpose", attributes={"dims": (0, 1)})
    mlp.add_edge("act", "turned")
    mlp.add_edge("turned", "product", operand=1)
    mlp.add_edge("act", "product", operand=0)
    mlp.add_node("double", operator="add")
    mlp.add_edge("product", "double", operand=(0, 1))
    graph = Graph.from_nx(mlp)
    assert [value.name for value in graph.nodes[3].inputs] == ["act", "turned"]
    assert [value.name for value in graph.nodes[4].inputs] == ["product", "product"]


def test_one_of_several_outputs_is_named_by_the_edge(mlp):
    """`output` says which of a node's outputs an edge carries."""
    mlp.add_node("halves", operator="split", attributes={"parts": 2}, shapes=[(2, 8), (2, 8)])
    mlp.add_edge("act", "halves")
    mlp.add_node("sum", operator="add")
    mlp.add_edge("halves", "sum", operand=(0, 1), output=1)
    graph = Graph.from_nx(mlp)
    assert [value.name for value in graph.nodes[-1].inputs] == ["halves:1", "halves:1"]


class Faulty:
    """A shape whose sizes cannot be read."""

    def __iter__(self):
        raise RuntimeError("a fault")


BAD = [
    (lambda g: g.add_node("odd"), "node 'odd' has neither 'operator' nor 'shape'"),
    (lambda g: g.add_edge("fc", "x"), "node 'x' has operands but no 'operator'"),
    (lambda g: g.add_edge("act", "fc"), "the graph has a cycle: 'fc' -> 'act' -> 'fc'"),
    (lambda g: g.nodes["fc"].update(shape=(2, 17)), r"output 0 is \[2, 16\], but the graph says \[2, 17\]"),
    (lambda g: g.nodes["fc"].update(params={"weight": (16, 9)}), "dimension k is 8 in x but 9 in weight"),
    (lambda g: g.nodes["fc"].update(params=[16]), "'params' is a mapping from name to shape"),
    (lambda g: g.nodes["x"].update(shape=(2, 0)), "a dimension of 'x' must be positive"),
    (lambda g: g.nodes["x"].update(dtype="fp33"), "node 'x': unknown dtype 'fp33'; did you mean 'fp32'"),
    (lambda g: g.nodes["x"].update(shapes=5), "node 'x': 'shapes' is a list of shapes, not 5"),
    (lambda g: g.nodes["fc"].update(attributes=[1]), r"node 'fc': 'attributes' is a mapping, not \[1\]"),
    (lambda g: g.graph.update(workload=5), "'workload' is a mapping, not 5"),
    (lambda g: g.nodes["fc"].update(shape=Faulty()), "the networkx graph cannot be read: RuntimeError: a fault"),
    (lambda g: g.edges["x", "fc"].update(operand="a"), "node 'fc': an edge's 'operand' is a position .*, not 'a'"),
    (lambda g: g.edges["x", "fc"].update(operand=3), r"its edges enter at the operands \[3\], not at 0 to 0"),
    (lambda g: g.nodes["x"].update(shape=5), "a shape is a sequence of sizes, not 5"),
    (lambda g: g.nodes["act"].update(operator="rleu"), "no operator 'rleu' is registered; did you mean 'relu'"),
    (
        lambda g: (g.add_node(1, shape=(1,)), g.add_node("1", shape=(1,))),
        "two nodes of the networkx graph have the same name as text",
    ),
]


@pytest.mark.parametrize(("damage", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_a_bad_networkx_graph_is_refused_by_name(mlp, damage, message):
    """Each error names the node and what it lacks."""
    damage(mlp)
    with pytest.raises(GraphError, match=message):
        Graph.from_nx(mlp)


def test_an_undirected_graph_and_a_changed_edge_are_refused():
    """Edges must have a direction, and agree with the operands of the nodes they join."""
    with pytest.raises(GraphError, match="is undirected"):
        Graph.from_nx(networkx.Graph())
    view = graphacct.build("gpt2", attention="eager", seq_len=8).nx.copy()
    view.remove_edge("transformer.wpe", "transformer.embed")
    with pytest.raises(GraphError, match=r"node 'transformer\.embed': its edges and its operands disagree about"):
        Graph.from_nx(view)


def test_a_cycle_of_nodes_is_named():
    """A cycle in a plain graph is shown node by node."""
    graph = networkx.DiGraph()
    for name in "ab":
        graph.add_node(name, operator="relu")
    graph.add_edge("a", "b")
    graph.add_edge("b", "a")
    with pytest.raises(GraphError, match="the graph has a cycle: 'a' -> 'b' -> 'a'"):
        Graph.from_nx(graph)


def _operators():
    from graphacct.hooks.manager import default

    return default().operators
