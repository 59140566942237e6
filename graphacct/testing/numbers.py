"""What formulas with symbols are worth for given numbers, exactly: in a fraction of sympy's time."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import mod
from typing import Any


class Numbers:
    """Numbers for symbols. What a formula is worth is remembered, so that totals with common parts share it."""

    def __init__(self, values: Mapping[Any, int]) -> None:
        sympy = sys.modules["sympy"]
        self.replaced = {symbol: sympy.Integer(number) for symbol, number in values.items()}
        self.known: dict[Any, Any] = dict(values)
        self.rules: dict[type, Callable[..., Any]] = {
            sympy.Add: lambda *parts: sum(parts),
            sympy.Mul: lambda *parts: math.prod(parts),
            sympy.Max: max,
            sympy.Min: min,
            sympy.floor: math.floor,
            sympy.ceiling: math.ceil,
            sympy.Mod: mod,
        }

    def of(self, formula: Any) -> Any:
        """Returns what a formula is worth: an int or a Fraction; what sympy says of it if it has other functions."""
        found = self.known.get(formula)
        if found is None:
            found = self.known[formula] = self._computed(formula)
        return found

    def _computed(self, formula: Any) -> Any:
        if getattr(formula, "is_Rational", False):
            return formula.p if formula.q == 1 else Fraction(formula.p, formula.q)
        rule = self.rules.get(type(formula))
        if rule is not None:
            parts = [self.of(part) for part in formula.args]
            if all(type(part) is int or type(part) is Fraction for part in parts):
                return rule(*parts)
        elif getattr(formula, "is_Pow", False) and formula.exp.is_Integer:
            base = self.of(formula.base)
            if type(base) is int or type(base) is Fraction:
                return Fraction(base) ** int(formula.exp)
        if not hasattr(formula, "xreplace"):
            return formula
        found = formula.xreplace(self.replaced)
        return self.of(found) if found.is_Rational else found
