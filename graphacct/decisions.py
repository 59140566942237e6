"""Decisions: comparisons of sizes that choose what runs, and the conditions under which a result with symbols holds.

Whether a reshape copies, or which attention kernel runs, depends on sizes. Ints decide. A symbol may be any positive
integer: if that does not decide, the general branch is taken (two sizes differ, a width is a multiple of 8) and the
condition is recorded, so that the result says when it holds: `seq_len > 1`. The points of an array must all agree.

    with recording() as conditions:
        equal(h * s, s)              # False
        conditions.found             # (h > 1,)

Whoever remembers a result asks again what it follows from (`answers.py`), so that the conditions are recorded again.

`dims.py`, `signs.py`, `extremes.py` and this file alone know the three kinds of dimensions. sympy and numpy are not
imported for ints.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import attrs

from graphacct.answers import noted
from graphacct.dims import MIN_DIM, Dim, is_array, is_symbol, is_traced
from graphacct.errors import ConfigError
from graphacct.relations import shortened

P = ParamSpec("P")
R = TypeVar("R")
MOST_QUOTIENTS = 4
"""The most quotients that one size is made of."""


class Conditions:
    """What has been assumed of symbols so far, in one result."""

    def __init__(self, known: Iterable[Any] = ()) -> None:
        self._found: dict[Any, None] = {}
        self._least: dict[Any, int] = {}
        self._answers: dict[tuple[str, Any], bool] = {}
        self._multiples: dict[Any, Any] = {}  # of symbols that are divided, the product that each is
        self._quotients: dict[Any, Any] = {}
        self.add(known)

    @property
    def found(self) -> tuple[Any, ...]:
        """The conditions as sympy relations, the ones that others imply left out."""
        bounds = sorted((symbol > least - 1 for symbol, least in self._least.items()), key=str)
        written = dict.fromkeys(self._written(condition) for condition in (*bounds, *self._found))
        return shortened(condition for condition in written if condition not in (True, False))

    def add(self, known: Iterable[Any]) -> None:
        """Adds conditions that were found before."""
        for condition in known:
            self._record(condition)

    def holds(self, kind: str, left: Any, right: Any, assumed: bool) -> bool:
        """Returns whether `left == right` (kind `==`) or `left < right` (`<`), and records what had to be assumed."""
        from graphacct.signs import decided  # ints, which most reports have, never come here

        answer = decided(kind, right - left, self._least)
        if answer is not None:
            return answer
        left, right = (self.whole(self._without_extremes(size)) for size in (left, right))
        left = self.whole(left)  # the right side may have divided a symbol of it
        difference = right - left
        answer = decided(kind, difference, self._least)
        if answer is None:
            answer = self._answers.get((kind, difference))
        if answer is not None:
            return answer
        relation = _relation(kind, left, right)
        if relation in (True, False):  # sympy knows
            return bool(relation)
        for raised in self._raised(difference):
            answer = decided(kind, difference, raised)
            if answer is not None:
                self._least = raised
                return answer
        self._answers[kind, difference] = assumed
        self._record(relation if assumed else _negated(kind, left, right))
        return assumed

    def whole(self, size: Any) -> Any:
        """Returns a size with a symbol for each quotient in it: `d / h` is a size, a whole number, and d is h times it.

        Without that, d / h could be less than 1 for all that is known.
        """
        if not is_symbol(size):
            return size
        size = size.subs(self._multiples)
        for _ in range(MOST_QUOTIENTS):
            above, below = sys.modules["sympy"].fraction(sys.modules["sympy"].together(size))
            symbols = sorted(above.free_symbols, key=str)
            if below == 1:
                break
            written = symbols[0] / below if symbols else size
            quotient = sys.modules["sympy"].Symbol(str(self._written(written)), integer=True, positive=True)
            self._quotients[quotient] = written
            self._multiples[symbols[0] if symbols else size] = quotient * below if symbols else quotient
            size = size.subs(self._multiples)
        return size

    def _without_extremes(self, size: Any) -> Any:
        """Returns a size in which each `Min` and `Max` is decided: in general the number is less than the symbol."""
        sympy = sys.modules["sympy"]
        while is_symbol(size) and (found := size.atoms(sympy.Min, sympy.Max)):
            extreme = min(found, key=lambda item: (sympy.count_ops(item), str(item)))  # the innermost
            first, *others = sorted(extreme.args, key=lambda item: (not item.is_number, str(item)))
            for other in others:
                smaller = self.holds("<", other, first, False)
                first = other if smaller == isinstance(extreme, sympy.Min) else first
            size = size.subs(extreme, first)
        return size

    def _written(self, expression: Any) -> Any:
        """Returns an expression in the caller's symbols."""
        while not expression.free_symbols.isdisjoint(self._quotients):
            expression = expression.subs(self._quotients)
        return expression

    def _raised(self, expression: Any) -> Iterator[dict[Any, int]]:
        """Yields least values under which one symbol after the other, and then all, are above their least."""
        symbols = sorted(expression.free_symbols, key=str)
        each = [{symbol: self._least.get(symbol, MIN_DIM) + 1} for symbol in symbols]
        for higher in each:
            yield {**self._least, **higher}
        if len(each) > 1:
            yield {**self._least, **{symbol: least for higher in each for symbol, least in higher.items()}}

    def _record(self, condition: Any) -> None:
        symbol, bound = (getattr(condition, side, None) for side in ("gts", "lts"))
        if symbol is not None and bound is not None and symbol.is_Symbol and bound.is_Integer:
            least = int(bound) + (condition.rel_op in (">", "<"))
            self._least[symbol] = max(least, self._least.get(symbol, MIN_DIM))
        else:
            self._found[condition] = None


