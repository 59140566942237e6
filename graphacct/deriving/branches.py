"""The branches of a model's rules: reports traced at several sizes, each of which speaks for all sizes like its own.

A page recomputes its figures at sizes that its reader types. A trace holds where its guards hold; a batch of 1, or a
length of all positions, may take a branch of its own. So a few sizes near the model's own are tried, and those that no
trace speaks for yet are traced too. A trace that says the same as an earlier one with its sizes put in only adds a
region to it: then both have one table of formulas.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from graphacct.deriving.agreement import agrees
from graphacct.deriving.symbols import Symbol, by_cache, symbols_of, with_image_key
from graphacct.deriving.traced_report import FAILURES, HELD, OWN, Held, traced_report
from graphacct.errors import ConfigError
from graphacct.formulas.conditions import names_in
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.guards import Guard
from graphacct.formulas.trace import Trace
from graphacct.hooks.manager import Plugins
from graphacct.phases import DECODE
from graphacct.reports.report import Report

AT_MOST = ((60, 12), (300, 6))
"""The most reports that are traced, of graphs with at most so many nodes."""
NEAREST = 4
"""Of a larger graph, and of a training step, which take far longer, only so many of the nearest sizes are tried."""
ONE_TOKEN = "a decoding step has one new token; cache_len says how many are before it"
LENGTH = "_len"
"""How the names of lengths end."""


@attrs.frozen(eq=False)
class Region:
    """Sizes that are alike: whatever is decided on them, is decided as in one trace.

    Attributes:
        trace: The trace, with the guards.
        held: The sizes that are numbers in it: it holds at these values alone.
    """

    trace: Trace
    held: Mapping[str, int]

    def holds(self, point: Mapping[str, int]) -> bool:
        """Returns whether these sizes are among them."""
        if any(point[name] != value for name, value in self.held.items()):
            return False
        return all(map(Evaluation(self.trace, point).holds, self.trace.decisions))

    def failing(self, point: Mapping[str, int]) -> Iterator[Guard]:
        """Returns the guards that are not as they were at other sizes."""
        at = Evaluation(self.trace, point)
        return (guard for guard in self.trace.decisions if not at.holds(guard))


@attrs.frozen(eq=False)
class Branch:
    """One way through the model's rules.

    Attributes:
        report: The report, whose figures are formulas of the first region's trace.
        regions: The sizes that it speaks for.
    """

    report: Report
    regions: tuple[Region, ...]

    @property
    def trace(self) -> Trace:
        """The trace of the formulas."""
        return self.regions[0].trace

    def holds(self, point: Mapping[str, int]) -> bool:
        """Returns whether it speaks for these sizes."""
        return any(region.holds(point) for region in self.regions)


@attrs.frozen(eq=False)
class Branches:
    """A model with its sizes left open.

    Attributes:
        symbols: The sizes, those of the workload first.
        branches: The branches that were traced.
        fixed: The sizes that are numbers in all of them, with reasons.
    """

    symbols: tuple[Symbol, ...]
    branches: tuple[Branch, ...]
    fixed: Mapping[str, str]


def branches(
    account: Callable[..., Report], found: object, options: Mapping[str, Any], report: Report, plugins: Plugins
) -> Branches:
    """Returns the branches of a model; none for one whose sizes are fixed.

    Args:
        account: What returns the report of the model for some options.
        found: The model.
        options: Its options.
        report: Its report.
        plugins: Those in use.
    """
    options = by_cache(options, report.workload)
    try:
        symbols = symbols_of(found, options, report.workload)
    except ConfigError:  # a finished graph
        return Branches((), (), {})
    symbols = with_image_key(account, found, options, symbols)
    own = {symbol.name: symbol.value for symbol in symbols}
    keys = {symbol.name for symbol in symbols if symbol.of_config}
    nodes = _nodes(report)
    traced: list[Branch] = []
    held: dict[str, Held] = {}
    most = [most for count, most in AT_MOST if len(nodes) <= count and report.annotated.training is None]
    left = most[0] if most else NEAREST
    stuck: dict[str, Held] = {}
    plain: dict[Any, Report] = {OWN: report}
    points = deque(islice(_points(symbols), None if most else NEAREST))
    while points and left:
        point = {**points.popleft(), **{name: own[name] for name in stuck}}
        if any(branch.holds(point) for branch in traced):
            continue
        left -= 1
        before = {each.name: each for each in held.values() if each.name in keys}  # a family takes these as numbers
        before |= {name: Held(name, 1, HELD) for name in _ones(traced, point)}
        try:
            new = traced_report(account, options, symbols, point, point, (), [*(before | stuck).values()], plain=plain)
        except FAILURES:  # the model refuses this size
            continue
        held |= {each.name: each for each in new.held if each.name not in held}
        fixed = {each.name: each for each in new.held if point[each.name] not in (own[each.name], 1)}
        if fixed:  # of its own or of none: the others are moved alone
            stuck |= fixed
            points.appendleft(point)
            continue
        region = Region(new.trace, {name: size for name, size in point.items() if name not in new.trace.sizes})
        if region.holds(point) and _nodes(new.report) == nodes:
            _add(traced, Branch(new.report, (region,)), plugins)
    regions = [region for branch in traced for region in branch.regions]
    always = [name for name in held if all(region.held.get(name) == own[name] for region in regions)]
    reasons = {name: held[name].reason for name in always}
    if "seq_len" in reasons and report.workload.get("phase") == DECODE:
        reasons["seq_len"] = ONE_TOKEN
    return Branches(symbols, tuple(traced), reasons)


def _add(traced: list[Branch], new: Branch, plugins: Plugins) -> None:
    """Adds a branch, or its region to one that says the same there."""
    (region,) = new.regions
    sizes = {**region.trace.sizes, **region.held}
    for place, branch in enumerate(traced):
        if agrees(branch.report, branch.trace, new.report, region.trace, sizes, plugins):
            traced[place] = attrs.evolve(branch, regions=(*branch.regions, region))
            return
    traced.append(new)


def _ones(traced: Sequence[Branch], point: Mapping[str, int]) -> Iterator[str]:
    """Yields the sizes that are 1 and for that alone have a branch of their own: a trace would hold them there."""
    for branch in traced:
        for region in branch.regions:
            for guard in region.failing(point):
                names = names_in(region.trace, guard.terms)
                if len(names) == 1 and point[name := next(iter(names))] == 1:
                    yield name


def _nodes(report: Report) -> list[tuple[str, str]]:
    return [(record.node.name, record.node.operator) for record in report.annotated.costs]


def _points(symbols: Sequence[Symbol]) -> Iterator[Mapping[str, int]]:
    """Yields sizes near the model's own: first with several sequences and shorter ones, whose formulas hold for most
    sizes, these, and each of the two alone; then with each length of 1, and twice as long; then with each key of the
    configuration of 1, and twice and half as large."""
    own = {symbol.name: symbol.value for symbol in symbols}
    several = {"batch": 2 * own["batch"]} if "batch" in own else {}
    lengths = [name for name in own if name.endswith(LENGTH)]
    shorter = {name: max(own[name] // 2, 1) for name in lengths}
    for other in ({**several, **shorter}, {}, several, shorter):
        yield {**own, **other}
    for size in (2, 1):
        for name in lengths:
            for batch in (several, {}):
                yield {**own, **shorter, **batch, name: 2 * own[name] if size == 2 else 1}
    for symbol in symbols:
        if symbol.of_config:
            for size in (1, 2 * symbol.value, max(symbol.value // 2, 1)):
                yield {**own, **shorter, **several, symbol.name: size}
