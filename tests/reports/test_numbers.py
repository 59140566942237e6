"""`Report.at`: the formulas of a report at sizes."""

from __future__ import annotations

from typing import Any

import pytest
import sympy

import graphacct
from graphacct import GraphacctError, Report

B, S = sympy.symbols("b s", positive=True, integer=True)


def gpt2(phase: str = "forward", **sizes: Any) -> Report:
    return graphacct.account("gpt2", phase=phase, set={"n_layer": 3}, **sizes)


@pytest.mark.parametrize("phase", ["forward", "train"])
def test_a_report_at_sizes_is_that_of_the_sizes(phase: str) -> None:
    """Its totals and all its rows."""
    found, expected = gpt2(phase, batch=B, seq_len=S).at(b=2, s=64), gpt2(phase, batch=2, seq_len=64)
    assert found.total == expected.total
    assert [(row.path, row.values) for row in found.by_scope] == [(row.path, row.values) for row in expected.by_scope]
    assert found.conditions == ()
    assert found.workload["batch"] == 2


def test_symbols_that_are_not_named_stay() -> None:
    """One of two."""
    report = gpt2(batch=B, seq_len=S)
    half = report.at(b=2)
    assert half.total["flops"].free_symbols == {S}
    assert half.at(s=64).total == report.at(b=2, s=64).total


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"batch": 2}, "unknown symbol 'batch'; known: b, s"),
        ({"b": 0}, "b 0 is no positive integer, as a size is"),
        ({"s": 2.5}, "s 2.5 is no positive integer"),
        ({"s": 1}, "the figures hold for s > 1, which s=1 is not: ask for the model with numbers"),
    ],
)
def test_sizes_that_are_none(sizes: Any, message: str) -> None:
    """What is wrong, and the way out."""
    with pytest.raises(GraphacctError, match=message):
        gpt2("train", batch=B, seq_len=S).at(**sizes)
