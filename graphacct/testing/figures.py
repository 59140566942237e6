"""What a thing says of sizes: the checks of a contract whose rows are sizes and figures, for optimizers and formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from graphacct.testing import worlds
from graphacct.testing.contract import Contract
from graphacct.testing.needs import needed
from graphacct.testing.rows import Sized


class FigureContract(Contract):
    """The base of contracts whose rows are sizes, and figures for them.

    Attributes:
        rows: Sizes, and figures that were worked out by hand.
        may_fall: Why a figure may fall while a size grows; empty if none does.
    """

    rows: ClassVar[Sequence[Any]] = ()
    may_fall: ClassVar[str] = ""
    example: ClassVar[str] = ""
    """A row, for the message about there being none."""

    def sized(self, row: Any) -> Sized:
        """Returns the sizes of a row; `make` is not called."""
        raise NotImplementedError

    def figures(self, row: Any) -> worlds.Figures:
        """Returns the figures of a row as a function of its sizes."""
        raise NotImplementedError

    def test_rows_state_the_figures(self) -> None:
        """Each row's figures are what the thing says."""
        if not any(row.stated for row in self.rows):
            self.fail("no row states a figure", f"Work one out by hand: rows = ({self.example},).")
        for row in self.rows:
            found = self.figures(row)(**self.sized(row).sizes)
            for name, figure in row.stated.items():
                if found[name] != figure:
                    self.fail(
                        f"{name} of {row} is {found[name]}, and the row says {figure}",
                        "One of the two is wrong: work it out by hand, and mend the formula or the row.",
                    )

    def test_symbols_agree_with_ints(self) -> None:
        """The figures with symbols as sizes, evaluated, are what ints give; and ints give ints."""
        for row, figures in self._rows():
            for points in (self._points(row, worlds.SMALL), self._points(row, worlds.LARGE, 1)):
                at = self._holding(row, figures, points)
                if at:
                    self.check_worlds(row, worlds.symbols_against_ints(figures, at), "a symbol")

    def test_arrays_agree_with_ints(self) -> None:
        """Each point of a sweep is what ints give, without any limit in Python ints."""
        needed("numpy")
        for row, figures in self._rows():
            at = self._holding(row, figures, self._points(row, worlds.LARGE, 2))
            if at:
                self.check_worlds(row, worlds.arrays_against_ints(figures, at, object), "an array of Python ints")

    def test_figures_never_fall_when_a_size_grows(self) -> None:
        """A larger tensor has at least as many bytes, and as much work; none has fewer than 0."""
        for row, figures in self._rows():
            sizes = self.sized(row).sizes
            before = figures(**sizes)
            for name, number in sizes.items():
                after = figures(**{**sizes, name: 2 * number})
                for what, figure in before.items():
                    if figure < 0:
                        self.fail(f"{what} of {row} is {figure}", "Mend the formula: it is a count.")
                    if after[what] < figure and not self.may_fall:
                        self.fail(
                            f"{what} falls from {figure} to {after[what]} when {name} grows from {number} to "
                            f"{2 * number} in {row}",
                            "Mend the formula, or say why: may_fall = '…'.",
                        )

    def _rows(self) -> Iterator[tuple[Any, worlds.Figures]]:
        for row in self.rows:
            if self.sized(row).sizes:
                yield row, self.figures(row)

    def _points(self, row: Any, most: int, count: int = 3) -> list[dict[str, int]]:
        return worlds.points(self.sized(row), most, count)

    def _holding(self, row: Any, figures: worlds.Figures, at: Sequence[Mapping[str, int]]) -> list[Mapping[str, int]]:
        """Returns the points at which what is assumed of symbols holds."""
        try:
            return worlds.holding(figures, at)
        except AssertionError:
            raise
        except Exception as error:
            self.fail(
                f"{row} raises {type(error).__name__} with a symbol as size: {error}",
                "Formulas write exact_div, //, maximum, minimum and equal instead of /, max, min and ==.",
            )
