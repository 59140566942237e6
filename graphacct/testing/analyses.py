"""The contract of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct.costs.analyses import Analysis
from graphacct.phases import TRAIN
from graphacct.testing.needs import needed
from graphacct.testing.totals import ModelContract, Totals


class AnalysisContract(ModelContract):
    """What holds for every analysis. A subclass sets `analysis`, `rows` and `values`.

    Attributes:
        analysis: The analysis, or its name.
        values: What it says of nodes of the first row, by their names, worked out by hand.
    """

    kind = "analyses"
    noun = "analysis"
    analysis: ClassVar[Analysis | str]
    values: ClassVar[Mapping[str, Any]] = {}

    def test_it_says_what_it_finds(self) -> None:
        """Its doc is a sentence."""
        self.check_sentence()

    def test_rows_state_the_totals(self) -> None:
        """What `values` says of nodes of the first row is what it finds; figures of a row are its report's totals."""
        if not self.rows:
            self.fail("its contract has no rows", "Name a small model: rows = (Totals(net()),).")
        if not self.costs_in and not self.values:
            self.fail("no value is stated", 'Work one out by hand: values = {"NODE": …}.')
        found = self._found(self.rows[0])
        for node, value in self.values.items():
            if node not in found:
                self.fail(f"it says nothing of {node!r} in {self.rows[0]}", f"It does of: {', '.join([*found][:8])}.")
            if found[node] != value:
                self.fail(
                    f"{node!r} of {self.rows[0]} has {found[node]!r}, and values say {value!r}",
                    "One of the two is wrong: work it out by hand, and mend the function or the value.",
                )

    def test_every_phase_and_symbols_have_values(self) -> None:
        """It is asked about every report: of a training step, with a symbol as the batch, of a graph written out."""
        sympy = needed("sympy")

        batch = sympy.Symbol("batch", integer=True, positive=True)
        for row in self.rows:
            self._found(row)
            if self.is_finished(row):
                continue
            self._found(row, batch=batch)
            if TRAIN in self._phases(row):
                self._found(row, phase=TRAIN)
            flat = self.graph(row).unroll(self.in_use().operators)
            self._found(Totals(flat, {k: v for k, v in row.options.items() if k in ("unknown", "convention")}))

    def test_it_finds_the_same_each_time(self) -> None:
        """A second report of the same model has the same values."""
        for row in self.rows:
            first, second = self._found(row), self._found(row)
            for node, value in first.items():
                if second.get(node) != value:
                    self.fail(
                        f"{node!r} of {row} has {value!r}, and {second.get(node)!r} the next time",
                        "Begin afresh for each graph: keep nothing outside the function.",
                    )

    def _found(self, row: Totals, **changes: Any) -> dict[str, Any]:
        name = self.thing().name
        report = self.account(row, **changes)
        return {one.node.name: one.analyses[name] for one in report.annotated.costs if name in one.analyses}

    def _phases(self, row: Totals) -> tuple[str, ...]:
        from graphacct.models.find import preset

        found = preset(row.model, self.in_use()) if isinstance(row.model, str) else None
        return () if found is None else tuple(found[0].phases)
