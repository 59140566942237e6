"""Inputs that get a gradient: their work, their memory, and that graphs keep them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

import graphacct
from graphacct import Builder, Graph, ReadError


def net() -> Graph:
    """x enters a product and is added to what comes out."""
    b = Builder("net")
    x = b.input("x", (4, 6))
    y = b.apply("linear", x, b.parameter("fc.weight", (6, 6)), name="fc")
    return attrs.evolve(b.graph(b.apply("add", x, y, name="sum")), trained_inputs=frozenset({"x"}))


def test_its_gradients_are_computed_and_added_where_it_is_first_read() -> None:
    rows = graphacct.account(net(), phase="train")
    assert rows.total["input_grad_matmul_flops"] == 2 * 4 * 6 * 6
    assert rows["fc"].values["input_grad_flops"] == 2 * 4 * 6 * 6 + 4 * 6  # two uses of x, one addition
    none = graphacct.account(attrs.evolve(net(), trained_inputs=frozenset()), phase="train").total
    assert none["input_grad_matmul_flops"] == 0


def test_its_gradient_is_in_memory() -> None:
    found = graphacct.memory(net(), phase="train", profile="torch-eager-cpu")
    # the output, its gradient, those of x and of the weight that the product gives, and the sum of the two of x
    assert found.backward_peak == 4 * (4 * 6 + 4 * 6 + 4 * 6 + 6 * 6 + 4 * 6)


def test_graphs_keep_them(tmp_path: Any) -> None:
    graph = net()
    graphacct.save(graph, tmp_path / "net.json")
    for other in (graphacct.load(tmp_path / "net.json"), Graph.from_nx(graph.nx), graph.unroll(), graph.fold()):
        assert other.trained_inputs == {"x"}
        assert graphacct.account(other, phase="train").total == graphacct.account(graph, phase="train").total


def test_a_file_says_true_or_false(tmp_path: Any) -> None:
    path = tmp_path / "net.json"
    graphacct.save(net(), path)
    path.write_text(path.read_text().replace('"trained": true', '"trained": 3'))
    with pytest.raises(ReadError, match="input 'x': 'trained' is true or false, not 3"):
        graphacct.load(path)
