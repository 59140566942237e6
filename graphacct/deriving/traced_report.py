"""A report whose figures are formulas: as many sizes traced as the model allows.

A family that lists its layers needs their number, and says so by the key's name: that size stays a number, and the
report is traced again without it. So does a size that a trace holds at its value: each value has other formulas.

The batch is 1 unless given, and at 1 some rules take a branch of their own. A formula of any batch is worth more: so
it is traced at 2, and holds at 1 too if what is traced there is the same formula with 1 put in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.deriving.symbols import Symbol, with_sizes
from graphacct.errors import ConfigError, GraphacctError
from graphacct.formulas.conditions import held
from graphacct.formulas.trace import Trace
from graphacct.reports.report import Report

UNIT, SEVERAL = 1, 2
HELD = "each value has formulas of its own"
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
    """

    report: Report
    trace: Trace
    workload: frozenset[str]
    held: tuple[Held, ...]


def traced_report(
    account: Callable[..., Report],
    options: Mapping[str, Any],
    symbols: Sequence[Symbol],
    own: Mapping[str, int],
    sizes: Mapping[str, int],
    asked: Sequence[str] = (),
    held_before: Sequence[Held] = (),
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
    """
    kept = {each.name: each for each in held_before}

    def keep(name: str, reason: str) -> None:
        if name in asked:
            raise ConfigError(f"{name} cannot be a symbol, {reason}: leave it out of the symbols")
        kept[name] = Held(name, own[name], reason)

    while True:
        trace = Trace()
        traced = {
            symbol.name: own[symbol.name] if symbol.name in kept else trace.size(symbol.name, sizes[symbol.name])
            for symbol in symbols
        }
        try:
            report = account(**with_sizes(options, traced, symbols))
        except FAILURES as error:
            left = [symbol.name for symbol in symbols if symbol.name not in kept]
            for name in _culprits(str(error), left, symbols):
                keep(name, _reason(error))
            if not left:
                raise
            continue
        found = [each for guard in trace.decisions if (each := held(trace, guard)) is not None]
        if not found:
            workload = frozenset(symbol.name for symbol in symbols if not symbol.of_config)
            return TracedReport(report, trace, workload, tuple(kept.values()))
        for name, _ in found:
            keep(name, HELD)


def _culprits(message: str, left: Sequence[str], symbols: Sequence[Symbol]) -> Sequence[str]:
    """Returns the sizes that a message names; if it names none, those of the part that others were kept of, then those
    of all parts, and then all."""
    named = [name for name in left if re.search(rf"(?<![\w.]){re.escape(name)}\b", message)]
    if not named:
        named = [name for name in left if re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", message)]
    if named:
        return [max(named, key=len)]
    of_config = [symbol.name for symbol in symbols if symbol.of_config and symbol.name in left]
    parts = {symbol.name.rpartition(".")[0] for symbol in symbols if symbol.name not in left}
    beside = [name for name in of_config if "." in name and name.rpartition(".")[0] in parts]
    return beside or [name for name in of_config if "." in name] or of_config or left


def _reason(error: Exception) -> str:
    found = ASKED.search(str(error))
    reason = None if found is None else found["before"] or found["after"]
    return reason.strip() if reason else "the model is built from its value"
