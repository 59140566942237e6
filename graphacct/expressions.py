"""Expressions that users type: `flops(attention) == flops(mlp)`, `params <= 1.5e9 and peak_bytes <= 24GiB`.

They are parsed here, and never given to Python. Numbers may have a unit (24GiB, 16k) or be a percentage; ints and
quotients stay exact. What a name or a call means is the caller's: `Expression.value` asks for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub
from typing import Any, TypeAlias

import attrs

from graphacct.dims import is_array, is_symbol, maximum, minimum
from graphacct.errors import ConfigError, brief, suggest
from graphacct.sizes import BYTES, COUNTS

LONGEST, DEEPEST, MOST_SIGNS = 10_000, 40, 200
"""The most characters of an expression, how deep its parts may be nested, and how many signs it may have."""
LARGEST_POWER = 64
COMPARISONS = {"==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
SUMS = {"+": add, "-": sub}
FUNCTIONS = ("min", "max")
"""What may be called besides a quantity."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z]+)?
    |(?P<name>[A-Za-z_][A-Za-z_0-9.]*)|(?P<text>"[^"]*"|'[^']*')
    |(?P<sign>\*\*|//|==|!=|<=|>=|[-+*/%<>(),])|(?P<end>$)|(?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)
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
    """

    kind: str
    value: Any = None
    argument: str = ""
    parts: tuple[Part, ...] = ()


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

    def value(self, names: Names | Mapping[str, Any], calls: Calls | None = None) -> Any:
        """Returns its value, an int or a Fraction where all names are ints; with arrays, an array.

        Args:
            names: The value of each name: a function, or a mapping. An unknown name is a ConfigError that lists them.
            calls: `calls(name, argument)`, the value of a call.
        """
        return _value(self.root, _looked_up(names) if isinstance(names, Mapping) else names, calls or _no_calls)


def parse(text: str) -> Expression:
    """Returns an expression. Raises ConfigError, which says where it cannot be read.

    >>> parse("2 * (d_model + 1) <= 24k").value({"d_model": 1600})
    True
    >>> parse("flops(mlp) / flops").value(lambda name: 8, lambda name, scope: 6)
    Fraction(3, 4)
    """
    if len(text) > LONGEST:
        raise ConfigError(f"an expression has at most {LONGEST:,} characters, and {brief(text)} has {len(text):,}")
    reader = _Reader(text)
    root = reader.alternatives(0)
    reader.expect_end()
    return Expression(text, root)


def _parts(part: Part) -> Iterator[Part]:
    yield part
    for inner in part.parts:
        yield from _parts(inner)


class _Reader:
    """Reads an expression from left to right, the loosest sign outermost."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.kind, self.word, self.unit = "", "", ""
        self.begin, self.signs = 0, 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.at)
        assert found is not None  # `wrong` takes any character
        self.kind = str(found.lastgroup)
        if found["number"] is not None:
            self.kind = "number"
        self.word, self.unit = found[self.kind], found["unit"] or ""
        self.begin, self.at = found.start(self.kind), found.end()

    def wrong(self, wanted: str) -> ConfigError:
        here = "it ends" if self.kind == "end" else f"{brief(self.word)} stands"
        return ConfigError(f"expression {brief(self.text)}: {here} at character {self.begin + 1}, where {wanted}")

    def expect_end(self) -> None:
        if self.kind != "end":
            raise self.wrong("a sign such as +, <= or and was expected, or its end")

    def takes(self, *words: str) -> str:
        """Goes past one of some signs or words, and returns it; empty if another one stands here."""
        if self.kind in ("sign", "name") and self.word in words:
            word = self.word
            self.signs += word not in "()"
            if self.signs > MOST_SIGNS:
                raise ConfigError(f"expression {brief(self.text)}: it has more than {MOST_SIGNS} signs")
            self.advance()
            return word
        return ""

    def alternatives(self, depth: int) -> Part:
        if depth > DEEPEST:
            raise ConfigError(f"expression {brief(self.text)}: its parts are nested more than {DEEPEST} deep")
        return self._words("or", lambda: self._words("and", lambda: self._not(depth)))

    def _words(self, word: str, inner: Callable[[], Part]) -> Part:
        parts = [inner()]
        while self.takes(word):
            parts.append(inner())
        return parts[0] if len(parts) == 1 else Part(word, parts=tuple(parts))

    def _not(self, depth: int) -> Part:
        count = 0
        while self.takes("not"):
            count += 1
        part = self._comparison(depth)
        return Part("not", parts=(part,)) if count % 2 else part

    def _comparison(self, depth: int) -> Part:
        part = first = self._sum(depth)
        joined: list[Part] = []
        while sign := self.takes(*COMPARISONS):
            second = self._sum(depth)
            joined.append(Part(sign, parts=(first, second)))
            part = first = second
        if len(joined) > 1:
            return Part("and", parts=tuple(joined))  # 1 <= x < 9
        return joined[0] if joined else part

    def _sum(self, depth: int) -> Part:
        part = self._product(depth)
        while sign := self.takes(*SUMS):
            part = Part(sign, parts=(part, self._product(depth)))
        return part

    def _product(self, depth: int) -> Part:
        part = self._signed(depth)
        while sign := self.takes("*", "/", "//", "%"):
            part = Part(sign, parts=(part, self._signed(depth)))
        return part

    def _signed(self, depth: int) -> Part:
        negative = False
        while sign := self.takes("+", "-"):
            negative ^= sign == "-"
        part = self._atom(depth)
        if self.takes("**"):
            part = Part("**", parts=(part, self._signed(depth)))
        return Part("-", parts=(Part("number", 0), part)) if negative else part

    def _atom(self, depth: int) -> Part:
        if self.takes("("):
            part = self.alternatives(depth + 1)
            if not self.takes(")"):
                raise self.wrong("the bracket's ')' was expected")
            return part
        if self.kind == "number":
            return self._number()
        if self.kind != "name" or self.word in ("and", "or", "not"):
            raise self.wrong("a number, a name or '(' was expected")
        name = self.word
        self.advance()
        return self._call(name, depth) if self.takes("(") else Part("name", name)

    def _call(self, name: str, depth: int) -> Part:
        if name in FUNCTIONS:
            parts = [self.alternatives(depth + 1)]
            while self.takes(","):
                parts.append(self.alternatives(depth + 1))
            part = Part(name, parts=tuple(parts))
        elif self.kind in ("text", "name"):
            part = Part("call", name, self.word.strip("\"'"))
            self.advance()
        else:
            raise self.wrong(f"{name}'s scope or role was expected: {name}(attention) or {name}(\"*.mlp\")")
        if not self.takes(")"):
            raise self.wrong("the bracket's ')' was expected")
        return part

    def _number(self) -> Part:
        text = self.word.replace("_", "")
        if len(text) > 40 or abs(int(text.lower().partition("e")[2] or 0)) > 300:
            raise ConfigError(f"expression {brief(self.text)}: {brief(self.word)} is longer than any size")
        number, unit = Fraction(text), self.unit.lower()
        if unit:
            number *= self._factor(unit)
        self.advance()
        if self._is_percentage():
            self.advance()
            return Part("percent", number / 100)
        return Part("number", int(number) if number.denominator == 1 else number)

    def _factor(self, unit: str) -> int:
        """Returns what a unit stands for; `b` alone may be bytes or billions, so it is refused."""
        known = {**{name: size for name, size in BYTES.items() if name != "b"}, **COUNTS}
        if unit == "b" or unit not in known:
            raise ConfigError(
                f"expression {brief(self.text)}: {brief(self.word + self.unit)} has no known unit: write 24GiB or 24GB "
                "for bytes, 16k for 16 x 1024, and 7e9 for 7 billion"
            )
        return known[unit]

    def _is_percentage(self) -> bool:
        """Returns whether a `%` after a number is a percentage's: no number, name or bracket follows."""
        if self.kind != "sign" or self.word != "%":
            return False
        after = _TOKEN.match(self.text, self.at)
        assert after is not None
        return not (after["number"] or after["name"] not in (None, "and", "or") or after["sign"] == "(")


def _value(part: Part, names: Names, calls: Calls) -> Any:
    kind = part.kind
    if kind in ("number", "percent"):
        return part.value
    if kind == "name":
        return names(part.value)
    if kind == "call":
        return calls(part.value, part.argument)
    values = [_value(inner, names, calls) for inner in part.parts]
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
            raise ConfigError(f"unknown name {name!r} in an expression{suggest(name, known)}; known: {', '.join(known)}")
        return known[name]

    return look_up


def _no_calls(name: str, argument: str) -> Any:
    raise ConfigError(f"{name}({argument}): an expression of names and numbers alone was expected")
