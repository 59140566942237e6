"""Rolling up: repeats, maxima, parameters once per storage, rows by scope, operator and parameter."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import Builder, Graph, Parameter, Quantity, Report, TensorSpec, Value, hookimpl
from graphacct.errors import ConfigError, PluginError, UnknownNameError
from graphacct.graph.paths import covers
from graphacct.hooks.manager import Plugins, default, load


def model() -> Graph:
    """Three layers of two experts, a parameter shared by all, one shared within a layer, a tied head and a buffer."""
    b = Builder("model", default().operators)
    x = b.input("x", (2, 4))

    def expert(inner: Builder, x: Value) -> Value:
        y = inner.apply("linear", x, inner.parameter("fc.weight", (4, 4)), name="fc")
        return inner.apply("linear", y, Parameter("h.*.joint.weight", TensorSpec((4, 4))), name="joint")

    def layer(inner: Builder, x: Value) -> Value:
        y = inner.repeat("experts", 2, expert, x)
        return inner.apply("linear", y, Parameter("common.weight", TensorSpec((4, 4))), name="common")

    x = b.repeat("h", 3, layer, x)
    x = b.apply("mul", x, b.parameter("running", (4,), buffer=True), name="norm")
    with b.scope("head"):
        return b.graph(b.apply("linear", x, b.parameter("weight", (4, 4), tied_to="common.weight"), name="out"))


def rows(report: Report, quantity: str) -> dict[str, Any]:
    return {row.path: (row.repeat, row.values[quantity]) for row in report.by_scope}


FLOPS = 2 * 2 * 4 * 4  # a (2, 4) by (4, 4) product: 2 FLOPs for each of 2 * 4 * 4 combinations


def test_repeats_multiply() -> None:
    """A node in nested blocks counts the product of their repeats; its row stands for that many modules."""
    assert rows(graphacct.account(model()), "matmul_flops") == {
        "h.*": (3, 15 * FLOPS),
        "h.*.experts.*": (6, 12 * FLOPS),
        "h.*.experts.*.fc": (6, 6 * FLOPS),
        "h.*.experts.*.joint": (6, 6 * FLOPS),
        "h.*.common": (3, 3 * FLOPS),
        "norm": (1, 0),
        "head": (1, FLOPS),
        "head.out": (1, FLOPS),
    }


def test_parameters_count_once_per_storage() -> None:
    """Of 16 elements each: fc in 6 experts, joint in 3 layers, common once; the tied head and the buffer not at all."""
    report = graphacct.account(model())
    assert rows(report, "params") == {
        "h.*": (3, 160),
        "h.*.experts.*": (6, 144),
        "h.*.experts.*.fc": (6, 96),
        "h.*.experts.*.joint": (6, 48),
        "h.*.common": (3, 16),
        "norm": (1, 0),
        "head": (1, 0),
        "head.out": (1, 0),
    }
    assert report.total["params"] == 160
    assert report.total["param_bytes"] == 640


def test_rows_by_parameter() -> None:
    """Every tensor of the checkpoint is listed, with its count, its tie and whether it is a buffer."""
    lines = graphacct.account(model()).by_parameter
    assert [(line.parameter.name, line.count, line.parameter.tied_to, line.parameter.buffer) for line in lines] == [
        ("h.*.experts.*.fc.weight", 6, "", False),
        ("h.*.joint.weight", 3, "", False),
        ("common.weight", 1, "", False),
        ("running", 1, "", True),
        ("head.weight", 1, "common.weight", False),
    ]


def test_rows_by_operator() -> None:
    """A row for each operator, the one with most FLOPs first; `repeat` says how often it runs."""
    by_operator = graphacct.account(model()).by_operator
    assert [(row.path, row.repeat, row.values["flops"]) for row in by_operator] == [
        ("linear", 16, 16 * FLOPS),
        ("mul", 1, 8),  # one per element of (2, 4)
    ]


def test_shares() -> None:
    """A row's share is its part of the model's FLOPs; of a model without any, nothing."""
    report = graphacct.account(model())
    assert report["h.*"].share == 15 * FLOPS / (16 * FLOPS + 8)
    b = Builder("views", default().operators)
    views = graphacct.account(b.graph(b.apply("transpose", b.input("x", (2, 3)), dims=(0, 1))))
    assert [row.share for row in views.by_scope] == [0.0]


def test_depth_counts_scopes() -> None:
    """A row's depth is the number of scopes around it; an index belongs to the name before it."""
    depths = {row.path: row.depth for row in graphacct.account(model()).by_scope}
    assert depths["h.*"] == 0
    assert depths["h.*.experts.*"] == 1
    assert depths["h.*.experts.*.fc"] == 2


def test_an_empty_graph() -> None:
    """A graph without nodes has zero of everything."""
    b = Builder("empty", default().operators)
    report = graphacct.account(b.graph(b.input("x", (2,))))
    assert set(report.total.values()) == {0}
    assert (report.by_scope, report.by_operator, report.by_parameter) == ((), (), ())
    assert str(report.coverage) == "0 of 0 nodes costed"


