"""Signs: whether a symbolic expression is positive, zero or negative for all sizes that its symbols may be.

sympy is not imported here: an expression can only arrive when the caller has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from graphacct.dims import MIN_DIM

ANY = frozenset((-1, 0, 1))
"""All signs."""


def decided(kind: str, difference: Any, least: Mapping[Any, int]) -> bool | None:
    """Returns whether a difference is 0 (`==`) or positive (`<`) for all values of its symbols from `least` on; None
    if it is for some and for others not."""
    found = signs(difference, least)
    wanted = {0} if kind == "==" else {1}
    return True if found == wanted else False if found.isdisjoint(wanted) else None


def signs(expression: Any, least: Mapping[Any, int]) -> frozenset[int]:
    """Returns the signs that an expression can have, perhaps too many.

    Each symbol becomes its least value and a rest, which is 0 or more. If all coefficients of the polynomial in these
    rests are positive, so is the expression: h s - s with h from 2 and s from 1 on is r q + r + q + 1.
    """
    sympy = sys.modules["sympy"]
    expression = sympy.sympify(expression)
    lowest = frozenset((symbol, least.get(symbol, MIN_DIM)) for symbol in expression.free_symbols)
    return _signs(expression, lowest)


@lru_cache(maxsize=1 << 14)
def _signs(expression: Any, lowest: frozenset[tuple[Any, int]]) -> frozenset[int]:
    sympy = sys.modules["sympy"]
    moved = expression.subs({symbol: _rest(symbol) + low for symbol, low in lowest})
    polynomial = _signs_of_coefficients(sympy.expand(moved))
    if polynomial is not None:
        return polynomial
    above, below = sympy.fraction(sympy.together(moved))
    found = _polynomial_signs(sympy.expand(above)), _polynomial_signs(sympy.expand(below))
    return frozenset(a * b for a in found[0] for b in found[1])


def _signs_of_coefficients(expression: Any) -> frozenset[int] | None:
    """Returns the signs of an expanded polynomial in rests, None if it is none: sympy's own assumptions, which say the
    same, take ten times as long."""
    found: set[int] = set()
    definite = False
    for term in sys.modules["sympy"].Add.make_args(expression):
        coefficient, factors = term.as_coeff_mul()
        if not coefficient.is_Rational or not all(map(_is_power_of_rest, factors)):
            return None
        if coefficient:
            found.add(1 if coefficient > 0 else -1)
            definite = definite or not factors
    if len(found) > 1:
        return ANY
    return frozenset(found) if definite else frozenset((*found, 0))


def _is_power_of_rest(factor: Any) -> bool:
    base, exponent = factor.as_base_exp()
    return bool(base.is_Dummy and exponent.is_Integer and exponent > 0)


@lru_cache(maxsize=1 << 10)
def _rest(symbol: Any) -> Any:
    """Returns what a symbol is above its least value: one each time, so that sympy remembers what it found of it."""
    return sys.modules["sympy"].Dummy(symbol.name, integer=True, nonnegative=True)


def _polynomial_signs(expression: Any) -> frozenset[int]:
    found: set[int] = set()
    definite = False
    for term in sys.modules["sympy"].Add.make_args(expression):
        if term.is_zero:
            continue
        if not (term.is_nonnegative or term.is_nonpositive):
            return ANY
        found.add(1 if term.is_nonnegative else -1)
        definite = definite or bool(term.is_positive or term.is_negative)
    if len(found) > 1:
        return ANY
    return frozenset(found) if definite else frozenset((*found, 0))
