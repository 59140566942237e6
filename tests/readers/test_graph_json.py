"""Graphs as JSON files."""

import json
import re

import pytest

import graphacct
from graphacct import Graph, GraphacctError, GraphError
from graphacct.errors import ReadError
from graphacct.hooks.manager import default
from graphacct.readers.graph_json import MOST_NESTED, SCHEMA, from_dict, to_dict, write

LINEAR = {
    "schema": SCHEMA,
    "name": "tiny",
    "inputs": [{"name": "x", "shape": [2, 3], "dtype": "float32"}],
    "nodes": [
        {
            "name": "fc",
            "operator": "linear",
            "inputs": ["x", {"parameter": "fc.weight", "shape": [5, 3], "dtype": "bfloat16"}],
        },
        {"name": "act", "operator": "relu", "inputs": ["fc"], "outputs": [{"shape": [2, 5]}]},
    ],
    "outputs": ["act"],
}


def parsed(content):
    return from_dict(content, "tiny", default().operators)


def changed(**changes):
    return {**LINEAR, **changes}


def with_node(**changes):
    return changed(nodes=[{**LINEAR["nodes"][0], **changes}, LINEAR["nodes"][1]])


def saved(tmp_path, content):
    path = tmp_path / "graph.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def nested(depth):
    body = {"inputs": [{"name": "c", "shape": [1]}], "nodes": [], "outputs": ["c"]}
    for level in range(depth):
        block = {"name": "b" + ".*" * (depth - level), "repeat": 1, "carry": ["c"], "body": body}
        body = {"inputs": [{"name": "c", "shape": [1]}], "nodes": [block], "outputs": ["c"]}
    return {"schema": SCHEMA, **body}


