"""Conditions as short relations: `length < 512` for `512 != length, length <= 512`.

sympy is not imported here: a relation can only arrive when the caller has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


def shortened(relations: Iterable[Any]) -> tuple[Any, ...]:
    """Returns relations that hold for the same positive integers: of the bounds of one symbol the narrowest, without
    the values left out next to them or outside of them, and without what holds for all sizes."""
    relations = tuple(relations)
    if not relations:
        return ()
    sympy = sys.modules["sympy"]
    low: dict[Any, Any] = {}
    high: dict[Any, Any] = {}
    strict: dict[Any, bool] = {}
    given: dict[Any, Any] = {}  # the relation that a bound comes from, if it is as short
    without: dict[Any, dict[Any, Any]] = {}
    others: dict[Any, None] = {}
    for relation in relations:
        kind, symbol, value = _of_one(relation)
        if kind == ">=":
            low[symbol] = max(low.get(symbol, 1), sympy.ceiling(value))
        elif kind in ("<=", "<"):
            bound = sympy.floor(value) if kind == "<=" else sympy.ceiling(value) - 1
            if symbol not in high or bound < high[symbol]:
                high[symbol], strict[symbol] = bound, kind == "<"
                given[symbol] = relation if symbol in (relation.lhs, relation.rhs) else None
        elif kind == "!=":
            without.setdefault(symbol, {})[value] = relation
        else:
            others[relation] = None
    above, below, beside = [], [], []
    for symbol in dict.fromkeys((*low, *high, *without)):
        least, most, left_out = low.get(symbol, sympy.Integer(1)), high.get(symbol), without.get(symbol, {})
        while least in left_out:
            least += 1
        while most is not None and most in left_out:
            most, strict[symbol], given[symbol] = most - 1, True, None
        if least > 1:
            above.append(symbol > least - 1)
        if most is not None:
            short = symbol < most + 1 if strict[symbol] else symbol <= most
            below.append(short if given[symbol] is None else given[symbol])
        inside = [value for value in left_out if value >= least and (most is None or value <= most)]
        beside += [left_out[value] for value in sorted(inside)]
    return (*above, *below, *beside, *others)


def _of_one(relation: Any) -> tuple[str, Any, Any]:
    """Returns a relation of one symbol to a number, such as `-x > -15`, as `<`, x and 15; no kind for another."""
    sympy = sys.modules["sympy"]
    symbols = sorted(relation.free_symbols, key=str)
    difference = sympy.expand(relation.lhs - relation.rhs)
    sized = len(symbols) == 1 and symbols[0].is_integer and symbols[0].is_positive
    if not sized or not difference.is_polynomial(symbols[0]) or sympy.degree(difference, symbols[0]) != 1:
        return "", None, None
    symbol = symbols[0]
    factor = difference.coeff(symbol, 1)
    value = -difference.coeff(symbol, 0) / factor
    kind = relation.rel_op
    if factor < 0:
        kind = kind.translate(str.maketrans("<>", "><"))
    if kind == ">":
        return ">=", symbol, sympy.floor(value) + 1
    if kind == "!=" and not value.is_Integer:
        return "!=", symbol, sympy.Integer(0)  # no size is
    return ("", None, None) if kind == "==" else (kind, symbol, value)
