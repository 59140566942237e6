"""Conditions on changes: what a name means in them, and what is refused as it could mean two things."""

from __future__ import annotations

import pytest

from graphacct.errors import ConfigError, UnknownNameError
from graphacct.expressions.change import condition

A = {"flops": 1000, "params": 50, "peak_bytes": 2**30, "macs": 0}
B = {"flops": 1030, "params": 40, "peak_bytes": 3 * 2**30 + 1, "macs": 7}
"""Changes: +30 (+3 %), -10 (-20 %), 2 GiB and 1 byte (+200.0…%), and 7 from nothing."""


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("flops > +3%", False),  # 30 / 1,000 is 3 % exactly
        ("flops >= 3%", True),
        ("flops > 2.999%", True),
        ("3% <= flops", True),
        ("flops > 29", True),
        ("flops > 30", False),
        ("params < -10%", True),
        ("params < -20%", False),
        ("params == -10", True),
        ("-1% < params < 1%", False),
        ("max(params, -params) > 10%", True),
        ("peak_bytes > 2GiB", True),
        ("peak_bytes > 2GiB + 1", False),
        ("peak_bytes > 200%", True),
        ("flops - params > 39", True),  # 30 + 10
        ("2 * flops / 3 == 20", True),
        ("max(flops, params) > 3%", False),
        ("flops > 1% and params > 0", False),
        ("flops > 1% or params > 0", True),
        ("not flops > 1%", False),
        ("macs > 0", True),
    ],
)
def test_a_name_is_a_change(text: str, holds: bool) -> None:
    assert condition(text).holds(A, B) is holds


def test_nothing_to_nothing_is_no_change() -> None:
    assert not condition("macs > 0%").holds({"macs": 0}, {"macs": 0})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flops", "neither true nor false"),
        ("flops + 3%", "neither true nor false"),
        ("1 > 0", "names no quantity"),
        ("flops > 3% + 1e6", "a percentage beside a plain number"),
        ("flops - 3% > 0", "stands on one side"),
        ("flops + params > 3%", "a percentage is of one quantity"),
        ("flops + 5 > 3%", "a percentage is of one quantity"),
        ("max(flops, 5) > 3%", "a percentage is of one quantity"),
        ("flops / params > 1", "'/' is of no change"),
        ("flops * params > 1", "'\\*' is of no change"),
        ("flops ** 2 > 1", "'\\*\\*' is of no change"),
        ("flops % 3 > 1", "'%' is of no change"),
        ("flops(attention) + flops(mlp) > 3%", "a percentage is of one quantity"),
        ("(flops > 1) + 1 > 0", "join comparisons"),
        ("flops >", "it ends at character 8"),
        ("flops > 3XB", "no known unit"),
    ],
)
def test_what_could_mean_two_things_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        condition(text)


def test_figures_that_no_condition_can_be_asked_of() -> None:
    with pytest.raises(ConfigError, match=r"macs goes from 0 to 7, which has no percentage: compare .* macs > 0"):
        condition("macs > 3%").holds(A, B)
    with pytest.raises(UnknownNameError, match="unknown quantity 'flop'; did you mean 'flops'"):
        condition("flop > 3%").holds(A, B)
    with pytest.raises(ConfigError, match=r"flops is .*, which is no number"):
        condition("flops > 3%").holds(A, {**B, "flops": "8*s"})


def test_a_call_is_the_change_of_a_part() -> None:
    """The figures of parts are asked for, by name and argument, and compared as those of totals."""
    parts = {("flops", "attention"): (50, 52), ("flops", "*.mlp"): (0, 7)}
    totals = {"flops": 100}

    def holds(text: str) -> bool:
        return condition(text).holds(totals, totals, lambda *call: parts[call])

    assert holds("flops(attention) > +3%")
    assert not holds("flops(attention) > +4%")
    assert holds('flops(attention) + flops("*.mlp") > 8 and flops < 1')
    with pytest.raises(ConfigError, match=r"""flops\("\*.mlp"\) goes from 0 to 7, which has no percentage"""):
        holds('flops("*.mlp") > 1%')
    with pytest.raises(ConfigError, match=r"flops\(attention\) is of a part, and none is known"):
        condition("flops(attention) > 1").holds(totals, totals)
