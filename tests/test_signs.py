"""The signs that an expression can have for all sizes that its symbols may be."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from graphacct.signs import ANY, decided, signs

H, S = sympy.symbols("h s", integer=True, positive=True)


@pytest.mark.parametrize(
    ("expression", "least", "expected"),
    [
        (H * S - S, {H: 2}, {1}),  # r q + r + q + 1 with h = r + 2, s = q + 1
        (H - 1, {}, {0, 1}),
        (1 - 2 * H, {}, {-1}),
        (H - S, {}, ANY),
        (sympy.Integer(0), {}, {0}),
        (S - S * H, {}, {-1, 0}),
        (H / 2 - sympy.Rational(1, 2), {}, {0, 1}),
        (1 / H, {}, {1}),
        (-S / (H + 1), {}, {-1}),
        (sympy.floor(H / 2) * S, {}, {0, 1}),
        (sympy.Max(H, S) - 1, {}, ANY),
    ],
)
def test_signs(expression: sympy.Expr, least: dict[sympy.Symbol, int], expected: set[int]) -> None:
    assert signs(expression, least) == expected


POLYNOMIALS = st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3), st.integers(0, 3)), max_size=5)


@given(POLYNOMIALS, st.integers(1, 3), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_no_value_has_another_sign(
    terms: list[tuple[int, int, int]], lowest: int, above: list[tuple[int, int]]
) -> None:
    """What is decided for all sizes from the least ones on holds at any of them."""
    expression = sum((c * H**i * S**j for c, i, j in terms), sympy.Integer(0))
    found = signs(expression, {H: lowest})
    larger = decided("<", expression, {H: lowest})
    for h, s in above:
        value = sum(c * (h + lowest) ** i * (s + 1) ** j for c, i, j in terms)
        assert (value > 0) - (value < 0) in found
        assert larger is None or larger == (value > 0)
