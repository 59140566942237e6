"""The branches of a model's rules: reports traced at several sizes, each of which speaks for all sizes like its own.

A page recomputes its figures at sizes that its reader types. A trace holds where its guards hold; a batch of 1, or a
length of all positions, may take a branch of its own. So a few sizes near the model's own are tried, and those that no
trace speaks for yet are traced too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from graphacct.deriving.symbols import Symbol, symbols_of
from graphacct.deriving.traced_report import FAILURES, Held, traced_report
from graphacct.errors import ConfigError
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.trace import Trace
from graphacct.reports.report import Report

AT_MOST = ((60, 12), (300, 6))
"""The most reports that are traced, of graphs with at most so many nodes."""
FEW = 4
"""The most of a larger graph, and of a training step, which take far longer."""
LENGTH = "_len"
"""How the names of lengths end."""


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
    keys = {symbol.name for symbol in symbols if symbol.of_config}
    nodes = _nodes(report)
    traced: list[Branch] = []
    held: dict[str, Held] = {}
    left = FEW
    if report.annotated.training is None:
        left = next((most for count, most in AT_MOST if len(nodes) <= count), FEW)
    for point in _points(symbols):
        if not left:
            break
        if any(branch.holds(point) for branch in traced):
            continue
        left -= 1
        before = [each for each in held.values() if each.name in keys]  # a family takes these as numbers alone
        try:
            found = traced_report(account, options, symbols, own, point, (), before)
        except FAILURES:  # the model refuses this size
            continue
        held |= {each.name: each for each in found.held}
        numbers = {each.name: each.value for each in found.held}
        fixed = {name: numbers.get(name, size) for name, size in point.items() if name not in found.trace.sizes}
        branch = Branch(found.report, found.trace, fixed)
        if branch.holds(point) and _nodes(branch.report) == nodes:
            traced.append(branch)
    always = [name for name in held if all(branch.held.get(name) == own[name] for branch in traced)]
    return Branches(symbols, tuple(traced), {name: held[name].reason for name in always})


def _nodes(report: Report) -> list[tuple[str, str]]:
    return [(record.node.name, record.node.operator) for record in report.annotated.costs]


def _points(symbols: Sequence[Symbol]) -> Iterator[Mapping[str, int]]:
    """Yields sizes near the model's own: first these, then with several sequences and shorter ones, each of the two
    alone; then with each length twice as long, and of 1; then with each key of the configuration twice and half as
    large."""
    own = {symbol.name: symbol.value for symbol in symbols}
    several = {"batch": 2 * own["batch"]} if "batch" in own else {}
    lengths = [name for name in own if name.endswith(LENGTH)]
    shorter = {name: max(own[name] // 2, 1) for name in lengths}
    for other in ({}, {**several, **shorter}, several, shorter):
        yield {**own, **other}
    for size in (2, 1):
        for name in lengths:
            for batch in (several, {}):
                yield {**own, **shorter, **batch, name: 2 * own[name] if size == 2 else 1}
    for symbol in symbols:
        if symbol.of_config:
            for size in (2 * symbol.value, max(symbol.value // 2, 1)):
                yield {**own, **shorter, **several, symbol.name: size}
