"""The formulas of a page, each once: what is the same in every branch of the rules is one row of the page's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import attrs

from graphacct.deriving.branches import Branch
from graphacct.errors import RenderError, brief
from graphacct.formulas.conditions import condition_text
from graphacct.formulas.javascript import JavaScript, literal, variable_of
from graphacct.formulas.terms import whole
from graphacct.formulas.text import text
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import Part, TracedSize


@attrs.frozen
class Figures:
    """The table of formulas.

    Attributes:
        branches: The branches, of which each formula has an expression; none of a page of plain numbers.
        rows: The figure in each branch, of every formula.
    """

    branches: tuple[Branch, ...]
    rows: list[tuple[Part, ...]] = attrs.field(factory=list, init=False)
    _known: dict[Any, int] = attrs.field(factory=dict, init=False)

    def add(self, figures: Sequence[Any]) -> int:
        """Returns the number of a formula, given in each branch. Raises RenderError for what is no number."""
        parts = tuple(map(number, figures))
        key = tuple(part.key if isinstance(part, TracedSize) else part for part in parts)
        if key not in self._known:
            self._known[key] = len(self.rows)
            self.rows.append(parts)
        return self._known[key]

    def script(self, sizes: Sequence[str]) -> str:
        """Returns the branches as JavaScript: of each a function of the sizes for the guards, one for the figures."""
        if not self.branches:
            return f"const BRANCHES = [{{ guards: () => [], figures: () => [{self._plain()}] }}];\n"
        variables = ", ".join(map(variable_of, sizes))
        found = "".join(self._branch(place, branch, variables) for place, branch in enumerate(self.branches))
        return f"const BRANCHES = [\n{found}];\n"

    def _plain(self) -> str:
        return ", ".join(JavaScript(Trace()).of(part) for (part,) in self.rows)

    def _branch(self, place: int, branch: Branch, variables: str) -> str:
        guards = JavaScript(branch.trace)
        conditions = [guards.condition(guard) for guard in branch.trace.decisions]
        held = [f"{variable_of(name)} === {literal(value)}" for name, value in branch.held.items()]
        figures = JavaScript(branch.trace)
        found = [figures.of(row[place]) for row in self.rows]
        return (
            f"{{\nguards: ([{variables}]) => {{\n{_lines(guards)}return [{', '.join([*held, *conditions])}];\n}},\n"
            f"figures: ([{variables}]) => {{\n{_lines(figures)}return [\n{_rows(found)}];\n}},\n}},\n"
        )

    def conditions(self) -> list[list[str]]:
        """Returns what each guard of each branch says, in the order of the script's."""
        return [
            [
                *(f"{name} = {value:,}" for name, value in branch.held.items()),
                *(condition_text(branch.trace, guard) for guard in branch.trace.decisions),
            ]
            for branch in self.branches
        ]

    def texts(self, numbers: Sequence[int]) -> Mapping[int, list[str]]:
        """Returns how some formulas are written in each branch: one text if it is the same in all."""
        found = {}
        for place in numbers:
            each = [text(part) for part in self.rows[place] if isinstance(part, TracedSize)]
            if each:
                found[place] = each[:1] if len(set(each)) == 1 else each
        return found


def _lines(source: JavaScript) -> str:
    return "".join(f"{line}\n" for line in source.lines)


def _rows(expressions: Sequence[str]) -> str:
    return "".join(f"{expression},\n" for expression in expressions)


def number(figure: Any) -> Part:
    """Returns a figure as a formula or a number. Raises RenderError for what is neither."""
    if isinstance(figure, TracedSize) or type(figure) is int:
        return figure
    try:
        return whole(Fraction(figure))
    except (TypeError, ValueError, OverflowError):
        raise RenderError(f"a page computes with numbers, and {brief(figure)} is none: give every size one") from None
