"""Dimensions are plain: an int, a sympy expression, a numpy array, or an int that records what is computed of it.

This file, `decisions.py`, `signs.py` and `extremes.py` alone know that there are several kinds. Formulas use `+ - * **`
and the helpers below; checks fire only between sizes with a value (`has_value`): a symbol or a sweep has no single one
to check. sympy, numpy and `formulas/` are never imported here: a value of theirs can only arrive when the caller has
imported them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from graphacct.errors import ConfigError, brief
from graphacct.extremes import largest

if TYPE_CHECKING:
    import numpy
    import sympy

    from graphacct.formulas.traced_size import TracedSize

    Dim: TypeAlias = int | TracedSize | sympy.Expr | numpy.ndarray[Any, Any]
    Figure: TypeAlias = int
else:
    Dim = Any
    Figure = Any
    """A figure of a report: an int where the sizes are ints, and typed so. Where a caller's sizes are symbols or
    arrays, so are the figures."""

MIN_DIM = 1
"""The smallest size a tensor dimension can have; a symbol may be any size from it on."""
MAX_DIM = 2**63 - 1
"""The largest size a tensor dimension can have (a signed 64-bit index, as in torch and numpy)."""


def is_symbol(value: object) -> bool:
    """Returns whether `value` is a sympy expression (without importing sympy)."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Basic)


def is_array(value: object) -> bool:
    """Returns whether `value` is a numpy array (without importing numpy)."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_traced(value: object) -> TypeGuard[TracedSize]:
    """Returns whether `value` is a size that records what is computed of it (`formulas/trace.py`)."""
    module = sys.modules.get("graphacct.formulas.traced_size")
    return module is not None and isinstance(value, module.TracedSize)


def has_value(value: object) -> TypeGuard[int]:
    """Returns whether a size is one number, so that comparing it gives an answer: an int, or a traced size, which
    computes and compares as one."""
    return type(value) is int or is_traced(value)


def check_dim(value: Any, subject: str, minimum: int = 1) -> Dim:
    """Returns `value` as a dimension. Raises a ConfigError that names `subject` if it is none.

    Ints (and whatever has `__index__`, numpy scalars included) must lie in `minimum .. 2**63 - 1`. Arrays must be
    float64, or Python ints (dtype object): int64 wraps silently, and most wrong products look plausible.
    """
    if type(value) is not int:
        if is_symbol(value) and not getattr(value, "is_Integer", False):
            return value
        if is_traced(value):
            if value < minimum:
                raise ConfigError(f"{subject} must be {_at_least(minimum)}, not {value.value}")
            return value
        if is_array(value):
            if value.dtype.kind in "iu":
                raise ConfigError(
                    f"{subject} is an array of {value.dtype}, whose products wrap silently; "
                    "use .astype(float) for a sweep or .astype(object) for exact ints"
                )
            return value
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ConfigError(f"{subject} must be an integer, not {brief(value)}{_as_typed(value)}")
        value = value.__index__()
    if not minimum <= value <= MAX_DIM:
        raise ConfigError(f"{subject} must be {_at_least(minimum)}, not {brief(value)}")
    return value


def _as_typed(value: Any) -> str:
    """Returns the advice for a text: the integer that a command line reads in it."""
    if not isinstance(value, str):
        return ""
    from graphacct.sizes import parse_size  # an error alone needs it

    try:
        return f": write {parse_size(value)}"
    except ConfigError:
        return ""


def _at_least(minimum: int) -> str:
    return "positive and below 2**63" if minimum == 1 else f"at least {minimum} and below 2**63"


def prod(dims: Iterable[Dim]) -> Dim:
    """Returns the product of `dims`; 1 for none."""
    return math.prod(dims)  # it multiplies symbols and arrays as well


def same(a: Dim, b: Dim) -> bool:
    """Returns whether two dimensions are known to be equal: ints and traced sizes by value, symbols by structure,
    arrays element by element."""
    if a is b:
        return True
    if type(a) is int and type(b) is int:
        return a == b
    if is_array(a) or is_array(b):
        if getattr(a, "shape", None) != getattr(b, "shape", None):
            return False
        equal: Any = a == b
        return bool(equal.all())
    return bool(a == b)


def same_shape(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Returns whether two shapes are known to be equal."""
    return len(a) == len(b) and all(map(same, a, b))


