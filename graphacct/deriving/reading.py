"""Readings: a report that is traced at other sizes than the model's own, so that its formulas hold for more sizes.

The batch is 1 unless given, and a length all positions that there are. At just these sizes some rules take a branch of
their own, and what is traced there holds there alone. So the report is traced at a batch of 2, and at half the length
if at its own the trace finds it to be as long as another size. Whether a formula holds at the model's own sizes too is
seen by a trace there: with 1 put in for the batch, both must be the same formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from graphacct.deriving.symbols import Symbol
from graphacct.deriving.traced_report import HELD, Held, TracedReport, traced_report
from graphacct.formulas.conditions import names_in, told
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.guards import Guard
from graphacct.formulas.terms import added, scaled
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import TracedSize
from graphacct.reports.report import Report

UNIT, SEVERAL = 1, 2

Figure = Callable[[Report], Any]
"""A figure of a report, with whatever it takes to find it."""


class Reading:
    """A traced report, and whether its formulas hold at the model's own sizes.

    Attributes:
        own: The model's own sizes.
        sizes: Those at which the report was traced.
    """

    def __init__(
        self, found: TracedReport, own: Mapping[str, int], sizes: Mapping[str, int], tied: Mapping[str, str]
    ) -> None:
        """`tied` are sizes that equal another one at the model's own sizes, and not at these."""
        self.found, self.own, self.sizes, self.tied = found, own, sizes, tied
        self.report, self.trace, self.workload, self.held = found.report, found.trace, found.workload, found.held
        self.units = {name for name, size in sizes.items() if own[name] == UNIT and size == SEVERAL}
        self.decisions = found.trace.decisions
        at = Evaluation(found.trace, own)
        self.failing = [guard for guard in self.decisions if not at.holds(guard)]
        self.at_own: TracedReport | None = None
        self._both: tuple[Evaluation, Evaluation] | None = None
        self._told: dict[bool, tuple[Guard, ...]] = {}

    def holds_at_own(self, figure: Figure) -> bool:
        """Returns whether a figure's formula is, at the model's own sizes, the one that is traced there."""
        if not self.failing:
            return True
        if self.at_own is None or not all(map(Evaluation(self.trace, self.own).holds, self.guards(True))):
            return False
        ours, there = self._common(self.at_own.trace)
        return bool(_key(ours.of(figure(self.report))) == _key(there.of(figure(self.at_own.report))))

    def _common(self, of_own: Trace) -> tuple[Evaluation, Evaluation]:
        """Returns this trace and that at the model's own sizes with the sizes of one trace put in: the own ones, where
        the guards of the second hold."""
        if self._both is None:
            common = Trace()
            sizes: dict[str, Any] = {name: common.size(name, size) for name, size in self.own.items()}
            sizes |= dict.fromkeys(self.units, UNIT)
            sizes |= {name: sizes[other] for name, other in self.tied.items()}
            self._both = Evaluation(self.trace, sizes), Evaluation(of_own, sizes)
            self._both[1].decide(of_own.decisions)
        return self._both

    def guards(self, everywhere: bool) -> tuple[Guard, ...]:
        """Returns the guards that say something. Of a formula that holds `everywhere`, at the model's own sizes too,
        those that fail there have that border in: `batch > 1` becomes `batch ≥ 1`, and `s ≠ p` goes."""
        if everywhere not in self._told:
            failing = self.failing if everywhere else []
            guards = [guard for guard in self.decisions if not any(guard is each for each in failing)]
            wider = [
                Guard("<", scaled(guard.terms, -1) if guard.holds else added(guard.terms, {0: 1}), False)
                for guard in failing
                if guard.kind == "<"
            ]
            self._told[everywhere] = told(self.trace, [*guards, *wider])
        return self._told[everywhere]

    @property
    def note(self) -> str:
        """What a reader must know of a formula that does not hold at the model's own sizes: of which the value is that
        is shown with it."""
        named: Set[str] = {name for guard in self.failing for name in names_in(self.trace, guard.terms)}
        return "; ".join(
            f"the value is at {name} {self.sizes[name]}; {name} 1 has another formula: give {name}=1"
            for name in sorted(named & self.units)
        )


def readings(
    account: Callable[..., Report],
    completed: Callable[[Report], Report],
    options: Mapping[str, Any],
    symbols: Sequence[Symbol],
    asked: Sequence[str],
) -> Sequence[Reading]:
    """Returns the readings of a model, those whose formulas hold for more sizes first.

    Args:
        account: What returns the report for some options.
        completed: What adds to a report the quantities that take long.
        options: Those of the model.
        symbols: The sizes to trace.
        asked: Names of those that must be traced. Raises ConfigError if one of them cannot be.
    """
    own = {symbol.name: symbol.value for symbol in symbols}
    free = {symbol.name for symbol in symbols if not symbol.of_config and not symbol.given}
    sizes = {name: SEVERAL if name in free and size == UNIT else size for name, size in own.items()}
    traced = partial(traced_report, account, options, symbols, completed=completed)
    found = [Reading(traced(own, sizes, asked), own, sizes, {})]
    first = found[0]
    tied = _tied(first.trace, free - first.units)
    if tied:
        halved = {**sizes, **{name: sizes[name] // 2 for name in tied}}
        other = Reading(traced(own, halved, asked, first.held), own, halved, tied)
        if len(other.held) == len(first.held):
            found.insert(0, other)
    if any(reading.failing for reading in found):
        ones = [Held(name, UNIT, HELD) for name in first.units]
        at_own = traced(own, own, (), [*first.held, *ones])
        for reading in found:
            reading.at_own = at_own
    return found


def _tied(trace: Trace, names: Set[str]) -> dict[str, str]:
    """Returns the sizes of these names that a guard says to equal another size, by that one's name."""
    found = {}
    for guard in trace.decisions:
        there = names_in(trace, guard.terms)
        mine = there & names
        if guard.kind == "==" and guard.holds and len(guard.terms) == len(there) == 2 and len(mine) == 1:
            (name,) = mine
            (other,) = there - mine
            if trace.sizes[name] == trace.sizes[other] and trace.sizes[name] % 2 == 0:
                found[name] = other
    return found


def _key(figure: Any) -> Any:
    return figure.key if isinstance(figure, TracedSize) else figure
