"""The largest of sizes with symbols: what another is never below goes, and no value changes."""

from __future__ import annotations

import random

import sympy

from graphacct.dims import maximum

B, S = (sympy.Symbol(name, integer=True, positive=True) for name in ("batch", "length"))


def test_what_another_is_never_below_goes() -> None:
    """Symbols are 1 or more, so that b s is never below b; with a quotient rounded down, 0 or more, a sum is larger."""
    assert maximum(B, B * S) == B * S
    assert maximum(3 * B * S, sympy.Max(B * S, 2 * S)) == 3 * B * S
    assert maximum(B + sympy.floor(S / 8), B) == B + sympy.floor(S / 8)
    assert maximum(0, 7 * B) == 7 * B
    assert maximum(B * (S + 1), B * S + B) == B * (S + 1)


def test_what_may_be_either_stays() -> None:
    """A size above another for some values alone; a term whose sign is not known."""
    assert maximum(B, S) == sympy.Max(B, S)
    assert maximum(B**2, 2 * B) == sympy.Max(B**2, 2 * B)
    unknown = sympy.Symbol("unknown")
    assert maximum(B, B + unknown).subs({B: 2, unknown: -5}) == 2


def test_values_stay() -> None:
    """The largest of many random sums has the value of the largest at any sizes."""
    drawn = random.Random(0)
    terms = (1, B, S, B * S, B * S**2, sympy.ceiling(S / 8) * B)
    for _ in range(20):
        sizes = [sum(drawn.randint(-2, 9) * term for term in terms) for _ in range(12)]
        found = 0
        for size in sizes:
            found = maximum(found, size)
        for b, s in ((1, 1), (2, 7), (31, 3), (1, 64)):
            point = {B: sympy.Integer(b), S: sympy.Integer(s)}  # both at once: `subs` compares formulas of the other
            assert sympy.sympify(found).xreplace(point) == max(0, *(size.xreplace(point) for size in sizes))
