"""Annotation: a cost for every node, coverage, unknown operators, and errors that say who is at fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import (
    Block,
    Builder,
    Cost,
    Graph,
    GraphError,
    Node,
    Operator,
    Parameter,
    TensorSpec,
    Value,
    Work,
    hookimpl,
)
from graphacct.costs.annotate import annotate
from graphacct.errors import GraphacctError, OperatorError, PluginError, ShapeError, UnknownNameError
from graphacct.hooks.manager import Plugins, default, load

X = Value("x", TensorSpec((2, 4)))
WEIGHT = Parameter("w", TensorSpec((4, 4)))


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def graph(*nodes: Node | Block) -> Graph:
    return Graph("model", (X,), nodes, nodes[-1].outputs)


def node(name: str, operator: str, *inputs: Any, **attributes: Any) -> Node:
    return Node(name, operator, inputs or (X,), (Value(name, X.spec),), attributes)


@attrs.frozen
class Extra:
    """A plugin that registers operators."""

    operators: tuple[Operator, ...] = ()

    @hookimpl
    def graphacct_register_operators(self) -> tuple[Operator, ...]:
        return self.operators


def with_plugin(plugin: Any) -> Plugins:
    plugins = load()
    plugins.register(plugin, "extra", "extra-package 1.0")
    return plugins


def test_every_node_has_a_cost() -> None:
    """One record a node in schedule order, a block's body once, with the repeats around it."""
    annotated = annotate(graphacct.build("gpt2", seq_len=8))
    assert [record.node for record in annotated.costs] == list(annotated.graph.walk())
    assert {record.repeats for record in annotated.costs} == {(), (12,)}
    assert {record.times for record in annotated.costs} == {1, 12}
    assert annotated.uncosted == ()


def test_unknown_operators_are_errors() -> None:
    """A node that nothing can cost is an error that names it, the closest operator and both ways out."""
    message = (
        "node 'act': no operator 'rellu' is registered; did you mean 'relu'?\n"
        "register it in a plugin (docs/writing-a-plugin.md), or leave it out of the sums with unknown='report'"
    )
    with pytest.raises(UnknownNameError, match=exactly(message)):
        annotate(graph(node("act", "rellu")))


def test_unknown_operators_can_be_reported() -> None:
    """Under `report` such a node is in no sum, its parameters neither, and the coverage names it."""
    known, strange = node("fc", "linear", X, WEIGHT), node("act", "rellu", X, Parameter("slope", TensorSpec((4,))))
    report = graphacct.account(graph(known, strange), unknown="report")
    alone = graphacct.account(graph(known))
    assert report.total == alone.total
    assert str(report.coverage) == "1 of 2 nodes costed; no total contains act (rellu)"
    assert report.coverage.uncosted == (("act", "rellu"),)
    assert report.annotated.uncosted == (strange,)
    assert [row.path for row in report.by_scope] == ["fc", "act"], "the node has a row, at nothing"
    assert not any(report["act"].figures)


def test_a_long_list_of_uncosted_nodes_is_shortened() -> None:
    """The coverage names three and counts the others."""
    nodes = [node(f"n{index}", "strange") for index in range(5)]
    coverage = graphacct.account(graph(*nodes), unknown="report").coverage
    assert str(coverage) == (
        "0 of 5 nodes costed; no total contains n0 (strange), n1 (strange), n2 (strange) and 2 more"
    )


def test_the_policy_is_one_of_two() -> None:
    """A policy that is neither `error` nor `report` is refused."""
    with pytest.raises(UnknownNameError, match=exactly("unknown is 'error' or 'report', not 'ignore'")):
        annotate(graph(node("act", "relu")), unknown="ignore")


def test_operands_are_checked() -> None:
    """A hand-made node whose operands do not fit is an error that names node, operator and sizes."""
    bad = node("fc", "linear", X, Parameter("w", TensorSpec((4, 5))))
    message = "node 'fc', operator 'linear': dimension k is 4 in x but 5 in weight: x[2, 4], weight[4, 5] against "
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}"):
        annotate(graph(bad))


def test_outputs_are_checked() -> None:
    """A node that declares another output than its operator makes is an error with both."""
    bad = Node("act", "relu", (X,), (Value("act", TensorSpec((2, 5))),))
    message = "node 'act', operator 'relu': output 0 is [2, 4], but the graph says [2, 5]"
    with pytest.raises(ShapeError, match=exactly(message)):
        annotate(graph(bad))
    twice = Node("act", "relu", (X,), (Value("act:0", X.spec), Value("act:1", X.spec)))
    with pytest.raises(ShapeError, match=exactly("node 'act', operator 'relu': gives 1 outputs, not 2")):
        annotate(graph(twice))


def test_a_parameter_has_one_owner() -> None:
    """A storage that several nodes use is owned by the first; a tied name owns nothing."""
    head = node("head", "linear", X, Parameter("head.w", TensorSpec((4, 4)), tied_to="w"))
    annotated = annotate(graph(node("a", "linear", X, WEIGHT), node("b", "linear", X, WEIGHT), head))
    assert [record.owned for record in annotated.costs] == [(WEIGHT,), (), ()]


def test_one_name_has_one_shape() -> None:
    """Two parameters of one name and two shapes are an error that names the node and both."""
    other = Parameter("w", TensorSpec((4,)))
    message = "node 'b': parameter 'w' is float32[4] here but float32[4, 4] before"
    with pytest.raises(GraphError, match=exactly(message)):
        annotate(graph(node("a", "linear", X, WEIGHT), node("b", "mul", X, other)))


