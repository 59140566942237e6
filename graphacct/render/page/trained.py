"""What a training step adds to a page's nodes: the parts of their gradients and updates, and the tensors they keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.explanations.parts import ExplainedPart, Step
from graphacct.explanations.saved_bytes import SavedRow, saved_rows
from graphacct.hooks.manager import Plugins
from graphacct.render.page.explained import is_figure, sizes_behind
from graphacct.render.page.figures import Figures
from graphacct.reports.report import Report


@attrs.frozen(eq=False)
class Trained:
    """Says of nodes what `graphacct explain` says of a training step, for any sizes.

    Attributes:
        plain: The report at the model's own sizes.
        reports: The report of each branch.
        plugins: Those in use.
        figures: The page's table of formulas.
    """

    plain: Report
    reports: Sequence[Report]
    plugins: Plugins
    figures: Figures
    _saved: list[dict[str, tuple[SavedRow, ...]]] = attrs.field(factory=list, init=False)
    _steps: list[Step] = attrs.field(factory=list, init=False)

    def of(self, plain: NodeCost, records: Sequence[NodeCost]) -> dict[str, Any]:
        """Returns what is said of a node; what is not the same in every branch is left out."""
        if self.plain.annotated.training is None:
            return {}
        found = {"work": self._work(plain, records), "kept": self._kept(plain.node.name)}
        return {key: value for key, value in found.items() if value}

    def _work(self, plain: NodeCost, records: Sequence[NodeCost]) -> list[list[Any]]:
        """Returns the parts of a node's training quantities: quantity, what of it, subject, how much for one time, how
        often; and the formula in the names of the operator's signature with the sizes behind them, if it is proven in
        every branch."""
        if not self._steps:
            self._steps.extend(_step(report, self.plugins) for report in (self.plain, *self.reports))
        own, *each = [step.parts(record) for step, record in zip(self._steps, (plain, *records), strict=False)]
        each = each or [own]
        if any([_name(part) for part in parts] != [_name(part) for part in own] for parts in each):
            return []
        return [
            [
                *_name(own[place]),
                self.figures.add([part.each for part in parts]),
                self.figures.add([part.times for part in parts]),
                *self._formula(own[place], parts, records or [plain]),
            ]
            for place, parts in enumerate(zip(*each, strict=True))
        ]

    def _formula(
        self, own: ExplainedPart, parts: Sequence[ExplainedPart], records: Sequence[NodeCost]
    ) -> Iterator[Any]:
        operator = self.plugins.operators.get(records[0].node.operator)
        if operator is None or own.named is None:
            return
        given = [sizes_behind(operator, record, own.named.collapse) for record in records]
        names = sorted(own.named.names())
        if all(is_figure(own.named, sizes, part.each) for sizes, part in zip(given, parts, strict=True)):
            yield from (own.formula, {name: self.figures.add([sizes[name] for sizes in given]) for name in names})

    def _kept(self, node: str) -> list[list[Any]]:
        """Returns the tensors that a node's backward pass needs: what, where it comes from, why, where it counts if not
        here, and its bytes."""
        if not self._saved:
            self._saved.extend(_rows(report) for report in (self.plain, *self.reports))
        own, *each = [rows.get(node, ()) for rows in self._saved]
        each = each or [own]
        if any([_row(row) for row in rows] != [_row(row) for row in own] for rows in each):
            return []
        return [
            [*_row(own[place]), self.figures.add([row.total for row in rows])]
            for place, rows in enumerate(zip(*each, strict=True))
        ]


def _step(report: Report, plugins: Plugins) -> Step:
    training = report.annotated.training
    assert training is not None
    return Step(report.annotated.graph, training, plugins)


def _rows(report: Report) -> dict[str, tuple[SavedRow, ...]]:
    run = report.annotated.activations
    return {} if run is None else saved_rows(run)


def _name(part: ExplainedPart) -> tuple[str, str, str]:
    return part.quantity, part.of, part.name


def _row(row: SavedRow) -> tuple[str, str, str, str]:
    return row.name, row.made_by, row.why, row.counted
