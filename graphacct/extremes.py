"""The largest of sizes with symbols: sympy's `Max`, without the sizes that another one is never below.

A peak is the largest of hundreds of sums, and `Max` compares each two of them with all that sympy can prove. Sums of
products of sizes need less: each symbol is its least value and a rest, which is 0 or more, so that a sum is never below
another if none of its coefficients is. sympy is not imported here: an expression can only arrive when the caller has
imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from math import comb, prod
from typing import Any, TypeAlias

Powers: TypeAlias = frozenset[tuple[Any, int]]
"""A product of powers: of the rests of symbols, and of what stands for itself, such as a quotient rounded down."""


def largest(first: Any, second: Any) -> Any:
    """Returns `Max(first, second)` of two sizes, at least one of them with symbols."""
    sympy = sys.modules["sympy"]
    kept: list[Any] = list(sympy.Max.make_args(sympy.sympify(first)))  # none of them is above another already
    for new in sympy.Max.make_args(sympy.sympify(second)):
        if not any(_never_below(old, new) for old in kept):
            kept = [old for old in kept if not _never_below(new, old)] + [new]
    return kept[0] if len(kept) == 1 else sympy.Max(*kept, evaluate=False)


def _never_below(high: Any, low: Any) -> bool:
    """Returns whether a size is known not to be below another, for all sizes that their symbols may be."""
    above, below = _coefficients(high), _coefficients(low)
    for powers in {**above, **below}:
        more = above.get(powers, 0) - below.get(powers, 0)
        if more < 0 or (more > 0 and not _never_negative(powers)):
            return False
    return True


@lru_cache(maxsize=4096)
def _coefficients(size: Any) -> Mapping[Powers, Any]:
    """Returns a size as a sum of products in the rests of its symbols, which are positive integers: b s is (1 + p) (1 +
    q), which is 1 + p + q + p q."""
    sympy = sys.modules["sympy"]
    found: dict[Powers, Any] = {}
    for term in sympy.Add.make_args(sympy.expand(size)):
        factor, rest = term.as_coeff_Mul()
        each = [_in_rests(part, power) for part, power in rest.as_powers_dict().items() if part != 1]
        for chosen in product(*each):
            powers = frozenset((part, power) for part, power, _ in chosen if power)
            found[powers] = found.get(powers, 0) + factor * prod(many for _, _, many in chosen)
    return found


def _in_rests(part: Any, power: Any) -> list[tuple[Any, int, int]]:
    """Returns the terms of a power in the rest of a symbol, (1 + r)^2 = 1 + 2 r + r^2: what, its power, how often."""
    if part.is_Symbol and part.is_integer and part.is_positive and power.is_Integer and power > 0:
        return [(part, i, comb(int(power), i)) for i in range(int(power) + 1)]
    return [(part**power, 1, 1)]


@lru_cache(maxsize=4096)
def _never_negative(powers: Powers) -> bool:
    return all(part.is_nonnegative for part, _ in powers)
