"""The branches of a model's rules: reports that are traced at several sizes, each of which speaks for all sizes alike.

A page recomputes its figures at sizes that its reader types. One trace holds where its guards hold, and a batch of 1, or
a length of all positions, may take a branch of its own. So a few sizes near the model's own are tried, and those that
no trace speaks for yet are traced too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from graphacct.deriving.symbols import Symbol, symbols_of
from graphacct.deriving.traced_report import FAILURES, Held, TracedReport, traced_report
from graphacct.errors import ConfigError
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.trace import Trace
from graphacct.reports.report import Report

MOST, FEW = 6, 2
"""The most reports that are traced, and the most of a training step or of a large graph, which take far longer."""
LARGE = 300
"""So many nodes are a large graph."""


@attrs.frozen(eq=False)
class Branch:
    """One way through the model's rules.

    Attributes:
        report: The report, whose figures are formulas.
        trace: The trace of its sizes, with the guards.
        held: The sizes that are numbers here: it holds at these values alone.
    """

    report: Report
    trace: Trace
    held: Mapping[str, int]

    def holds(self, point: Mapping[str, int]) -> bool:
        """Returns whether it speaks for these sizes."""
        if any(point[name] != value for name, value in self.held.items()):
            return False
        at = Evaluation(self.trace, point)
        try:
            return all(map(at.holds, self.trace.decisions))
        except ZeroDivisionError:
            return False


@attrs.frozen(eq=False)
class Branches:
    """A model with its sizes left open.

    Attributes:
        symbols: The sizes, those of the workload first.
        branches: The branches that were traced; the first one speaks for the model's own sizes.
        fixed: The sizes that are numbers in all of them, with reasons.
    """

    symbols: tuple[Symbol, ...]
    branches: tuple[Branch, ...]
    fixed: Mapping[str, str]


def branches(account: Callable[..., Report], found: object, options: Mapping[str, Any], report: Report) -> Branches:
    """Returns the branches of a model; none for one whose sizes are fixed.

    Args:
        account: What returns the report of the model for some options.
        found: The model.
        options: Its options.
        report: Its report.
    """
    try:
        symbols = symbols_of(found, options, report.workload)
    except ConfigError:  # a finished graph
        return Branches((), (), {})
    own = {symbol.name: symbol.value for symbol in symbols}
    nodes = _nodes(report)
    traced: list[Branch] = []
    reasons: dict[str, str] = {}
    before: Sequence[Held] = ()
    limit = FEW if report.annotated.training is not None or len(nodes) > LARGE else MOST
    tries = 0
    for point in _points(symbols):
        if tries == limit:
            break
        if any(branch.holds(point) for branch in traced):
            continue
        tries += 1
        try:
            trace = traced_report(account, options, symbols, own, point, (), before)
        except FAILURES:  # the model refuses this size
            continue
        branch = _branch(trace, own, point)
        if _nodes(branch.report) != nodes or not branch.holds(point):
            continue
        before = before or [each for each in trace.held if each.name not in ("batch",)]
        reasons.update((each.name, each.reason) for each in trace.held)
        traced.append(branch)
    fixed = {
        name: reasons[name]
        for name in reasons
        if traced and all(branch.held.get(name) == own[name] for branch in traced)
    }
    return Branches(symbols, tuple(traced), fixed)


def _branch(found: TracedReport, own: Mapping[str, int], point: Mapping[str, int]) -> Branch:
    workload = {symbol for symbol in own if symbol not in found.trace.sizes}
    held = {each.name: each.value for each in found.held}
    return Branch(found.report, found.trace, {name: held.get(name, point[name]) for name in workload})


def _nodes(report: Report) -> list[tuple[str, str]]:
    return [(record.node.name, record.node.operator) for record in report.annotated.costs]


def _points(symbols: Sequence[Symbol]) -> Iterator[Mapping[str, int]]:
    """Yields sizes near the model's own: first these, then with several sequences, with other lengths, and with each
    size of the configuration twice as large."""
    own = {symbol.name: symbol.value for symbol in symbols}
    yield own
    several = {**own, "batch": 2 * own["batch"]} if "batch" in own else own
    yield several
    for symbol in symbols:
        if not symbol.of_config and symbol.name != "batch":
            for size in (symbol.value // 2, 2 * symbol.value, 1):
                if size > 0:
                    yield {**several, symbol.name: size}
                    yield {**own, symbol.name: size}
    for symbol in symbols:
        if symbol.of_config:
            yield {**several, symbol.name: 2 * symbol.value}
