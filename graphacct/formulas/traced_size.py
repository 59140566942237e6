"""The nouns: a number with the formula that it was computed by, and the atoms that formulas are made of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from math import isfinite
from typing import Any, Protocol

import attrs

from graphacct.formulas.terms import LARGEST_POWER, Number, Terms, added, multiplied, scaled, whole

SIZE, FLOOR, CEIL, RATIO, MAX, MIN = "size", "//", "-(-//)", "/", ">", "<"
"""The kinds of atoms."""
EXACT = 1 << 20
"""Floats that are a whole number of parts of this size or larger multiply without rounding."""


class Recorder(Protocol):
    """What a traced size asks of its trace."""

    @property
    def atoms(self) -> Sequence[Atom]:
        """The atoms of its formulas, each at its place."""

    def terms_of(self, value: Any) -> Terms | None:
        """Returns the terms of a formula or a number; None for what is neither, or of another trace."""

    def made(self, terms: Terms, value: Number) -> Any:
        """Returns a formula with its value; a plain number if it has no sizes."""

    def decide(self, kind: str, terms: Terms, value: Number) -> bool:
        """Returns whether a formula is 0 (`==`) or below 0 (`<`), and keeps it as a guard."""

    def forgetting(self) -> AbstractContextManager[None]:
        """Keeps nothing of what is decided inside."""

    def quotient(self, a: Any, b: Any) -> Any:
        """Returns a / b."""

    def rounded_down(self, a: Any, b: Any) -> Any:
        """Returns a // b."""

    def rest(self, a: Any, b: Any) -> Any:
        """Returns a % b."""

    def largest(self, *parts: Any) -> Any:
        """Returns the largest of several."""

    def largest_of(self, parts: Sequence[Any]) -> Any:
        """Returns the largest of several, whose formula is found when it is first asked for."""

    def smallest(self, *parts: Any) -> Any:
        """Returns the smallest of several."""

    def text(self, size: Any) -> str:
        """Returns a formula in the names of its sizes."""