@pytest.mark.parametrize("model", ["gpt2", "transformer-lm-small"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_a_saved_graph_reads_back_equal(tmp_path, model, attention):
    """Writing and reading an architecture's graph gives the same graph, and so the same report."""
    graph = graphacct.build(model, seq_len=64, attention=attention)
    write(graph, tmp_path / "graph.json")
    again = graphacct.load(tmp_path / "graph.json")
    assert again == graph
    assert graphacct.account(again).total == graphacct.account(graph).total


def test_experts_that_a_token_uses_are_saved(tmp_path):
    """DBRX's, one matrix of the rows of all: 1 of 4."""
    graph = graphacct.build("dbrx", seq_len=4, set={"n_layers": 1, "d_model": 64, "ffn_config.ffn_hidden_size": 8})
    write(graph, tmp_path / "graph.json")
    again = graphacct.account(tmp_path / "graph.json", quantities=["params", "active_params"]).total
    assert again["params"] - again["active_params"] == 3 * 3 * 8 * 64


def test_a_path_is_a_model(tmp_path):
    """A graph's file can be given wherever a model's name can; missing output shapes are inferred."""
    report = graphacct.account(saved(tmp_path, LINEAR))
    assert report.total["matmul_flops"] == 2 * 2 * 3 * 5
    assert report.total["vector_flops"] == 2 * 5  # relu
    assert report.total["param_bytes"] == 5 * 3 * 2  # bfloat16
    assert report.model == "tiny"


def test_nodes_may_stand_in_any_order():
    """A file's nodes are put in an order in which they can run."""
    graph = parsed(changed(nodes=LINEAR["nodes"][::-1]))
    assert [node.name for node in graph.nodes] == ["fc", "act"]


def test_a_node_may_put_out_nothing():
    """An empty tensor, such as the cache before the first token: what a node puts out and a block takes may have a size
    of 0, an input of the graph may not."""
    b = graphacct.Builder("empty", default().operators)
    cache = b.apply("constant", name="cache", shape=(0, 4), dtype="float32")

    def layer(b, x, cache):
        return b.apply("add", x, b.apply("concat", cache, x, name="keys", dim=0), name="sum")

    graph = b.graph(b.repeat("layers", 3, layer, b.input("x", (2, 4)), constants=(cache,)))
    assert from_dict(to_dict(graph), "empty", default().operators) == graph


def test_unknown_operators_are_read_when_they_state_their_outputs():
    """A graph with an operator that nobody registered reads; whether it may be costed is the caller's policy."""
    strange = {"name": "act", "operator": "warp", "inputs": ["fc"], "outputs": [{"shape": [2, 5]}]}
    graph = parsed(changed(nodes=[LINEAR["nodes"][0], strange]))
    report = graphacct.account(graph, unknown="report")
    assert report.coverage.uncosted == (("act", "warp"),)
    del strange["outputs"]
    with pytest.raises(GraphError, match="'warp' is registered, and the node states no output shape"):
        parsed(changed(nodes=[LINEAR["nodes"][0], strange]))


BAD = [
    (changed(schema="graphacct.graph/9"), "its schema is 'graphacct.graph/9', not 'graphacct.graph/1'"),
    ([1], "the file is an object, not [1]"),
    (changed(node=[]), "the file has an unknown key 'node'; did you mean 'nodes'?"),
    (
        changed(inputs=[{"name": "x", "shape": [2, 0]}]),
        "input 'x': a dimension must be positive and below 2**63, not 0",
    ),
    (changed(inputs=[{"name": "x", "shape": [2, -3]}]), "must be positive and below 2**63, not -3"),
    (changed(inputs=[{"name": "x", "shape": [2, 2**63]}]), "must be positive and below 2**63"),
    (changed(inputs=[{"name": "x", "shape": [2, 1.5]}]), "input 'x': a dimension is a positive integer, not 1.5"),
    (changed(inputs=[{"name": "x", "shape": "big"}]), "input 'x': 'shape' is a list, not \"big\""),
    (changed(inputs=[{"name": "x", "shape": [1] * 65}]), "input 'x' has 65 dimensions; 64 is the most"),
    (changed(inputs=[{"name": "x", "shape": [2, 3], "dtype": "float33"}]), "unknown dtype 'float33'; did you mean"),
    (changed(inputs=LINEAR["inputs"] * 2), "two inputs are named 'x'"),
    (changed(nodes=LINEAR["nodes"] * 2), "two nodes are named 'fc'"),
    (changed(outputs=["fx"]), "the outputs of 'tiny' takes 'fx', which nothing produces"),
    (with_node(inputs=["y"]), "node 'fc' takes 'y', which nothing produces"),
    (with_node(inputs=["x"]), "node 'fc', operator 'linear': takes 2 to 3 operands, not 1"),
    (with_node(inputs=["x", {"parameter": "w", "shape": [5, 4]}]), "dimension k is 3 in x but 4 in weight"),
    (with_node(outputs=[{"shape": [2, 6]}]), "output 0 is [2, 5], but the graph says [2, 6]"),
    (with_node(attributes={"biass": True}), "has no attribute 'biass'"),
    (with_node(operator="liner"), "no operator 'liner' is registered; did you mean 'linear'?"),
    (with_node(operator=7), "the operator of node 'fc' is a text, not 7"),
    (with_node(inputs=["act", {"parameter": "w", "shape": [5, 5]}]), "the graph has a cycle: 'fc' -> 'act' -> 'fc'"),
    (
        with_node(inputs=["x", {"parameter": "w", "shape": [5, 3], "chosen": [3]}]),
        "parameter 'w': 'chosen' is two numbers, the experts that a token uses and all, not [3]",
    ),
    (
        with_node(inputs=["x", {"parameter": "w", "shape": [5, 3], "chosen": [3, 2]}]),
        "parameter 'w': 'chosen': a token cannot use 3 of 2 experts",
    ),
    (nested(MOST_NESTED + 1), f"blocks are nested more than {MOST_NESTED} deep"),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, content, message):
    """Each error names the file, the node, the value and what was expected."""
    path = saved(tmp_path, content)
    with pytest.raises(ReadError) as caught:
        graphacct.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON: Expecting value at line 1, column 1"),
        ('{"schema": ', "is no JSON: Expecting value at line 1"),
        ("[" * 100_000, "is nested too deep"),
        ('{"schema": ' + "9" * 1_000_000 + "}", "has a number that cannot be read: Exceeds the limit"),
        ('{"schema": NaN}', "has a number that cannot be read: NaN is no JSON number"),
    ],
    ids=["empty", "broken", "deep", "million digits", "NaN"],
)
def test_what_is_no_json_is_refused_in_one_line(tmp_path, text, message):
    """Text that the parser chokes on ends in one line, not in a traceback of its own."""
    with pytest.raises(ReadError) as caught:
        graphacct.load(saved(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_missing_is_named(tmp_path):
    """Bytes that are no UTF-8 and paths that are not there are read errors too."""
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ReadError, match="is no UTF-8 text"):
        graphacct.load(tmp_path / "bytes.json")
    with pytest.raises(ReadError, match="No such file"):
        graphacct.load(tmp_path / "missing.json")


def test_a_block_that_changes_what_it_carries_is_refused():
    """The shape that goes round must be the shape that came in."""
    body = {
        "inputs": [{"name": "c", "shape": [2, 3]}],
        "nodes": [{"name": "b.*.fc", "operator": "linear", "inputs": ["c", {"parameter": "b.*.w", "shape": [5, 3]}]}],
        "outputs": ["b.*.fc"],
    }
    block = {"name": "b.*", "repeat": 2, "carry": ["x"], "body": body}
    with pytest.raises(GraphError, match=r"carries float32\[2, 3\] in but float32\[2, 5\] round"):
        parsed(changed(nodes=[block], outputs=["b.*"]))


def one_by_one(**changes):
    """Three layers that each take a cache and return what they made."""
    body = {
        "inputs": [{"name": "h", "shape": [2, 3]}, {"name": "own", "shape": [2, 3]}],
        "nodes": [{"name": "b.*.add", "operator": "add", "inputs": ["h", "own"]}],
        "outputs": ["b.*.add", "b.*.add"],
    }
    block = {"name": "b.*", "repeat": 3, "carry": ["x"], "each": [["p", "q", "r"]], "apart": 1, "body": body}
    inputs = [{"name": name, "shape": [2, 3]} for name in "xpqr"]
    return changed(inputs=inputs, nodes=[{**block, **changes}], outputs=["b.*:0", "b.*:1", "b.*:3"])


def test_values_that_enter_and_leave_a_block_one_by_one(tmp_path):
    """They are written as they were read, and written out each repetition has its own."""
    graph = parsed(one_by_one())
    assert from_dict(to_dict(graph), "tiny", default().operators) == graph
    flat = graph.unroll()
    assert [[value.name for value in node.values] for node in flat.nodes] == [
        ["x", "p"],
        ["b.0.add", "q"],
        ["b.1.add", "r"],
    ]
    assert [value.name for value in flat.outputs] == ["b.2.add", "b.0.add", "b.2.add"]
    assert graphacct.account(graph).total["flops"] == 3 * 2 * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"each": [["p", "q"]]}, "block 'b.*': gives 2 values one by one to 3 repetitions"),
        ({"each": ["p", "q", "r"]}, "block 'b.*': 'each' is a list of lists, one for each repetition's values, not"),
        ({"each": [["p", "q", "s"]]}, "node 'b.*' takes 's', which nothing produces"),
        ({"each": []}, "block 'b.*': the body takes 2 values, the block gives 1"),
        ({"apart": 2}, "block 'b.*': returns 2 results of each repetition one by one, but the body returns 1 besides"),
        ({"repeat": 2**62}, "take values of their own or return some, at most 5,000 can"),
    ],
)
def test_values_one_by_one_that_do_not_fit(changes, message):
    """Another number of them than of repetitions, or more than the body has."""
    with pytest.raises(GraphacctError, match=re.escape(message)):
        parsed(one_by_one(**changes))


def test_symbols_cannot_be_saved(tmp_path):
    """A file has numbers; the error names the first symbolic size."""
    sympy = pytest.importorskip("sympy")
    graph = graphacct.build("gpt2", seq_len=sympy.Symbol("s", positive=True, integer=True))
    with pytest.raises(GraphError, match="'input_ids' has the size s, which is no number"):
        write(graph, tmp_path / "graph.json")
    assert not list(tmp_path.iterdir())


def test_the_dictionary_is_what_the_file_says():
    """`to_dict` gives plain values that JSON holds as they are."""
    graph = graphacct.build("gpt2", seq_len=8)
    content = to_dict(graph)
    assert json.loads(json.dumps(content))["nodes"][0]["inputs"][1]["parameter"] == "transformer.wte.weight"
    assert isinstance(parsed(content), Graph)