def test_a_tie_needs_its_target() -> None:
    """A parameter that is tied to a name which no node has is an error that suggests the closest."""
    head = node("head", "linear", X, Parameter("head.w", TensorSpec((4, 4)), tied_to="embedding.weigth"))
    table = node("fc", "linear", X, Parameter("embedding.weight", TensorSpec((4, 4))))
    message = (
        "parameter 'head.w' is tied to 'embedding.weigth', which no node of the graph has; "
        "did you mean 'embedding.weight'?"
    )
    with pytest.raises(GraphError, match=exactly(message)):
        annotate(graph(table, head))


def test_a_tie_may_come_before_its_target() -> None:
    """The order of use does not matter to a tie."""
    head = node("head", "linear", X, Parameter("head.w", TensorSpec((4, 4)), tied_to="w"))
    assert graphacct.account(graph(head, node("fc", "linear", X, WEIGHT))).total["params"] == 16


@graphacct.operator("x: ... -> ...")
def fragile(batch: Any) -> Work:
    """Fails on every operand."""
    return Work(vector_flops=batch // 0)


@graphacct.operator("x: ... -> ...")
def vague(batch: Any) -> Any:
    """Gives what is no work."""
    return batch


PLUGIN = Extra((fragile, vague))
FRAGILE = (
    r"^node 'act', operator 'fragile' of plugin extra \(extra-package 1\.0\) failed: ZeroDivisionError: "
    r"integer division or modulo by zero at .*test_annotate\.py:\d+$"
)
VAGUE = (
    "node 'act', operator 'vague' of plugin extra (extra-package 1.0): "
    "its formula returned 8; a formula returns Work(...)"
)


def test_a_formula_that_fails() -> None:
    """A plugin's operator that fails is one line with node, operator, plugin, error and place."""
    with pytest.raises(OperatorError, match=FRAGILE):
        annotate(graph(node("act", "fragile")), plugins=with_plugin(PLUGIN))
    with pytest.raises(OperatorError, match=exactly(VAGUE)):
        annotate(graph(node("act", "vague")), plugins=with_plugin(PLUGIN))


def test_a_formula_that_fails_in_a_builder() -> None:
    """The same where the model is built: the operator is applied there."""
    b = Builder("model", with_plugin(PLUGIN).operators)
    x = b.input("x", (2, 4))
    with pytest.raises(OperatorError, match=FRAGILE):
        b.apply("fragile", x, name="act")
    b = Builder("model", with_plugin(PLUGIN).operators)
    with pytest.raises(OperatorError, match=exactly(VAGUE)):
        b.apply("vague", b.input("x", (2, 4)), name="act")


@attrs.frozen
class Costs:
    """A plugin that costs nodes itself."""

    give: Any

    @hookimpl
    def graphacct_node_cost(self, node: Node, operator: Operator | None) -> Any:
        return self.give(node, operator)


class Doubles:
    """A plugin that wraps what the others return."""

    @hookimpl(wrapper=True)
    def graphacct_node_cost(self) -> Iterator[None]:
        cost = yield
        return cost and cost * 2


def test_a_plugin_may_cost_a_node() -> None:
    """The first plugin that gives a Cost decides, also for an operator that nobody registered."""
    plugins = with_plugin(Costs(lambda node, operator: Cost(matmul_flops=42) if operator is None else None))
    report = graphacct.account(graph(node("fc", "linear", X, WEIGHT), node("odd", "strange")), plugins=plugins)
    assert {row.path: row.values["matmul_flops"] for row in report.by_scope} == {"fc": 2 * 2 * 4 * 4, "odd": 42}
    assert report.coverage.costed == report.coverage.total == 2


def test_a_plugin_may_wrap_costs() -> None:
    """A wrapper adjusts what the core's implementation returns."""
    plain = graphacct.account("gpt2", seq_len=8).total
    doubled = graphacct.account("gpt2", seq_len=8, plugins=with_plugin(Doubles())).total
    assert doubled["flops"] == 2 * plain["flops"]
    assert doubled["params"] == plain["params"]


def test_a_cost_hook_that_fails() -> None:
    """A plugin whose hook fails is named, not the plugin that the operator is from."""
    plugins = with_plugin(Costs(lambda node, operator: 1 // 0))
    message = (
        r"^node 'act', operator 'relu': graphacct_node_cost of plugin extra \(extra-package 1\.0\) failed: "
        r"ZeroDivisionError: .* at .*test_annotate\.py:\d+$"
    )
    with pytest.raises(PluginError, match=message):
        annotate(graph(node("act", "relu")), plugins=plugins)


def test_a_wrapper_is_not_blamed_for_what_it_wraps() -> None:
    """An operator that fails under another plugin's wrapper is still the operator's failure."""
    plugins = with_plugin(PLUGIN)
    plugins.register(Doubles(), "doubles", "test")
    with pytest.raises(OperatorError, match=FRAGILE):
        annotate(graph(node("act", "fragile")), plugins=plugins)


def test_a_cost_hook_gives_costs() -> None:
    """A hook that returns something else is an error that shows it."""
    plugins = with_plugin(Costs(lambda node, operator: 42))
    with pytest.raises(GraphacctError, match=r"graphacct_node_cost \(of extra .*\) returned 42, which is no Cost"):
        annotate(graph(node("act", "relu")), plugins=plugins)


def test_hand_made_nodes_cost_what_built_ones_do() -> None:
    """A node that remembers nothing of how it was made is worked out again, to the same cost."""
    built = graphacct.build("transformer-lm-small", seq_len=16)
    flat = built.unroll()
    assert all(item.application is None for item in flat.walk())
    assert graphacct.account(flat).total == graphacct.account(built).total
    assert default() is default()
