"""A report whose figures are formulas: as many sizes traced as the model allows.

A family that lists its layers needs their number, and says so by the key's name: that size stays a number, and the
report is traced again without it. So does a size that a trace holds at its value: each value has other formulas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from functools import cache, partial
from typing import Any

import attrs

from graphacct.deriving.symbols import Symbol, with_sizes
from graphacct.errors import ConfigError, GraphacctError
from graphacct.formulas.conditions import held
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import value_of
from graphacct.reports.report import Report

HELD = "each value has formulas of its own"
BUILT = "the model is built from its value"
FEW = 4
"""With fewer symbols than this, each size that stays a number together with others is tried alone: that takes a while.
"""
OWN: frozenset[tuple[str, int]] = frozenset()
"""The key of the report at the model's own sizes."""
ASKED = re.compile(
    r"give a number(?: up to [\d,]*\d)?(?:, (?P<after>[^:;]+))?|: (?P<before>[^:;]+?),? so give a number"
)
FAILURES = (GraphacctError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RecursionError)
"""What code that was written for numbers raises when it gets a size that it cannot take apart."""


@attrs.frozen
class Held:
    """A size that stays a number.

    Attributes:
        name: The size.
        value: Its value.
        reason: Why, in a few words.
    """

    name: str
    value: int
    reason: str


@attrs.frozen(eq=False)
class TracedReport:
    """A report whose figures are formulas.

    Attributes:
        report: The report.
        trace: The trace of its sizes.
        workload: The names of the sizes of the workload that are symbols.
        held: The sizes that stayed numbers.
        exact: Whether every figure is the one of a report of plain numbers: a family may ask whether a size is an int,
            and describe another model if it is none.
        whole: Whether it has the quantities that take long.
        is_confirmed: Whether these are the ones of plain numbers. It takes as long as they do.
    """

    report: Report
    trace: Trace
    workload: frozenset[str]
    held: tuple[Held, ...]
    exact: bool
    whole: bool
    is_confirmed: Callable[[], bool]


def traced_report(
    account: Callable[..., Report],
    options: Mapping[str, Any],
    symbols: Sequence[Symbol],
    own: Mapping[str, int],
    sizes: Mapping[str, int],
    asked: Sequence[str] = (),
    held_before: Sequence[Held] = (),
    completed: Callable[[Report], Report] = lambda report: report,
    plain: dict[Any, Report] | None = None,
    enough: Callable[[Trace, Collection[str]], bool] = lambda trace, held: False,
    confirm: bool = True,
) -> TracedReport:
    """Returns the report of a model at some sizes, as many of the symbols traced as it allows.

    Args:
        account: What returns the report for some options.
        options: Those of the model.
        symbols: The sizes to trace.
        own: The value of each in the model, which those have that stay numbers.
        sizes: The value at which each is traced.
        asked: Names of those that must be traced. Raises ConfigError if one of them cannot be.
        held_before: The sizes that are known to have to stay numbers.
        completed: What adds to a report the quantities that take long: only one that is exact so far gets them.
        plain: Reports of plain numbers by their sizes, OWN of the model's, to which those that are made here are added.
        enough: Whether a trace, and the sizes that stay numbers in it, say all that is wanted without those quantities.
        confirm: Whether to hold those quantities against plain numbers, for which they are found once more.
    """
    plain = {} if plain is None else plain
    tracing = _Tracing(account, completed, enough, confirm, options, symbols, own, sizes, asked, plain)
    found = tracing.traced({each.name: each for each in held_before})
    if found.exact:
        return found
    kept = {each.name: each for each in found.held}
    for group in tracing.groups(kept.keys()):
        other = tracing.traced({**kept, **{name: tracing.held(name, BUILT) for name in group}})
        if other.exact:
            return other if len(other.trace.sizes) >= FEW else tracing.loosened(other)
    raise AssertionError("a report without symbols is itself")


