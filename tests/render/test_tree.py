"""The tree of scopes: which rows a table shows, and which it shows as one line."""

from __future__ import annotations

import attrs
import pytest

from graphacct import Builder, ConfigError, Report, account
from graphacct.hooks.manager import default
from graphacct.render.sheet import sheet
from graphacct.render.table import table
from graphacct.render.tree import tree

VIEWS = ("left", "middle", "right", "last")


def _report(prefix: str = "", views: tuple[str, ...] = VIEWS, repeat: int = 1) -> Report:
    """A product, views of it (a copy first), and a relu."""
    builder = Builder("cut", default().operators)
    weight = builder.parameter(f"{prefix}up.weight", (8, 8))
    x = builder.apply("linear", builder.input("x", (4, 8)), weight, name=f"{prefix}up")
    for _ in range(repeat):
        for name in views:
            builder.apply("slice", x, dim=0, start=0, length=2, name=f"{prefix}{name}")
        x = builder.apply("relu", x, name=f"{prefix}act")
    return account(builder.graph(x))


def _labels(report: Report, depth: int | None = None) -> list[tuple[str, str]]:
    return [(line.cells[0], line.cells[1]) for line in sheet(report, depth=depth).lines]


def test_operators_without_work_are_one_line() -> None:
    """Four views in a row are one line, with what they sum up to; the table says how to see each."""
    report = _report()
    assert _labels(report) == [("up", "linear"), ("…", "4 operators"), ("act", "relu")]
    drawn = table(report)
    assert "a line … is several operators in a row without FLOPs and parameters; give a depth to list each" in drawn
    assert table(_report(views=VIEWS[:2])).count("…") == 0  # two have their own lines
    assert [label for label, _ in _labels(_report(views=VIEWS[:2]))] == ["up", "left", "middle", "act"]


def test_a_depth_lists_each() -> None:
    """With a depth, every row of so many levels has its line, and nothing has to be said."""
    report = _report("part.")
    assert [label for label, _ in _labels(report, 2)] == ["part", "up", *VIEWS, "act"]
    assert "…" not in table(report, depth=2)
    assert [line.indent for line in sheet(report).lines] == [0, 1, 1, 1]


def test_chosen_columns_gather_nothing() -> None:
    """Who asks for certain columns sees each operator's figures: the rule knows only FLOPs and parameters."""
    lines = sheet(_report(), columns=["read_bytes"]).lines
    assert [line.cells[0] for line in lines] == ["up", *VIEWS, "act"]


def test_a_line_has_the_sum_of_what_it_stands_for() -> None:
    """Bytes add up: three copies of 4x8 float32 are 3 * 128 bytes written."""
    builder = Builder("copies", default().operators)
    x = builder.apply("relu", builder.input("x", (4, 8)), name="act")
    for name in ("a", "b", "c"):
        builder.apply("concat", x, x, dim=0, name=name)
    branch = tree(account(builder.graph(x)), None)[-1]
    assert (branch.label, branch.gathered) == ("…", 3)
    assert branch.row.values["activation_bytes"] == 3 * 2 * 128


def test_an_operator_without_a_cost_is_not_gathered() -> None:
    """What is left out of every sum stands on its own line, between views too."""
    builder = Builder("odd", default().operators)
    x = builder.apply("relu", builder.input("x", (4, 8)), name="act")
    for index in range(3):
        builder.apply("slice", x, dim=0, start=0, length=2, name=f"a_{index}")
    graph = builder.graph(builder.apply("slice", x, dim=0, start=0, length=2, name="odd"))
    nodes = [attrs.evolve(node, operator="mystery") if node.name == "odd" else node for node in graph.nodes]
    report = account(attrs.evolve(graph, nodes=tuple(nodes)), unknown="report")
    assert [label for label, _ in _labels(report)] == ["act", "…", "odd"]


def test_scopes_around_everything_are_shown_beside_three_levels() -> None:
    """A wrapper's scopes take no levels from the model inside: three more are open if they fit in 30 lines."""
    report = _report("base.model.layers.part.", views=())
    assert [label for label, _ in _labels(report)] == ["base", "model", "layers", "part", "up", "act"]


def test_a_depth_is_positive() -> None:
    """There is no table of no level."""
    with pytest.raises(ConfigError, match="depth must be at least 1, not 0"):
        tree(_report(), 0)
