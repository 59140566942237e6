"""Files for Model Explorer: nodes, edges and layers of the folded graph, and figures by node.

What the viewer reads was tried in version 0.1.34: one object with a label and graphs; node data by graph and node.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import graphacct
from graphacct.render.model_explorer import graph, node_data


@pytest.fixture(scope="module")
def report() -> graphacct.Report:
    return graphacct.account("gpt2", seq_len=16)


def test_figures_are_by_node_and_sum_to_the_total(report: graphacct.Report) -> None:
    """FLOPs, or the first column that is asked for; a column that is none is an error."""
    found = json.loads(node_data(report))
    assert [*found] == ["gpt2"]
    assert found["gpt2"]["name"] == "flops"
    assert sum(item["value"] for item in found["gpt2"]["results"].values()) == report.total["flops"]
    params = json.loads(node_data(report, ["params"]))["gpt2"]
    assert sum(item["value"] for item in params["results"].values()) == 124_439_808  # the published checkpoint
    with pytest.raises(graphacct.GraphacctError, match="parms"):
        node_data(report, ["parms"])


def nodes_of(report: graphacct.Report) -> dict[str, dict[str, Any]]:
    content = json.loads(graph(report))
    assert content["label"] == report.model
    (only,) = content["graphs"]
    assert only["id"] == report.model
    found = {node["id"]: node for node in only["nodes"]}
    assert len(found) == len(only["nodes"])
    return found


@pytest.mark.parametrize("model", ["gpt2", "t5-small", "mixtral-8x7b", "resnet18"])
def test_every_node_is_there_once_and_edges_join_nodes(model: str) -> None:
    """Also through blocks, and of an encoder whose output a decoder's block takes."""
    report = graphacct.account(model)
    nodes = nodes_of(report)
    inputs = [value.name for value in report.annotated.graph.inputs]
    assert [*nodes] == [*inputs, *(record.node.name for record in report.annotated.costs)]
    edges = [(edge["sourceNodeId"], node) for node in nodes.values() for edge in node.get("incomingEdges", ())]
    assert all(source in nodes for source, _ in edges)
    operands = sum(len(record.node.values) for record in report.annotated.costs)
    assert len(edges) >= operands > 0


def test_layers_are_scopes_with_their_repeats(report: graphacct.Report) -> None:
    """A node has its scopes as layers, a block with how often it runs, and every digit of its figures."""
    node = nodes_of(report)["transformer.h.*.attn.c_attn"]
    assert (node["label"], node["namespace"]) == ("c_attn", "transformer/h.* ×12/attn")
    attributes = {item["key"]: item["value"] for item in node["attrs"]}
    assert attributes["operator"] == "linear_in_out"
    assert attributes["transformer.h.*.attn.c_attn.weight"] == "float32[768, 2304]"
    assert attributes["params"] == f"{12 * (768 + 1) * 2304:,}"
    assert node["incomingEdges"] == [
        {"sourceNodeId": "transformer.h.*.ln_1", "sourceNodeOutputId": "0", "targetNodeInputId": "0"}
    ]
    assert node["outputsMetadata"] == [{"id": "0", "attrs": [{"key": "tensor_shape", "value": "float32[1, 16, 2304]"}]}]


def test_a_name_with_a_slash_is_one_layer() -> None:
    """The viewer splits layers at slashes."""
    b = graphacct.Builder("odd")
    x = b.input("x", (2,))
    with b.scope("a/b"):
        y = b.apply("relu", x, name="act")
    found = nodes_of(graphacct.account(b.graph(y)))
    assert [node["namespace"] for node in found.values()] == ["", "a∕b"]