def test_the_representation_is_one_line() -> None:
    """At a prompt a report of any size is a line; `print` gives the table, a notebook shows it."""
    report = graphacct.account("gpt2", attention="eager")
    assert repr(report) == "<Report gpt2: convention exact, 31 of 31 nodes costed>"
    assert repr(report.annotated) == "<AnnotatedGraph gpt2: 31 nodes, convention exact>"
    assert repr(report.annotated.graph) == "<Graph gpt2: 31 nodes>"


def test_a_path_finds_its_row() -> None:
    """A report is indexed by path; an unknown one suggests the closest."""
    report = graphacct.account("gpt2", attention="eager")
    assert report["transformer.h.*.attn"].path == "transformer.h.*.attn"
    message = r"^unknown path 'transformer\.h\.\*\.atn'; did you mean 'transformer\.h\.\*\.attn'\?$"
    with pytest.raises(UnknownNameError, match=message):
        report["transformer.h.*.atn"]
    with pytest.raises(UnknownNameError, match=r"'transformer\.h\.\*' is the row of all of them"):
        report["h.0"]


@attrs.frozen
class Extra:
    """A plugin that registers quantities."""

    quantities: tuple[Quantity, ...]

    @hookimpl
    def graphacct_register_quantities(self) -> tuple[Quantity, ...]:
        return self.quantities


def with_quantity(quantity: Quantity) -> Plugins:
    plugins = load()
    plugins.register(Extra((quantity,)), "extra", "test")
    return plugins


def test_a_maximum_is_not_multiplied() -> None:
    """A quantity that combines by maximum is the largest of the nodes, whatever the repeats."""
    largest = Quantity("largest", "byte", lambda record: record.cost.write_bytes, combine="max")
    report = graphacct.account(model(), plugins=with_quantity(largest))
    assert report.total["largest"] == 2 * 4 * 4
    assert {row.values["largest"] for row in report.by_scope} == {2 * 4 * 4}
    widest = Quantity("widest", "parameter", of_parameter=lambda p: p.spec.elements, combine="max")
    report = graphacct.account(model(), plugins=with_quantity(widest))
    assert report.total["widest"] == 16
    assert report["head"].values["widest"] == 0


def test_a_quantity_that_fails() -> None:
    """A quantity whose formula fails is named with its plugin."""
    broken = Quantity("watts", "W", lambda record: record.cost.watts)
    message = r"^quantity 'watts' of plugin extra \(test\) failed: AttributeError: .*watts.* at .*test_rollup\.py:\d+$"
    with pytest.raises(PluginError, match=message):
        graphacct.account(model(), plugins=with_quantity(broken))


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("combine", "combine of quantity 'odd' is 'nodes'; known: max, sum"),
        ("phase", "phase of quantity 'odd' is 'nodes'; known: decode, forward, prefill, train"),
    ],
)
def test_a_quantity_says_how_it_combines(field: str, says: str) -> None:
    """Its choices are a few words each; another is an error where the quantity is made."""
    options: dict[str, Any] = {field: "nodes"}
    with pytest.raises(ConfigError, match=re.escape(says)):
        Quantity("odd", "byte", lambda record: 0, **options)


def test_a_quantity_has_one_formula() -> None:
    """None and two are errors where the quantity is made."""
    formulas = "give one of of_node, of_parameter, of_owned, of_row"
    with pytest.raises(ConfigError, match=f"^quantity 'odd' has no formula: {formulas}$"):
        Quantity("odd", "byte")
    with pytest.raises(ConfigError, match=f"^quantity 'odd' has of_node and of_row: {formulas}$"):
        Quantity("odd", "byte", lambda record: 0, of_row=lambda row: 0)


def test_layers_in_any_order_are_looked_up_by_their_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that has blocks and layers by themselves is asked for each of these once, whatever the number of blocks: a
    file of 39 kB with 2,000 layers of two kinds in any order took a minute."""
    asked: list[str] = []

    def counted(path: str, repeats: Any, other: str) -> bool:
        asked.append(other)
        return covers(path, repeats, other)

    monkeypatch.setattr("graphacct.reports.rows.covers", counted)
    b = Builder("irregular", default().operators)
    x = b.input("x", (2, 4))
    for start in range(0, 900, 3):  # two layers in a block, and one by itself
        x = b.repeat("layers", 2, lambda inner, y: inner.apply("relu", y, name="act"), x, start=start)
        x = b.apply("relu", x, name=f"layers.{start + 2}.act")
    assert graphacct.account(b.graph(x))["layers.*"].repeat == 900
    assert len(asked) <= 2 * 300  # the scope's row and the node's


def test_a_layer_beside_a_block_that_has_its_index_is_counted_once() -> None:
    """`layers.0` made outside a block of `layers.*` is the block's first, as T5's position biases are."""
    b = Builder("t5", default().operators)
    x = b.apply("relu", b.input("x", (2, 4)), name="layers.0.bias")
    for start in (0, 3):
        x = b.repeat("layers", 3, lambda inner, y: inner.apply("relu", y, name="act"), x, start=start)
    assert graphacct.account(b.graph(x))["layers.*"].repeat == 6
