"""An operator through which no gradient flows: what lies before it computes none, and is told why."""

from __future__ import annotations

import graphacct
from graphacct import Builder, Graph
from graphacct.hooks.manager import default

STOPS = "detach"


def two_branches(stops: bool) -> Graph:
    """y = relu(x A) and y + (y B), with the second use of y without its history."""
    b = Builder("two", default().operators)
    x = b.input("x", (8, 4))
    y = b.apply("linear", x, b.parameter("a", (4, 4)), name="a")
    y = b.apply("relu", y, name="relu")
    z = b.apply(STOPS, y, name="stop") if stops else y
    z = b.apply("linear", z, b.parameter("b", (4, 4)), name="b")
    return b.graph(b.apply("add", y, z, name="sum"))


def test_its_operand_gets_no_gradient() -> None:
    """b's weight still has one, 2 · 8 · 4 · 4 = 256; its input's, another 256, and the 8 · 4 additions of two gradients
    of y go."""
    flows, stops = (graphacct.account(two_branches(stops), phase="train").total for stops in (False, True))
    assert flows["input_grad_matmul_flops"] - stops["input_grad_matmul_flops"] == 256
    assert flows["weight_grad_matmul_flops"] == stops["weight_grad_matmul_flops"] == 2 * 256
    assert flows["step_flops"] - stops["step_flops"] == 256 + 8 * 4


def test_nothing_is_trained_before_it() -> None:
    """If all goes through it, what comes before computes no gradient."""
    b = Builder("one", default().operators)
    x = b.apply("linear", b.input("x", (8, 4)), b.parameter("a", (4, 4)), name="a")
    x = b.apply(STOPS, b.apply("gelu", x, name="gelu"), name="stop")
    graph = b.graph(b.apply("linear", x, b.parameter("b", (4, 4)), name="b"))
    report = graphacct.account(graph, phase="train")
    assert report.total["weight_grad_matmul_flops"] == 256
    assert report.total["input_grad_flops"] == 0


def test_the_explanation_says_so() -> None:
    """`explain` names the operator that stops the gradient."""
    text = str(graphacct.explain(graphacct.account(two_branches(True), phase="train"), "stop"))
    assert "x: no gradient" in text
    assert "detach stops it" in text


def test_it_moves_nothing() -> None:
    """A view: no bytes, no storage of its own."""
    cost = default().operators[STOPS].apply([graphacct.TensorSpec((8, 4))], {}).cost
    assert (cost.flops, cost.read_bytes, cost.write_bytes, cost.activation_bytes) == (0, 0, 0, 0)
