"""Conditions as short relations that hold for the same sizes."""

from __future__ import annotations

import pytest
import sympy

from graphacct.relations import shortened

NUMBERS = (*range(1, 21), *range(60, 75), *range(250, 261), *range(505, 517), 599)
"""Those that a relation below changes at, on either side of each, and one beyond all."""
X, Y = (sympy.Symbol(name, integer=True, positive=True) for name in "xy")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([sympy.Ne(512, X), X <= 512], "x < 512"),
        ([X < 16, -X > -15], "x < 15"),
        ([X > 1, X > 3, sympy.Ne(X, 4)], "x > 4"),
        ([sympy.Ne(X, 70), X <= 64], "x <= 64"),
        ([sympy.Ne(4096, 64 * X)], "Ne(4096, 64*x)"),
        ([sympy.Ge(256, X)], "256 >= x"),
        ([sympy.Ne(X, Y), X > 1], "x > 1, Ne(x, y)"),
        ([], ""),
    ],
)
def test_relations(given: list[sympy.Rel], found: str) -> None:
    """The shorter ones hold for the same numbers."""
    short = shortened(given)
    assert ", ".join(map(str, short)) == found
    for x in NUMBERS:
        at = {X: x, Y: 3}
        assert all(r.subs(at) == True for r in short) == all(r.subs(at) == True for r in given)  # noqa: E712
