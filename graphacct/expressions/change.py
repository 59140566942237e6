"""Conditions on changes: `flops > +3%`, `params > 1e6`, `flops(attention) > +3%`.

A name is the change of that quantity from one model to another, and a call that of a part of the models: of a role, or
of the scopes that a glob matches. Each comparison stands by itself. If a percentage
stands in it, every name in it is the relative change, (b - a) / a; otherwise it is the absolute one, b - a. What
could mean two things is refused: a percentage beside a plain number, and a product or quotient of changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NoReturn, TypeAlias

import attrs

from graphacct.errors import ConfigError, brief, unknown
from graphacct.expressions.expression import COMPARISONS, FUNCTIONS, SUMS, Expression, Part
from graphacct.expressions.parse import parse

WORDS = ("and", "or", "not")
SUM, PERCENTAGE, PLAIN = "sum", "percentage", "plain"
"""What a side of a comparison is: of names, of percentages, or of plain numbers."""
Figures: TypeAlias = Callable[[str, str], tuple[Any, Any]]
"""`figures(name, argument)`: a quantity of a part of both models, as `flops(attention)`."""


@attrs.frozen
class Condition:
    """A condition on the changes of quantities.

    Attributes:
        expression: What was typed.
    """

    expression: Expression

    @property
    def text(self) -> str:
        """The condition as it was typed."""
        return self.expression.text

    @property
    def names(self) -> tuple[str, ...]:
        """The quantities in it, each once."""
        return self.expression.names

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """The quantities of parts in it, each once: name and argument."""
        return self.expression.calls

    def holds(self, first: Mapping[str, Any], other: Mapping[str, Any], parts: Figures | None = None) -> bool:
        """Returns whether it is true of the change from the first model's totals to the other's; `parts` gives the
        figures of parts.

        Raises UnknownNameError for a name that is not among the totals; ConfigError if a total is no number but a
        formula or an array, or if a relative change is asked of a quantity that the first model has none of.
        """
        return self._true(self.expression.root, _Changes(self.text, first, other, parts))

    def _true(self, part: Part, changes: _Changes) -> bool:
        if part.kind == "not":
            return not self._true(part.parts[0], changes)
        if part.kind in WORDS:
            found = [self._true(inner, changes) for inner in part.parts]  # all of them, so that none hides an error
            return all(found) if part.kind == "and" else any(found)
        relative = any(inner.kind == "percent" for inner in _within(part))
        of = changes.relative if relative else changes.absolute
        return bool(Expression(self.text, part).value(of, of))


def condition(text: str) -> Condition:
    """Returns a condition on changes. Raises ConfigError for what cannot be parsed, is no condition or is ambiguous.

    >>> condition("flops > +3%").holds({"flops": 100}, {"flops": 104})
    True
    >>> condition("params > 1e6").holds({"params": 1_000_000}, {"params": 2_000_000})
    False
    """
    expression = parse(text)
    _Check(text).condition(expression.root)
    return Condition(expression)


@attrs.frozen
class _Changes:
    """The changes of quantities, by name, and of parts by their argument too."""

    text: str
    first: Mapping[str, Any]
    other: Mapping[str, Any]
    parts: Figures | None

    def absolute(self, name: str, argument: str = "") -> int | Fraction:
        one, other = self._figures(name, argument)
        return other - one

    def relative(self, name: str, argument: str = "") -> int | Fraction:
        one, other = self._figures(name, argument)
        if one == other:
            return 0
        if one == 0:
            typed = called(name, argument)
            raise ConfigError(
                f"condition {brief(self.text)}: {typed} goes from 0 to {other:,}, which has no percentage: "
                f"compare the absolute change, {typed} > 0"
            )
        return Fraction(other - one, 1) / one

    def _figures(self, name: str, argument: str) -> tuple[Any, Any]:
        for totals in (self.first, self.other):
            if name not in totals:
                raise unknown("quantity", name, totals, f"in the condition {brief(self.text)}")
        if argument and self.parts is None:
            raise ConfigError(f"condition {brief(self.text)}: {called(name, argument)} is of a part, and none is known")
        both = self.parts(name, argument) if argument and self.parts else (self.first[name], self.other[name])
        for figure in both:
            if not isinstance(figure, int):
                raise ConfigError(
                    f"condition {brief(self.text)}: {called(name, argument)} is {brief(str(figure))}, which is no "
                    "number; give every size as a number"
                )
        return both


def called(name: str, argument: str = "") -> str:
    """Returns a quantity as conditions write it: `flops`, `flops(attention)`, `flops("*.mlp")`."""
    if not argument:
        return name
    return f"{name}({argument})" if argument.isidentifier() else f'{name}("{argument}")'


@attrs.frozen
class _Check:
    """Refuses what is no condition, and what could mean two things."""

    text: str

    def wrong(self, why: str) -> NoReturn:
        raise ConfigError(f"condition {brief(self.text)}: {why}")

    def condition(self, part: Part) -> None:
        if part.kind in WORDS:
            for inner in part.parts:
                self.condition(inner)
            return
        if part.kind not in COMPARISONS:
            self.wrong("it is neither true nor false: compare a change with something, as in 'flops > +3%'")
        sides = [self._side(side) for side in part.parts]
        if SUM not in sides:
            self.wrong("a comparison in it names no quantity, as in 'flops > +3%'")
        if PERCENTAGE not in sides:
            return
        for side, kind in zip(part.parts, sides, strict=True):
            if kind == SUM and not _one_at_a_time(side):
                self.wrong("a percentage is of one quantity, so that nothing is added to it or multiplied with it")

    def _side(self, part: Part) -> str:
        """Returns what a side of a comparison is: PERCENTAGE, PLAIN, or SUM if it has names."""
        kind = part.kind
        if kind in ("number", "percent"):
            return PLAIN if kind == "number" else PERCENTAGE
        if kind in ("name", "call"):
            return SUM
        if kind in WORDS or kind in COMPARISONS:
            self.wrong("a comparison stands inside a sum; join comparisons with 'and' and 'or'")
        if _is_negative(part):
            return self._side(part.parts[1])
        kinds = [self._side(inner) for inner in part.parts]
        if SUM in kinds:
            self._of_changes(part, kinds)
            return SUM
        if PERCENTAGE in kinds and PLAIN in kinds:
            self.wrong("it has a percentage beside a plain number: write one of them")
        return kinds[0]

    def _of_changes(self, part: Part, kinds: list[str]) -> None:
        """Refuses what is not a sum of changes, the larger or smaller of some, or a multiple of one."""
        if PERCENTAGE in kinds:
            self.wrong("a percentage stands on one side of a comparison, a quantity on the other: 'flops > +3%'")
        multiple = (part.kind == "*" and kinds.count(SUM) == 1) or (part.kind == "/" and kinds[1] == PLAIN)
        if part.kind not in (*SUMS, *FUNCTIONS) and not multiple:
            self.wrong(f"changes may be added, subtracted and multiplied by a number; {part.kind!r} is of no change")


def _within(part: Part) -> Iterator[Part]:
    yield part
    for inner in part.parts:
        yield from _within(inner)


def _is_negative(part: Part) -> bool:
    """Returns whether a part is another one with a minus in front, which the parser writes as 0 less it."""
    return part.kind == "-" and part.parts[0] == Part("number", 0)


def _one_at_a_time(part: Part) -> bool:
    """Returns whether a part is a quantity alone, or the larger or smaller of some: the change of a sum in per cent is
    not the sum of changes in per cent."""
    if part.kind in FUNCTIONS:
        return all(map(_one_at_a_time, part.parts))
    return part.kind in ("name", "call") or (_is_negative(part) and _one_at_a_time(part.parts[1]))
