"""Readings: a report that is traced at other sizes than the model's own, so that its formulas hold for more sizes.

The batch is 1 unless given, and a length all positions that there are. At just these sizes some rules take a branch of
their own, and what is traced there holds there alone. So the report is traced at a batch of 2, and at half the length
if at its own the trace finds it to be as long as another size. Whether a formula holds at the model's own sizes too is
seen by its value there, and where that is the report's by a trace there: with 1 put in for the batch, both must be the
same formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property, partial
from typing import Any

from graphacct.deriving.symbols import Symbol
from graphacct.deriving.traced_report import HELD, OWN, Held, TracedReport, is_exact, traced_report
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
        self,
        found: TracedReport,
        own: Mapping[str, int],
        sizes: Mapping[str, int],
        tied: Mapping[str, str],
        at_own: AtOwn,
    ) -> None:
        """`tied` are sizes that equal another one at the model's own sizes, and not at these; `at_own` is the report at
        the model's own sizes."""
        self.found, self.own, self.sizes, self.tied = found, own, sizes, tied
        self.report, self.trace, self.workload, self.held = found.report, found.trace, found.workload, found.held
        self.units = {name for name, size in sizes.items() if own[name] == UNIT and size == SEVERAL}
        self.decisions = found.trace.decisions
        at = Evaluation(found.trace, own)
        self.failing = [guard for guard in self.decisions if not at.holds(guard)]
        self._at_own = at_own
        self._both: tuple[Evaluation, Evaluation] | None = None
        self._told: dict[bool, tuple[Guard, ...]] = {}

    def holds_at_own(self, figure: Figure) -> bool:
        """Returns whether a figure's formula is, at the model's own sizes, the one that is traced there."""
        if not self.failing:
            return True
        at = Evaluation(self.trace, self.own)
        if not all(map(at.holds, self.guards(True))):
            return False
        value = at.of(figure(self.report))
        if isinstance(value, int) and value != figure(self._at_own.plain):
            return False
        traced = self._at_own.traced
        ours, there = self._common(traced.trace)
        same = _key(ours.of(figure(self.report))) == _key(there.of(figure(traced.report)))
        return bool(same) and self._at_own.is_exact

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


class AtOwn:
    """The report at the model's own sizes, of plain numbers and traced. Each is made when it is asked for."""

    def __init__(self, plain: Callable[[], Report], traced: Callable[[], TracedReport]) -> None:
        self._plain, self._traced = plain, traced

    @cached_property
    def plain(self) -> Report:
        return self._plain()

    @cached_property
    def traced(self) -> TracedReport:
        """A size of 1 stays a number in it."""
        return self._traced()

    @cached_property
    def is_exact(self) -> bool:
        return is_exact(self.traced.report, self.plain)


class Readings:
    """The readings of a model, those whose formulas hold for more sizes first. Each is made when it is asked for: with
    the quantities that take long, a second one takes as long as the first."""

    def __init__(
        self,
        account: Callable[..., Report],
        completed: Callable[[Report], Report],
        options: Mapping[str, Any],
        symbols: Sequence[Symbol],
        asked: Sequence[str],
    ) -> None:
        """
        Args:
            account: What returns the report for some options.
            completed: What adds to a report the quantities that take long.
            options: Those of the model.
            symbols: The sizes to trace.
            asked: Names of those that must be traced. Raises ConfigError if one of them cannot be.
        """
        self._own = {symbol.name: symbol.value for symbol in symbols}
        self._free = {symbol.name for symbol in symbols if not symbol.of_config and not symbol.given}
        self._sizes = {
            name: SEVERAL if name in self._free and size == UNIT else size for name, size in self._own.items()
        }
        self._asked = asked
        self._plain: dict[Any, Report] = {}
        self._traced = partial(traced_report, account, options, symbols, completed=completed, plain=self._plain)
        self._at_own_numbers = lambda: completed(self._plain[OWN] if OWN in self._plain else account(**options))
        self._start = self._traced(
            self._own, self._sizes, asked, enough=lambda trace, held: bool(self._tied(trace)), confirm=False
        )
        self._wider = self._untied(self._start)
        if self._wider is None and not self._start.whole:
            self._start = self._traced(self._own, self._sizes, asked, confirm=False)
            self._wider = self._untied(self._start)

    def __iter__(self) -> Iterator[Reading]:
        """Yields them. Where their formulas are those that are traced at the model's own sizes, it is that trace which
        is held against plain numbers."""
        first = self._wider or self._reading(self._start, self._sizes, {})
        if first.failing:
            yield first
        if not first.failing or self.last.found is not first.found:
            yield self.last

    @cached_property
    def last(self) -> Reading:
        """The one whose lengths are the model's own, held against plain numbers."""
        start = self._start
        if not start.whole or not start.is_confirmed():
            start = self._traced(self._own, self._sizes, self._asked)
        return self._reading(start, self._sizes, {})

    @cached_property
    def _at_own(self) -> AtOwn:
        ones = [Held(name, UNIT, HELD) for name, size in self._sizes.items() if size != self._own[name]]
        held = [*self._start.held, *ones]
        return AtOwn(self._at_own_numbers, lambda: self._traced(self._own, self._own, (), held, confirm=False))

    def _untied(self, found: TracedReport) -> Reading | None:
        """Returns the reading at half of each length that is as long as another size; None if there is none, or if more
        sizes stay numbers in it."""
        tied = self._tied(found.trace)
        if not tied:
            return None
        halved = {**self._sizes, **{name: self._sizes[name] // 2 for name in tied}}
        count = len(found.held)
        other = self._traced(
            self._own, halved, self._asked, found.held, enough=lambda trace, held: len(held) != count, confirm=False
        )
        known = found.whole or not self._tied(other.trace)
        return self._reading(other, halved, tied) if known and len(other.held) == count else None

    def _tied(self, trace: Trace) -> dict[str, str]:
        """Returns the lengths that a guard says to equal another size, by that one's name."""
        names = {name for name in self._free if self._sizes[name] == self._own[name]}
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

    def _reading(self, found: TracedReport, sizes: Mapping[str, int], tied: Mapping[str, str]) -> Reading:
        return Reading(found, self._own, sizes, tied, self._at_own)


def _key(figure: Any) -> Any:
    return figure.key if isinstance(figure, TracedSize) else figure