@attrs.frozen(eq=False)
class _Tracing:
    account: Callable[..., Report]
    completed: Callable[[Report], Report]
    enough: Callable[[Trace, Collection[str]], bool]
    confirm: bool
    options: Mapping[str, Any]
    symbols: Sequence[Symbol]
    own: Mapping[str, int]
    sizes: Mapping[str, int]
    asked: Sequence[str]
    plain: dict[Any, Report]

    def traced(self, held_before: Mapping[str, Held]) -> TracedReport:
        """Returns the report with all but some sizes traced, and but those that turn out to have to stay numbers."""
        kept = dict(held_before)
        as_values = True  # so that nodes named after a size have the names of a report
        asked = False
        while True:
            trace = Trace(as_values)
            try:
                report = self._report(trace, kept)
                found = _held_in(trace)
                exact = not found and is_exact(report, self._plain(kept))
                whole = not self.enough(trace, kept)
                if exact and whole:
                    report = self.completed(report)
                    found = _held_in(trace)
                    exact = not found and (not self.confirm or self._is_confirmed(report, kept))
            except FAILURES as error:
                left = [name for name in self._names if name not in kept]
                if not left:
                    raise
                if not asked and self.own == self.sizes:
                    self._plain(kept)  # raises where the model refuses these sizes, as numbers too
                    asked = True
                named = _named(str(error), left, {symbol.name for symbol in self.symbols if symbol.given})
                if not named and as_values:
                    as_values = False  # so that the message names the size, whose value it would have
                    continue
                names = [named] if named else self._culprit(kept, left, str(error)) or _further(left, self.symbols)
                kept |= {name: self.held(name, _reason(error)) for name in names}
                as_values = True
                continue
            if not found:
                workload = frozenset(symbol.name for symbol in self.symbols if not symbol.of_config)
                confirmed = cache(partial(self._is_confirmed, report, kept))
                return TracedReport(report, trace, workload, tuple(kept.values()), exact, whole, confirmed)
            kept |= {name: self.held(name, HELD) for name, _ in found}

    def _is_confirmed(self, report: Report, kept: Collection[str]) -> bool:
        return is_exact(report, self.completed(self._plain(kept)))

    def _report(self, trace: Trace, kept: Collection[str]) -> Report:
        """Returns the report with all but some sizes traced."""
        traced = {
            symbol.name: self.own[symbol.name]
            if symbol.name in kept
            else trace.size(symbol.name, self.sizes[symbol.name])
            for symbol in self.symbols
            if symbol.name not in kept or self._given(symbol)
        }
        return self.account(**with_sizes(self.options, traced, self.symbols))

    def _culprit(self, kept: Collection[str], left: Sequence[str], message: str) -> Sequence[str]:
        """Returns the one size without which an error that names none is gone, or another one; empty if none is."""
        for name in reversed(left):
            try:
                self._report(Trace(), {*kept, name})
            except FAILURES as error:
                if str(error) == message:
                    continue
            return [name]
        return []

    def held(self, name: str, reason: str) -> Held:
        """Returns a size that stays a number. Raises ConfigError if it was asked for as a symbol."""
        if name in self.asked:
            raise ConfigError(f"{name} cannot be a symbol, {reason}: leave it out of the symbols")
        return Held(name, self.own[name], reason)

    def _plain(self, kept: Collection[str]) -> Report:
        """Returns the report of plain numbers, at the sizes of the one in which those that are not kept are traced."""
        sizes = {
            symbol.name: (self.own if symbol.name in kept else self.sizes)[symbol.name]
            for symbol in self.symbols
            if symbol.name not in kept or self._given(symbol)
        }
        own = {symbol.name: symbol.value for symbol in self.symbols}
        key = OWN if sizes.items() <= own.items() else frozenset(sizes.items())
        if key not in self.plain:
            self.plain[key] = self.account(**with_sizes(self.options, sizes, self.symbols))
        return self.plain[key]

    def _given(self, symbol: Symbol) -> bool:
        """Returns whether a size that stays a number is given. One of the workload that is as the model, or the user,
        has it is left out."""
        return symbol.of_config or self.own[symbol.name] != symbol.value

    def loosened(self, found: TracedReport) -> TracedReport:
        """Returns a report that has few symbols left with as many as there may be, one tried after the other."""
        for each in found.held:
            if each.reason == BUILT:
                other = self.traced({other.name: other for other in found.held if other is not each})
                if other.exact and len(other.held) < len(found.held):
                    found = other
        return found

    def groups(self, kept: Set[str]) -> Iterator[Sequence[str]]:
        """Yields sizes to leave numbers together: what there is one of, which as a number of blocks has no first and
        last one; those of one part, images and the like, the batch too, more, all."""
        left = [symbol for symbol in self.symbols if symbol.name not in kept]
        parts = dict.fromkeys(symbol.name.rpartition(".")[0] for symbol in left if "." in symbol.name)
        of_parts = [symbol.name for symbol in left if "." in symbol.name]
        of_workload = [symbol.name for symbol in left if not symbol.of_config]
        further = [name for name in of_workload if name not in ("batch", "seq_len")]
        batches = [name for name in of_workload if name != "seq_len"]
        ones = [symbol.name for symbol in left if symbol.of_config and self.sizes[symbol.name] == 1]
        each = [[symbol.name for symbol in left if symbol.name.rpartition(".")[0] == part] for part in parts]
        groups = [
            ones,
            *each,
            further,
            batches,
            *([*batches, *part] for part in each),
            of_workload,
            [*batches, *of_parts],
            [symbol.name for symbol in left if symbol.of_config],
            [symbol.name for symbol in left],
        ]
        seen: set[frozenset[str]] = {frozenset()}
        for group in groups:
            if frozenset(group) not in seen:
                seen.add(frozenset(group))
                yield group

    @property
    def _names(self) -> Sequence[str]:
        return [symbol.name for symbol in self.symbols]


def _held_in(trace: Trace) -> list[tuple[str, int]]:
    """Returns the sizes that a trace holds at their values."""
    return [each for guard in trace.decisions if (each := held(trace, guard)) is not None]


def is_exact(report: Report, plain: Report) -> bool:
    """Returns whether a traced report has the operators of one of plain numbers, and at its sizes the figures."""
    ours, theirs = ([record.node.operator for record in each.annotated.costs] for each in (report, plain))
    figures = zip(report.values, plain.values, strict=False)
    return ours == theirs and all(value_of(a) == b for mine, its in figures for a, b in zip(mine, its, strict=True))


def _named(message: str, left: Sequence[str], given: Set[str]) -> str:
    """Returns the size that a message names, by its whole name or else by its last word, and of several one that the
    user has not given; empty if it names none."""
    found = [name for name in left if re.search(rf"(?<![\w.]){re.escape(name)}\b", message)]
    if not found:
        found = [name for name in left if re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", message)]
    return max([name for name in found if name not in given] or found, key=len, default="")


def _further(left: Sequence[str], symbols: Sequence[Symbol]) -> Sequence[str]:
    """Returns sizes to leave numbers where no message says which: those of the part that others were kept of, then
    those of all parts, and then all."""
    of_config = [symbol.name for symbol in symbols if symbol.of_config and symbol.name in left]
    parts = {symbol.name.rpartition(".")[0] for symbol in symbols if symbol.name not in left}
    beside = [name for name in of_config if "." in name and name.rpartition(".")[0] in parts]
    return beside or [name for name in of_config if "." in name] or of_config or left


def _reason(error: Exception) -> str:
    found = ASKED.search(str(error))
    reason = None if found is None else found["before"] or found["after"]
    return reason.strip() if reason else BUILT
