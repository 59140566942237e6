"""The formulas of a page, each once: what is the same in every branch of the rules is one row of the page's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import attrs

from graphacct.deriving.branches import Branch, Region
from graphacct.errors import RenderError, brief
from graphacct.formulas.collect import Collector
from graphacct.formulas.conditions import condition_text
from graphacct.formulas.javascript import JavaScript, literal, variable_of
from graphacct.formulas.terms import powers, whole
from graphacct.formulas.text import written
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import Part, TracedSize
from graphacct.progress import steps

MOST_PRODUCTS = 12
"""A sum of more products is not written out: what is alive at a peak is a sum of thirty."""


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
        """Returns the branches as JavaScript: of each a function of the sizes for the guards of every region, and one
        for the figures."""
        if not self.branches:
            return f"const BRANCHES = [{{ regions: [() => []], figures: () => [{self._plain()}] }}];\n"
        variables = ", ".join(map(variable_of, sizes))
        found = "".join(self._branch(place, branch, variables) for place, branch in enumerate(self.branches))
        return f"const BRANCHES = [\n{found}];\n"

    def _plain(self) -> str:
        return ", ".join(JavaScript(Trace()).of(part) for (part,) in self.rows)

    def _branch(self, place: int, branch: Branch, variables: str) -> str:
        regions = "".join(_guards(region, variables) for region in branch.regions)
        figures = JavaScript(branch.trace)
        found = [figures.of(row[place]) for row in steps(self.rows, "formulas as JavaScript")]
        return (
            f"{{\nregions: [\n{regions}],\n"
            f"figures: ([{variables}]) => {{\n{_lines(figures)}return [\n{_rows(found)}];\n}},\n}},\n"
        )

    def conditions(self) -> tuple[list[str], list[list[list[int]]]]:
        """Returns what guards say, each text once, and the place of each text: by branch, region and guard, in the
        order of the script's."""
        texts: dict[str, int] = {}
        places = [
            [[texts.setdefault(each, len(texts)) for each in _conditions(region)] for region in branch.regions]
            for branch in self.branches
        ]
        return list(texts), places

    def texts(self, numbers: Sequence[int]) -> Mapping[int, list[str | int]]:
        """Returns how some formulas are written in each branch: one text if it is the same in all. Of a formula that
        nobody reads, how many products it is the sum of."""
        collectors = [Collector(branch.trace.atoms) for branch in self.branches]
        found = {}
        for place in steps(numbers, "formulas as text"):
            row = zip(collectors, self.rows[place], strict=False)  # a page of fixed sizes has no branches
            each = [_written(collector, part) for collector, part in row if isinstance(part, TracedSize)]
            if each:
                found[place] = each[:1] if len(set(each)) == 1 else each
        return found


def _written(collector: Collector, part: TracedSize) -> str | int:
    count = _products(part)
    return written(collector.of(part)) if count <= MOST_PRODUCTS else count


def _products(part: Part) -> int:
    """Returns of how many products a formula is, those in its operations counted too."""
    if not isinstance(part, TracedSize):
        return 1
    atoms = {place for product in part.terms for place, _ in powers(product)}
    inner = [each for place in atoms for each in part.trace.atoms[place].parts]
    return len(part.terms) + sum(count for count in map(_products, inner) if count > 1)


def _guards(region: Region, variables: str) -> str:
    source = JavaScript(region.trace)
    conditions = [source.condition(guard) for guard in region.trace.decisions]
    held = [f"{variable_of(name)} === {literal(value)}" for name, value in region.held.items()]
    return f"([{variables}]) => {{\n{_lines(source)}return [{', '.join([*held, *conditions])}];\n}},\n"


def _conditions(region: Region) -> Iterator[str]:
    yield from (f"{name} = {value:,}" for name, value in region.held.items())
    yield from (condition_text(region.trace, guard) for guard in region.trace.decisions)


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
