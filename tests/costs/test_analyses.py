"""Analyses: what a plugin finds out about nodes, and its quantities read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphacct
from graphacct import Analysis, AnnotatedGraph, Builder, Graph, Quantity, Value, hookimpl
from graphacct.errors import PluginError
from graphacct.hooks.manager import Plugins, load


class Extra:
    """A plugin with an analysis, and a quantity that reads it."""

    def __init__(self, of: Callable[[AnnotatedGraph], Any]) -> None:
        self.analysis = Analysis("place", of, "Which node it is.")

    @hookimpl
    def graphacct_register_analyses(self) -> tuple[Analysis, ...]:
        return (self.analysis,)

    @hookimpl
    def graphacct_register_quantities(self) -> tuple[Quantity, ...]:
        of = lambda record: record.analyses["place"]  # noqa: E731
        return (Quantity("places", "", of), Quantity("last_place", "", of, repeats_included=True, combine="max"))


def places(annotated: AnnotatedGraph) -> dict[str, int]:
    return {record.node.name: place for place, record in enumerate(annotated.costs, 1)}


def with_analysis(of: Callable[[AnnotatedGraph], Any]) -> Plugins:
    plugins = load()
    plugins.register(Extra(of), "extra", "extra.py")
    return plugins


def model(plugins: Plugins) -> Graph:
    b = Builder("model", plugins.operators)

    def layer(inner: Builder, x: Value) -> Value:
        return inner.apply("linear", x, inner.parameter("fc.weight", (4, 4)), name="fc")

    return b.graph(b.apply("relu", b.repeat("layers", 3, layer, b.input("x", (2, 4))), name="act"))


@pytest.mark.parametrize("phase", ["forward", "train"])
def test_a_quantity_reads_its_own_analysis(phase: str) -> None:
    """The second node adds 2, the first 1 for each of 3 layers; in training the entry stands beside the step's."""
    plugins = with_analysis(places)
    graph = model(plugins)
    if phase == "train":
        report = graphacct.account("gpt2", phase="train", seq_len=8, plugins=plugins)
        assert report.total["last_place"] == len(report.annotated.costs)
        assert set(report.annotated.costs[0].analyses) == {"place", "training", "training-memory"}
    else:
        report = graphacct.account(graph, plugins=plugins)
        assert (report.total["places"], report.total["last_place"]) == (3 * 1 + 2, 2)


def test_an_entry_by_hand() -> None:
    """Without a plugin, an entry can be put into a record."""
    record = graphacct.annotate(model(load())).costs[0]
    assert record.analyses == {}
    assert record.with_analysis("a", 1).with_analysis("b", 2).analyses == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (lambda annotated: 1 // 0, r"failed: ZeroDivisionError: .* at .*:\d+"),
        (lambda annotated: [1, 2], r"returned \[1, 2\], which is no mapping from nodes to values"),
        (lambda annotated: {"fc": 1}, "names the node 'fc', which 'model' does not have"),
    ],
)
def test_one_that_fails(of: Callable[[AnnotatedGraph], Any], says: str) -> None:
    """The error names the analysis and its plugin."""
    plugins = with_analysis(of)
    with pytest.raises(PluginError, match=rf"^analysis 'place' of plugin extra \(extra\.py\) {says}$"):
        graphacct.account(model(plugins), plugins=plugins)


def test_a_quantity_without_its_analysis() -> None:
    """A node that the analysis left out has no entry, and the quantity's error names it."""
    plugins = with_analysis(lambda annotated: {})
    message = r"^quantity 'places' of plugin extra \(extra\.py\) failed: KeyError: 'place'"
    with pytest.raises(PluginError, match=message):
        graphacct.account(model(plugins), plugins=plugins)
