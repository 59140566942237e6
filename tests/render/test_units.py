"""Human units."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from graphacct.render.units import bytes_, human, params, percent, si


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 FLOP"),
        (999, "999 FLOP"),
        (1_000, "1.00 kFLOP"),
        (9_995, "10.0 kFLOP"),  # 9.995 has no third digit: half to even gives 10.0
        (999_499, "999 kFLOP"),
        (999_500, "1.00 MFLOP"),
        (3_520_322_342_912, "3.52 TFLOP"),  # gpt2-xl at 1,024 tokens
        (10**33, "1.00e+3 QFLOP"),
        (836 * 10**36, "8.36e+8 QFLOP"),
        (-1_500, "-1.50 kFLOP"),
        (2.5e12, "2.50 TFLOP"),
        (float("inf"), "inf FLOP"),
    ],
)
def test_si_prefixes_stand_before_the_unit(value: float, text: str) -> None:
    """Three significant digits, and the prefix that leaves one to three digits before the point."""
    assert si(value, "FLOP") == text


def test_parameters_are_counted_in_millions_and_billions() -> None:
    """As model sizes are written: gpt2 has 124 M, gpt2-xl 1.56 B parameters."""
    assert params(124_439_808) == "124 M"
    assert params(1_557_611_200) == "1.56 B"


def test_bytes_come_in_both_systems_and_say_which() -> None:
    """6,230,444,800 bytes are 6.23 GB, and 6,230,444,800 / 1,024³ = 5.80 GiB."""
    assert bytes_(6_230_444_800) == "6.23 GB"
    assert bytes_(6_230_444_800, binary=True) == "5.80 GiB"
    assert bytes_(1_000, binary=True) == "1000 B"
    assert human(6_230_444_800, "byte", binary=True) == "5.80 GiB"


def test_a_symbol_prints_as_itself() -> None:
    """A formula has no prefix; a sympy number is a number."""
    assert si(2 * sympy.Symbol("n"), "FLOP") == "2*n FLOP"
    assert si(sympy.Integer(2_000), "FLOP") == "2.00 kFLOP"
    assert percent(sympy.Rational(1, 3)) == "33.33 %"


@pytest.mark.parametrize(
    ("share", "text"), [(0.65921, "65.92 %"), (1, "100.00 %"), (0.0, "0.00 %"), (1e-9, "<0.01 %"), (0.00005, "0.01 %")]
)
def test_a_small_share_is_not_zero(share: float, text: str) -> None:
    """Shares have two decimals; one that would round to 0 says that it is not."""
    assert percent(share) == text


@given(st.integers(min_value=1, max_value=10**45))
def test_no_value_is_off_by_more_than_half_of_the_last_digit(value: int) -> None:
    """What is printed, read back, is within 0.5 % of the value."""
    number, _, prefix = si(value).partition(" ")
    power = dict(zip(["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"], range(11), strict=True))[prefix]
    assert abs(Fraction(number) * 1000**power - value) <= Fraction(value, 200)