_ACTIVE: ContextVar[Conditions | None] = ContextVar("conditions", default=None)


@contextmanager
def recording() -> Iterator[Conditions]:
    """Records the conditions of the decisions that are made inside: with those that are being recorded, if any are."""
    conditions = active() or Conditions()
    with recording_in(conditions):
        yield conditions


@contextmanager
def recording_in(conditions: Conditions) -> Iterator[None]:
    """Records in `conditions` what is decided inside."""
    token = _ACTIVE.set(conditions)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Returns the function with what it assumes recorded in its result, which has `conditions`."""

    @wraps(function)
    def recording_it(*arguments: P.args, **keywords: P.kwargs) -> R:
        with recording() as found:
            result: Any = function(*arguments, **keywords)
        found.add(result.conditions)
        conditions = found.found
        kept: R = result if result.conditions == conditions else attrs.evolve(result, conditions=conditions)
        return kept

    return recording_it


def active() -> Conditions | None:
    """Returns the conditions that are being recorded."""
    return _ACTIVE.get()


def equal(a: Dim, b: Dim) -> bool:
    """Decides whether two sizes are equal; in general, symbols that may be are not.

    Raises ConfigError for a sweep that has some points where they are and some where they are not.
    """
    if a is b:
        return True
    if type(a) is int and type(b) is int:
        return a == b
    if is_array(a) or is_array(b):
        return _agreed(a == b, "are equal", a, b)
    if is_traced(a) or is_traced(b):
        return bool(a == b)
    return _symbolic("==", a, b, False)


def equal_shape(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Decides whether two shapes are equal."""
    return len(a) == len(b) and all(map(equal, a, b))


def less(a: Dim, b: Dim, assumed: bool = False) -> bool:
    """Decides whether `a < b`; if symbols do not decide, even if all of them are above 1, it is as `assumed`.

    Raises ConfigError for a sweep that has some points where it is and some where it is not.
    """
    if type(a) is int and type(b) is int:
        return a < b
    if is_array(a) or is_array(b):
        return _agreed(a < b, "are in this order", a, b)
    if is_traced(a) or is_traced(b):
        return bool(a < b)
    return _symbolic("<", a, b, assumed)


def divides(factor: int, size: Dim) -> bool:
    """Decides whether a size is a multiple of a factor; in general, a symbol is.

    Raises ConfigError for a sweep that has some points where it is and some where it is not.
    """
    if is_symbol(size):
        return noted(_multiple, factor, size)
    rest: Any = size % factor
    return _agreed(rest == 0, f"are a multiple of {factor}", size) if is_array(rest) else bool(rest == 0)


def condition_text(condition: Any) -> str:
    """Returns a condition as reports write it: `seq_len > 1`."""
    return f"{condition.lhs} {condition.rel_op} {condition.rhs}"


def _symbolic(kind: str, a: Any, b: Any, assumed: bool) -> bool:
    if kind == "==" and a == b:
        return True
    return noted(_holds, kind, a, b, assumed)


def _holds(kind: str, a: Any, b: Any, assumed: bool) -> bool:
    return (active() or Conditions()).holds(kind, a, b, assumed)


def _multiple(factor: int, size: Any) -> bool:
    conditions = active() or Conditions()
    return conditions.holds("==", conditions.whole(size) % factor, 0, True)


def _agreed(each: Any, what: str, *sizes: Any) -> bool:
    """Returns what all points of a sweep say."""
    points = sys.modules["numpy"].asarray(each, dtype=bool)
    if points.all():
        return True
    if not points.any():
        return False
    values = " and ".join(_sample(size) for size in sizes)
    raise ConfigError(
        f"the sizes {values} {what} at {int(points.sum())} of {points.size} points of the sweep, and other kernels run "
        "there: sweep those points apart"
    )


def _sample(size: Any) -> str:
    """Returns the first points of a sweep as text."""
    if not is_array(size):
        return str(size)
    points = [f"{point:g}" if isinstance(point, float) else str(point) for point in size.flat[:4]]
    return f"[{', '.join(points)}{', …' if size.size > len(points) else ''}]"


def _relation(kind: str, left: Any, right: Any) -> Any:
    sympy = sys.modules["sympy"]
    return sympy.Eq(left, right) if kind == "==" else sympy.Lt(left, right)


def _negated(kind: str, left: Any, right: Any) -> Any:
    sympy = sys.modules["sympy"]
    return sympy.Ne(left, right) if kind == "==" else sympy.Ge(left, right)