def differ(a: Dim, b: Dim) -> bool:
    """Returns whether two dimensions are known to differ: only those with a value can."""
    if type(a) is int and type(b) is int:
        return a != b
    return has_value(a) and has_value(b) and bool(a != b)


def some_below(dim: Dim, bound: int) -> bool:
    """Returns whether a dimension, or one point of a sweep, is known to be below a bound; a symbol never is."""
    if is_array(dim):
        below: Any = dim < bound
        return bool(below.any())
    return has_value(dim) and bool(dim < bound)


def magnitude(dim: Any) -> int:
    """Returns an int that orders products of dimensions if one divides the other: a symbol's value with all symbols at
    64, or a sweep's largest."""
    if is_symbol(dim):
        return int(dim.subs(dict.fromkeys(dim.free_symbols, 64)))
    if is_traced(dim):
        return int(dim.value)
    return int(dim.max()) if is_array(dim) else int(dim)


def exact_div(a: Dim, b: Dim, subject: str = "quotient") -> Dim:
    """Returns `a / b`. Raises ConfigError, which names `subject`, if ints leave a remainder."""
    if type(a) is int and type(b) is int:
        if b == 0 or a % b:
            raise ConfigError(f"{subject}: {a} is not divisible by {b}")
        return a // b
    if has_value(a) and has_value(b):
        if b == 0 or a % b:
            raise ConfigError(f"{subject}: {a} is not divisible by {b}")
        return a // b
    if _whole(a) and _whole(b):
        return a // b  # `/` would make floats of exact ints
    return a / b


def _whole(value: Any) -> bool:
    """Returns whether `value` is an int or an array of Python ints."""
    return type(value) is int or (is_array(value) and value.dtype == object)


def floor_div(a: Dim, b: Dim) -> Dim:
    """Returns `a / b` rounded down."""
    return a // b


def ceil_div(a: Dim, b: Dim) -> Dim:
    """Returns `a / b` rounded up."""
    return -(-a // b)


def maximum(a: Dim, b: Dim) -> Dim:
    """Returns the larger of the two, element by element for arrays, `Max(a, b)` for symbols."""
    return _extreme(a, b, "Max", "maximum")


def largest_of(values: Sequence[Dim]) -> Dim:
    """Returns the largest of several sizes, as `maximum` of one after the other; 0 of none."""
    if all(type(value) is int for value in values):
        return max(values, default=0)
    for size in values:
        if is_traced(size):
            return size.trace.largest(*values)
    nothing: Dim = 0
    return reduce(maximum, values, nothing)


def largest_when_read(values: Sequence[Dim]) -> Dim:
    """Returns the largest of several sizes; of traced ones, the formula is found when it is first asked for."""
    if all(type(value) is int for value in values):
        return max(values, default=0)
    for size in values:
        if is_traced(size):
            return size.trace.largest_of(values)
    return largest_of(values)


def minimum(a: Dim, b: Dim) -> Dim:
    """Returns the smaller of the two, element by element for arrays, `Min(a, b)` for symbols."""
    return _extreme(a, b, "Min", "minimum")


def _extreme(a: Dim, b: Dim, symbolic: str, numeric: str) -> Dim:
    if is_array(a) or is_array(b):
        return getattr(sys.modules["numpy"], numeric)(a, b)
    for size in (a, b):
        if is_traced(size):
            return size.trace.largest(a, b) if symbolic == "Max" else size.trace.smallest(a, b)
    if is_symbol(a) or is_symbol(b):
        return largest(a, b) if symbolic == "Max" else getattr(sys.modules["sympy"], symbolic)(a, b)
    return max(a, b) if symbolic == "Max" else min(a, b)


def dim_text(dim: Dim) -> str:
    """Returns a dimension as it is printed in messages and pictures."""
    return f"array{getattr(dim, 'shape', ())}" if is_array(dim) else str(dim)


def shape_text(shape: Iterable[Dim]) -> str:
    """Returns a shape as it is printed in messages and pictures: `[1, 1024, 1600]`."""
    return f"[{', '.join(map(dim_text, shape))}]"


def digits(value: Any) -> str:
    """Returns a figure with its digits in groups, `1,557,611,200`; a symbol's as text."""
    return f"{value:,}" if isinstance(value, int) else str(value)
