"""The contract of a convention."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct.costs.conventions import Convention
from graphacct.testing.totals import ModelContract, Totals


class ConventionContract(ModelContract):
    """What holds for every convention. A subclass sets `convention` and `rows`.

    Attributes:
        convention: The convention, or its name.
    """

    kind = "conventions"
    noun = "convention"
    convention: ClassVar[Convention | str]

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the row's options and the convention."""
        return {**row.options, "convention": self.thing().name}

    def test_it_says_what_it_counts(self) -> None:
        """`graphacct list conventions` and every explanation have its sentence."""
        self.check_sentence()

    def test_it_counts_every_node(self) -> None:
        """It returns a Cost for every node, with figures that are counts; so for the work of a training step."""
        for row in self.rows:
            self.check_costed(row, self.account(row, unknown="report"))

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """It sees a node of a block as each of its repetitions: what is counted once a layer goes by the ordinal."""
        for row in self.rows:
            self.check_folded(row)

    def test_symbols_agree_with_ints(self) -> None:
        """Its figures with a symbol as the batch are formulas whose values are the ints'."""
        for row in self.rows:
            self.check_symbols(row, {"batch": (2, 3)})

    def test_counts_never_fall_when_the_batch_grows(self) -> None:
        """More of the same is at least as much work."""
        for row in self.rows:
            self.check_growth(row, "batch", (1, 2, 5))
