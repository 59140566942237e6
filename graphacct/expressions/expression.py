"""The nouns: an expression and its parts, and what it is worth.

Ints and quotients stay exact. What a name or a call means is the caller's: `Expression.value` asks for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub
from typing import Any, TypeAlias

import attrs

from graphacct.dims import is_array, is_symbol, maximum, minimum
from graphacct.errors import ConfigError, brief, suggest

LARGEST_POWER = 64
COMPARISONS = {"==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
SUMS = {"+": add, "-": sub}
FUNCTIONS = ("min", "max")
"""What may be called besides a quantity."""
Names: TypeAlias = Callable[[str], Any]
Calls: TypeAlias = Callable[[str, str], Any]


@attrs.frozen
class Part:
    """A part of an expression.

    Attributes:
        kind: `number`, `percent`, `name`, `call` (of a name with one argument), a sign, or a word: `and`, `or`, `not`,
            `min`, `max`.
        value: Of a number its value; of a name or a call the name.
        argument: Of a call: what stands in its brackets.
        parts: The parts that a sign or word joins.
        typed: Of a comparison: its two sides as they were typed.
    """

    kind: str
    value: Any = None
    argument: str = ""
    parts: tuple[Part, ...] = ()
    typed: tuple[str, ...] = ()


@attrs.frozen
class Expression:
    """A parsed expression.

    Attributes:
        text: As it was typed.
        root: Its outermost part.
    """

    text: str
    root: Part

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, each once; those of calls are not among them."""
        return tuple(dict.fromkeys(part.value for part in _parts(self.root) if part.kind == "name"))

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """The calls in it, each once: name and argument."""
        found = [(part.value, part.argument) for part in _parts(self.root) if part.kind == "call"]
        return tuple(dict.fromkeys(found))

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false rather than a number."""
        return self.root.kind in (*COMPARISONS, "and", "or", "not")

    @property
    def comparisons(self) -> tuple[Part, ...]:
        """The comparisons that must all be true for it to be; none if it is no such condition, as one with `or`."""
        found = self.root.parts if self.root.kind == "and" else (self.root,)
        flat = [inner for part in found for inner in (part.parts if part.kind == "and" else (part,))]
        return tuple(flat) if all(part.kind in COMPARISONS for part in flat) else ()

    def value(
        self,
        names: Names | Mapping[str, Any],
        calls: Calls | None = None,
        number: Callable[[int | Fraction], Any] | None = None,
    ) -> Any:
        """Returns its value, an int or a Fraction where all names are ints; with arrays, an array.

        Args:
            names: The value of each name: a function, or a mapping. An unknown name is a ConfigError that lists them.
            calls: `calls(name, argument)`, the value of a call.
            number: What makes a number of the expression one like those of the names; exact unless given.
        """
        look_up = _looked_up(names) if isinstance(names, Mapping) else names
        return _value(self.root, look_up, calls or _no_calls, number or _exact)


def _parts(part: Part) -> Iterator[Part]:
    yield part
    for inner in part.parts:
        yield from _parts(inner)


def _exact(number: int | Fraction) -> int | Fraction:
    return number


def _value(part: Part, names: Names, calls: Calls, number: Callable[[int | Fraction], Any]) -> Any:
    kind = part.kind
    if kind in ("number", "percent"):
        return number(part.value)
    if kind == "name":
        return names(part.value)
    if kind == "call":
        return calls(part.value, part.argument)
    values = [_value(inner, names, calls, number) for inner in part.parts]
    if kind in ("and", "or"):
        return _joined(kind, values)
    if kind == "not":
        return ~values[0] if is_array(values[0]) else not values[0]
    if kind in FUNCTIONS:
        found = values[0]
        for value in values[1:]:
            found = (maximum if kind == "max" else minimum)(found, value)
        return found
    return _combined(kind, *values)


def _joined(kind: str, values: list[Any]) -> Any:
    found = values[0]
    for value in values[1:]:
        if is_array(found) or is_array(value):
            found = (found & value) if kind == "and" else (found | value)
        else:
            found = (found and value) if kind == "and" else (found or value)
    return found


def _combined(sign: str, one: Any, other: Any) -> Any:
    if sign in COMPARISONS:
        return COMPARISONS[sign](one, other)
    if sign == "**":
        other = int(other) if isinstance(other, float) and other.is_integer() else other
        if not isinstance(other, int) or not 0 <= other <= LARGEST_POWER:
            raise ConfigError(f"a power is a whole number from 0 to {LARGEST_POWER}, not {brief(other)}")
        return one**other
    if sign in ("/", "//", "%") and not is_array(other) and not is_symbol(other) and other == 0:
        raise ConfigError(f"{brief(one)} {sign} 0: a division by zero")
    if sign == "/":
        whole = all(isinstance(value, (int, Fraction)) for value in (one, other))
        found = Fraction(one) / Fraction(other) if whole else one / other
        return int(found) if isinstance(found, Fraction) and found.denominator == 1 else found
    return {**SUMS, "*": mul, "//": floordiv, "%": mod}[sign](one, other)


def _looked_up(known: Mapping[str, Any]) -> Names:
    def look_up(name: str) -> Any:
        if name not in known:
            listed = ", ".join(known)
            raise ConfigError(f"unknown name {name!r} in an expression{suggest(name, known)}; known: {listed}")
        return known[name]

    return look_up


def _no_calls(name: str, argument: str) -> Any:
    raise ConfigError(f"{name}({argument}): an expression of names and numbers alone was expected")