@attrs.define(eq=False, repr=False)
class TracedSize:
    """A number with the formula that it was computed by.

    It adds, multiplies, divides and compares as an int does. A formula without sizes is a plain number again.

    Attributes:
        trace: The trace that it belongs to; sizes of two traces cannot be joined.
        terms: The formula.
        value: The number, an int; a Fraction of what was divided by `/`.
    """

    trace: Recorder
    terms: Terms
    value: Number
    _hash: int | None = attrs.field(default=None, init=False)

    def __add__(self, other: Any) -> Any:
        if type(other) is int and not other:
            return self
        terms = self.trace.terms_of(other)
        if terms is None:
            return NotImplemented
        return self.trace.made(added(self.terms, terms), self.value + value_of(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        terms = self.trace.terms_of(other)
        if terms is None:
            return NotImplemented
        return self.trace.made(added(self.terms, terms, -1), self.value - value_of(other))

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if type(other) is float and _is_rounded(other):
            return float(self) * other
        if type(other) is int:
            return self.trace.made(scaled(self.terms, other), self.value * other)
        terms = self.trace.terms_of(other)
        if terms is None:
            return NotImplemented
        found = scaled(self.terms, terms.get(0, 0)) if len(terms) < 2 and terms.keys() <= {0} else None
        return self.trace.made(multiplied(self.terms, terms) if found is None else found, self.value * value_of(other))

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return self.trace.made(scaled(self.terms, -1), -self.value)

    def __pos__(self) -> TracedSize:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __pow__(self, power: Any) -> Any:
        power = power if type(power) is int else power.__index__()
        if not -LARGEST_POWER <= power <= LARGEST_POWER:
            raise OverflowError(f"a power of {power}")
        found: Any = 1
        for _ in range(abs(power)):
            found = found * self
        return found if power >= 0 else 1 / found

    def __truediv__(self, other: Any) -> Any:
        if type(other) is float and _is_rounded(other):
            return float(self) / other
        return self.trace.quotient(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        if type(other) is float and _is_rounded(other):
            return other / float(self)
        return self.trace.quotient(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self.trace.rounded_down(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self.trace.rounded_down(other, self)

    def __mod__(self, other: Any) -> Any:
        return self.trace.rest(self, other)

    def __rmod__(self, other: Any) -> Any:
        return self.trace.rest(other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        terms = self.trace.terms_of(other)
        if terms is None:
            return False
        if self.terms == terms:
            return True
        difference = added(self.terms, terms, -1)
        return self.trace.decide("==", difference, self.value - value_of(other))

    def __lt__(self, other: Any) -> Any:
        return self._less(other, 1, True)

    def __ge__(self, other: Any) -> Any:
        return self._less(other, 1, False)

    def __gt__(self, other: Any) -> Any:
        return self._less(other, -1, True)

    def __le__(self, other: Any) -> Any:
        return self._less(other, -1, False)

    def _less(self, other: Any, sign: int, truth: bool) -> Any:
        terms = self.trace.terms_of(other)
        if terms is None:
            return NotImplemented
        difference = added(self.terms, terms, -1)
        difference = difference if sign == 1 else scaled(difference, -1)
        return self.trace.decide("<", difference, sign * (self.value - value_of(other))) == truth

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((id(self.trace), self.key))
        return self._hash

    def __bool__(self) -> bool:
        return self != 0

    def __index__(self) -> int:
        """Returns the value, which the sizes must have from then on."""
        if type(self.value) is not int:
            raise TypeError(f"{self} is no whole number but {self.value}")
        self.trace.decide("==", added(self.terms, {0: self.value} if self.value else {}, -1), 0)
        return self.value

    def __int__(self) -> int:
        found = self // 1
        return found if isinstance(found, int) else found.__index__()

    def __float__(self) -> float:
        self.trace.decide("==", added(self.terms, {0: self.value} if self.value else {}, -1), 0)
        return float(self.value)

    __trunc__ = __int__

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.__index__() if type(self.value) is int else self.__float__(), digits)

    def __floor__(self) -> Any:
        return self // 1

    def __ceil__(self) -> Any:
        return -(-self // 1)

    def __and__(self, other: Any) -> int:
        return self.__index__() & other

    def __rand__(self, other: Any) -> int:
        return self.__index__() & other

    def bit_length(self) -> int:
        """Returns the bits of the value; sizes must have as many from then on."""
        if type(self.value) is not int:
            raise TypeError(f"{self} is no whole number but {self.value}")
        bits = self.value.bit_length()
        size = -self if self.value < 0 else self
        if bits and size >= 1 << (bits - 1) and size < 1 << bits:
            return bits
        return self.__index__().bit_length()

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self.trace.text(self)

    def __format__(self, how: str) -> str:
        text = str(self)
        return format(int(text), how) if how and text.lstrip("-").isdigit() else text

    @property
    def key(self) -> frozenset[tuple[int, Number]]:
        """The formula as a key."""
        return frozenset(self.terms.items())


Part = TracedSize | Number


@attrs.frozen(eq=False)
class Atom:
    """What products are made of: a size, or an operation that is no sum of products.

    Attributes:
        kind: SIZE; FLOOR or CEIL of a quotient, RATIO for one that is not rounded; MAX or MIN of several.
        name: Of a size: how it is called.
        parts: Of an operation: what it is of; a quotient's are two.
        value: The value.
    """

    kind: str
    name: str = ""
    parts: tuple[Part, ...] = ()
    value: Number = 0


def _is_rounded(number: float) -> bool:
    """Returns whether a float has more digits than those of 4.0 or 0.5: its products are rounded, so that 1536 times
    5.83… may be 8960 where the exact product of that float is a little less. A size that meets one keeps its value."""
    return not isfinite(number) or number.as_integer_ratio()[1] > EXACT


def value_of(part: Any) -> Number:
    """Returns the value of a formula; a plain number is its own."""
    if isinstance(part, TracedSize):
        return part.value
    return part if type(part) is int else whole(Fraction(part))
