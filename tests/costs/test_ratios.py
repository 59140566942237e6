"""Ratios: quantities of a row's others, worked out where they are asked for and never added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy
import pytest
import sympy

import graphacct
from graphacct import ConfigError, Quantity, Report, hookimpl
from graphacct.costs.quantities import CORE
from graphacct.costs.ratios import ratio
from graphacct.errors import PluginError, UnknownNameError
from graphacct.hooks.manager import load

NAME = "arithmetic_intensity"
INTENSITY = next(item for item in CORE if item.name == NAME)


def intensity(flops: Any, read: Any, write: Any) -> Any:
    return ratio(INTENSITY, "graphacct.builtin", {"flops": flops, "read_bytes": read, "write_bytes": write})


@pytest.fixture(scope="module")
def report() -> Report:
    return graphacct.account("gpt2", seq_len=8)


def test_of_rows_and_totals(report: Report) -> None:
    """Of a scope it is that of its sums, not the sum of its parts': flops by what is read and written."""
    for values in (report.total, *(row.values for row in (*report.by_scope, *report.by_operator))):
        traffic = values["read_bytes"] + values["write_bytes"]
        assert report.figure(NAME, values) == (values["flops"] / traffic if traffic else None)
    # the head: 2 · 8 · 768 · 50,257 FLOPs; 8 · 768 and 50,257 · 768 read, 8 · 50,257 written, 4 bytes each
    expected = 2 * 8 * 768 * 50257 / (4 * (8 * 768 + 50257 * 768 + 8 * 50257))
    assert report.figure(NAME, report["lm_head"].values) == expected


def test_it_is_there_where_it_is_asked_for(report: Report) -> None:
    """A report's JSON, records and columns are without it until it is named."""
    assert NAME not in report.total
    assert NAME not in report.to_dict()["by_scope"][0]
    assert [item.name for item in report.quantities].count(NAME) == 0
    named = report.to_dict([NAME])
    plain = report.to_dict()
    for part in ("by_scope", "by_operator"):
        rows = getattr(report, part)
        assert [row.pop(NAME) for row in named[part]] == [report.figure(NAME, row.values) for row in rows]
    assert named["total"].pop(NAME) == report.figure(NAME)
    assert named == plain
    assert report.records("node", [NAME])[-1][NAME] == report.figure(NAME, report["lm_head"].values)


def test_a_row_that_moves_nothing_has_none() -> None:
    """A division by zero is None for numbers, for symbols, and point by point in a sweep."""
    n = sympy.Symbol("n", positive=True, integer=True)
    assert intensity(0, 0, 0) is None
    assert intensity(n, 0, 0) is None
    assert intensity(8 * n, n, 3 * n) == 2
    found = intensity(numpy.array([8, 8], object), numpy.array([0, 4], object), 0)
    assert found.tolist() == [None, 2.0]
    grid = intensity(numpy.full((2, 3), 6.0), numpy.array([[1.0], [2.0]]), numpy.array([1.0, 2.0, 4.0]))
    assert grid.tolist() == [[3.0, 2.0, 1.2], [2.0, 1.5, 1.0]]
    assert (grid.shape, grid.dtype) == ((2, 3), float)


def test_reports_of_symbols_and_sweeps() -> None:
    """A formula in the sizes that were symbols, and an array of a sweep."""
    n = sympy.Symbol("n", positive=True, integer=True)
    formula, numbers = (graphacct.account("gpt2", seq_len=size).figure(NAME) for size in (n, 64))
    assert float(formula.subs(n, 64)) == pytest.approx(numbers)
    swept = graphacct.account("gpt2", seq_len=numpy.array([8, 64], object)).figure(NAME)
    assert swept.tolist() == [graphacct.account("gpt2", seq_len=size).figure(NAME) for size in (8, 64)]


class Extra:
    """A plugin that registers a ratio."""

    def __init__(self, of_row: Callable[[Mapping[str, Any]], Any], **options: Any) -> None:
        self.quantity = Quantity("odd", "", of_row=of_row, **options)

    @hookimpl
    def graphacct_register_quantities(self) -> tuple[Quantity, ...]:
        return (self.quantity,)


def of_plugin(of_row: Callable[[Mapping[str, Any]], Any], **options: Any) -> Report:
    plugins = load()
    plugins.register(Extra(of_row, **options), "extra", "extra.py")
    return graphacct.account("gpt2", seq_len=8, plugins=plugins)


@pytest.mark.parametrize(
    ("of_row", "says"),
    [
        (lambda row: row["flop"], r"failed: KeyError: 'flop' at .*:\d+"),
        (lambda row: "much", "returned 'much', which is no number"),
        (lambda row: row["flops"] > 0, "returned True, which is no number"),
    ],
)
def test_one_that_fails(of_row: Callable[[Mapping[str, Any]], Any], says: str) -> None:
    """The error names the quantity and the plugin, and comes where the ratio is asked for."""
    report = of_plugin(of_row)
    with pytest.raises(PluginError, match=rf"^quantity 'odd' of plugin extra \(extra\.py\) {says}$"):
        report.figure("odd")


def test_infinity_is_none() -> None:
    """A quotient of floats that a plugin lets become infinite or NaN is none."""
    assert of_plugin(lambda row: float("inf")).figure("odd") is None
    assert of_plugin(lambda row: float("nan")).figure("odd") is None
    assert of_plugin(lambda row: None).figure("odd") is None


def test_one_of_another_phase(report: Report) -> None:
    """It is said in which phase it is; one that nobody has is unknown."""
    with pytest.raises(ConfigError, match="odd exists only in phase train: add phase='train'"):
        of_plugin(lambda row: row["step_flops"], phase="train").figure("odd")
    with pytest.raises(UnknownNameError, match=f"unknown quantity 'arithmetic_intensty'; did you mean '{NAME}'"):
        report.figure("arithmetic_intensty")


def test_explained(report: Report) -> None:
    """The formula is the function's own, computed with sizes that record it."""
    text = str(graphacct.explain(report, "lm_head", NAME))
    assert f"{NAME} = flops / (read_bytes + write_bytes) = 617,558,016 / (154,414,080 + 1,608,224) = 3.95814" in text
    scope = graphacct.explain(report, "transformer.h.*", NAME)
    assert scope.lines[0].value == report.figure(NAME, report["transformer.h.*"].values)
    assert "none (it divides by zero)" in str(graphacct.explain(of_plugin(lambda row: 1 / 0), "lm_head", "odd"))
