"""The contract of a quantity."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct.costs.quantities import Quantity
from graphacct.testing.totals import ModelContract, Totals


class QuantityContract(ModelContract):
    """What holds for every quantity. A subclass sets `quantity` and `rows`.

    Attributes:
        quantity: The quantity, or its name.
    """

    kind = "quantities"
    noun = "quantity"
    quantity: ClassVar[Quantity | str]

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the row's options; a report of nothing but this quantity, unless it is a ratio of others."""
        quantity = self.thing()
        return dict(row.options) if quantity.of_row else {**row.options, "quantities": [quantity.name]}

    def test_it_says_what_it_is(self) -> None:
        """`graphacct list quantities` has its sentence; its figures have a unit."""
        self.check_sentence()
        if not self.thing().unit:
            self.fail("it has no unit", "Say what is counted: 'FLOP', 'byte', 'kernel'.")

    def test_its_figures_are_counts(self) -> None:
        """For whole sizes the figure of every row is an int (a ratio's a number), and none is negative."""
        quantity = self.thing()
        for row in self.rows:
            for path, value in self._values(row):
                if value is None and quantity.of_row:
                    continue
                kinds = (int, float) if quantity.of_row else (int,)
                if type(value) not in kinds or value < 0:
                    self.fail(f"of {path!r} in {row} it is {value!r}", "Return an int: a // b or exact_div for a / b.")

    def test_rows_add_up_to_the_total(self) -> None:
        """The values of the nodes, repeats included, sum to the total; with combine='max' the total is the largest."""
        quantity = self.thing()
        if quantity.of_row:
            return
        for row in self.rows:
            report = self.account(row)
            place = [item.name for item in report.quantities].index(quantity.name)
            values = [item[place] for item in report.values]
            whole = sum(values) if quantity.combine == "sum" else max(values, default=0)
            if whole != report.total[quantity.name]:
                self.fail(
                    f"the nodes of {row} make {whole}, and the total is {report.total[quantity.name]}",
                    "repeats_included= is for a formula that has multiplied by the repeats itself.",
                )

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """A model with blocks and the same model written out have the same figure."""
        for row in self.rows:
            self.check_folded(row)

    def test_symbols_agree_with_ints(self) -> None:
        """With a symbol as the batch it is a formula whose values are the ints'."""
        for row in self.rows:
            if not self.thing().of_row:
                self.check_symbols(row, {"batch": (2, 3)})

    def _values(self, row: Totals) -> list[tuple[str, Any]]:
        quantity = self.thing()
        report = self.account(row)
        if quantity.of_row is None:
            return [("the total", report.total[quantity.name]), *((r.path, r.values[quantity.name]) for r in report)]
        records = report.records(ratios=[quantity.name])
        return [(record["path"], record[quantity.name]) for record in records]
