"""Expressions that users type: `flops(attention) == flops(mlp)`, `params <= 1.5e9 and peak_bytes <= 24GiB`.

They are parsed here, and never given to Python. Numbers may have a unit (24GiB, 16k) or be a percentage.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from graphacct.errors import ConfigError, brief
from graphacct.expressions.expression import COMPARISONS, FUNCTIONS, SUMS, Expression, Part
from graphacct.sizes import BYTES, COUNTS

LONGEST, DEEPEST, MOST_SIGNS = 10_000, 40, 200
"""The most characters of an expression, how deep its parts may be nested, and how many signs it may have."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z]+)?
    |(?P<name>[A-Za-z_][A-Za-z_0-9.]*)|(?P<text>"[^"]*"|'[^']*')
    |(?P<mark>\*\*|//|==|!=|<=|>=|[-+*/%<>(),])|(?P<end>$)|(?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)


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


class _Reader:
    """Reads an expression from left to right, the loosest sign outermost."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.kind, self.word, self.unit = "", "", ""
        self.begin, self.end, self.signs = 0, 0, 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.at)
        assert found is not None  # `wrong` takes any character
        self.kind = str(found.lastgroup)
        if found["number"] is not None:
            self.kind = "number"
        self.word, self.unit = found[self.kind], found["unit"] or ""
        self.begin, self.end, self.at = found.start(self.kind), self.at, found.end()

    def wrong(self, wanted: str) -> ConfigError:
        here = "it ends" if self.kind == "end" else f"{brief(self.word)} stands"
        return ConfigError(f"expression {brief(self.text)}: {here} at character {self.begin + 1}, where {wanted}")

    def expect_end(self) -> None:
        if self.kind != "end":
            raise self.wrong("a sign such as +, <= or and was expected, or its end")

    def takes(self, *words: str) -> str:
        """Goes past one of some signs or words, and returns it; empty if another one stands here."""
        if self.kind in ("mark", "name") and self.word in words:
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
        begin = self.begin
        part = first = self._sum(depth)
        typed = self.text[begin : self.end]
        joined: list[Part] = []
        while sign := self.takes(*COMPARISONS):
            begin = self.begin
            second = self._sum(depth)
            sides = (typed, self.text[begin : self.end])
            joined.append(Part(sign, parts=(first, second), typed=sides))
            typed = sides[1]
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
            raise self.wrong(f'{name}\'s scope or role was expected: {name}(attention) or {name}("*.mlp")')
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
        if self.kind != "mark" or self.word != "%":
            return False
        after = _TOKEN.match(self.text, self.at)
        assert after is not None
        return not (after["number"] or after["name"] not in (None, "and", "or") or after["mark"] == "(")
