"""The contract of an output: a format of `report` or `draw`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from unittest import SkipTest

from graphacct.display import DRAW, REPORT, Output, by_ending, rendered
from graphacct.errors import GraphacctError, RenderError
from graphacct.phases import TRAIN
from graphacct.reports.report import Report
from graphacct.testing.needs import needed
from graphacct.testing.totals import ModelContract

OPTIONS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    REPORT: {
        "by": ("scope", "operator", "parameter"),
        "depth": (None, 1),
        "columns": (None, ["flops"]),
        "binary": (False, True),
    },
    DRAW: {
        "color_by": ("flops", "params"),
        "depth": (None, 1),
        "unroll": (False, True),
        "views": (False, True),
        "orientation": ("top-down", "left-right"),
        "font_size": (9, 12),
        "grey": (False, True),
        "fields": (None, ["params"]),
        "scope": (),
        "width_cm": (None, 12.0),
        "bare": (False, True),
        "branches": (),
        "command": (),
        "plugins": (),
    },
}
"""The options of each command, and values that an output is tried with."""
SMALL = 60
"""The most nodes of a graph that is drawn written out: laying out more takes long."""


class OutputContract(ModelContract):
    """What holds for every output. A subclass sets `output`, `rows` and `contains`.

    Attributes:
        output: The output, or its name.
        contains: Texts that the first row's output contains, as a scope's name and its FLOPs.
    """

    kind = "outputs"
    noun = "output"
    output: ClassVar[Output | str]
    contains: ClassVar[Sequence[str]] = ()

    def test_it_says_what_it_is(self) -> None:
        """`graphacct list outputs` has its sentence; something asks for it: its name, or an ending."""
        self.check_sentence()
        output = self.thing()
        if output.command == DRAW and not output.endings:
            self.fail("it has no ending", "draw takes the format from the file's name: endings=('.x',).")
        try:
            by_ending(output.command, self.in_use().outputs)
        except GraphacctError as error:
            self.fail(f"{error}", "Take another ending.")

    def test_its_options_are_the_commands(self) -> None:
        """It takes the options that it names, which are those of its command."""
        output = self.thing()
        known = OPTIONS[output.command]
        for name in output.options:
            if name not in known:
                self.fail(f"options has {name!r}, which {output.command} does not have", f"It has: {', '.join(known)}.")
        try:
            inspect.signature(self._function()).bind(None, **dict.fromkeys(output.options))
        except TypeError as error:
            self.fail(
                f"its function cannot be called with the report and {', '.join(output.options) or 'no options'}: "
                f"{error}",
                "options= are the names of its arguments after the report.",
            )

    def test_rows_state_the_totals(self) -> None:
        """The output of the first row contains what `contains` says."""
        if not self.rows:
            self.fail("its contract has no rows", "Name a small model: rows = (Totals(net()),).")
        if not self.costs_in and not self.contains:
            self.fail("it does not say what is in the output", 'Name a scope or a figure: contains = ("fc", "120").')
        content = self._rendered(self.account(self.rows[0]), str(self.rows[0]))
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        for wanted in self.contains:
            if wanted not in text:
                self.fail(
                    f"{wanted!r} is not in the output of {self.rows[0]}, which begins {text[:60]!r}",
                    "Mend the function, or what contains says.",
                )

    def test_every_report_has_an_output(self) -> None:
        """A report of a training step, with symbols, with a node without a cost: text or bytes, or an error of
        graphacct's, with every value of its options."""
        sympy = needed("sympy")

        batch = sympy.Symbol("batch", integer=True, positive=True)
        for row in self.rows:
            report = self.account(row)
            small = sum(1 for _ in report.annotated.graph.unroll(self.in_use().operators).walk()) <= SMALL
            for changes in self._changes():
                if changes.get("unroll") and not small:
                    continue
                self._rendered(report, f"{row} with {changes}", **changes)
            if self.is_finished(row):
                continue
            self._rendered(self.account(row, batch=batch), f"{row} with a symbol as the batch")
            self._rendered(self.account(row, phase=TRAIN), f"a training step of {row}")

    def test_it_gives_the_same_each_time(self) -> None:
        """The same report has the same output."""
        for row in self.rows:
            report = self.account(row)
            if self._rendered(report, str(row)) != self._rendered(report, str(row)):
                self.fail(f"two outputs of one report of {row} differ", "Leave times and addresses of objects out.")

    def _changes(self) -> list[dict[str, Any]]:
        output = self.thing()
        tried = OPTIONS[output.command]
        return [{}, *({name: value} for name in output.options for value in tried.get(name, ()))]

    def _rendered(self, report: Report, what: str, **changes: Any) -> str | bytes:
        output = self.thing()
        usual = {name: values[0] for name, values in OPTIONS[output.command].items() if values}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a picture may be large
                content = rendered(output, report, {**usual, "plugins": self.in_use(), **changes})
        except RenderError as error:
            raise SkipTest(str(error)) from error  # a program that it needs is not installed
        except GraphacctError as error:
            self.fail(f"of {what}: {error}", "Mend its function: figures may be formulas, and rows without operators.")
        if not content:
            self.fail(f"its output of {what} is empty", "Return the text, rather than print it.")
        return content

    def _function(self) -> Callable[..., Any]:
        from graphacct.display import _function

        function = self.thing().function
        return _function(function) if isinstance(function, str) else function
