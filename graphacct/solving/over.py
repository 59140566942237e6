"""One model at several sizes: its reports, and the sizes at which two roles cross."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from graphacct.costs.roles import ATTENTION, EXPERTS, MLP
from graphacct.errors import ConfigError, brief
from graphacct.graph.graph import Graph
from graphacct.models.find import ModelChoice
from graphacct.models.read_choice import ReadChoice
from graphacct.models.size import find_size
from graphacct.models.values import Values, parse_values, values_of
from graphacct.operators.operator import Operator
from graphacct.reports.comparison import ROLE, Crossing, Over
from graphacct.reports.parts import Parts
from graphacct.reports.report import Report
from graphacct.reports.rows import share
from graphacct.solving.search import Search
from graphacct.solving.sized import SizedModel

MOST = 1_000
"""The most sizes that are compared."""
PAIRS = ((ATTENTION, MLP), (ATTENTION, EXPERTS))
"""The roles whose crossing is looked for: attention grows with the square of the length, a network with the length."""


def named_values(over: str | Mapping[str, Any]) -> tuple[str, Values]:
    """Returns the name of a size and its values, of `NAME=VALUES` or a mapping with one name.

    Raises ConfigError for another form, and for more than MOST values.

    >>> named_values("batch=1:8:1") == named_values({"batch": range(1, 9)})
    True
    """
    if isinstance(over, str):
        name, equals, text = (part.strip() for part in over.partition("="))
        if not (name and equals and text):
            raise ConfigError(
                f'over={brief(over)} is not of the form NAME=VALUES: over="seq_len=1k,4k,16k" or over="batch=1:8:1"'
            )
        over = {name: text}
    if len(over) != 1:
        raise ConfigError(f"over takes one size, and {', '.join(over) or 'none'} is given: leave the others out")
    ((name, given),) = over.items()
    try:
        listed = given if hasattr(given, "__iter__") else (given,)
        values = parse_values(given) if isinstance(given, str) else values_of(listed)
    except ConfigError as error:
        raise ConfigError(f"over {name}: {error}") from error
    if values.count > MOST:
        raise ConfigError(f"over {name}: {values.count:,} columns, and the most are {MOST:,}; a sweep takes as many")
    return name, values


def account_over(
    found: Graph | ModelChoice | ReadChoice,
    over: str | Mapping[str, str | Iterable[int]],
    options: Mapping[str, Any],
    report: Callable[..., Report],
    compared: tuple[str, str],
    operators: Mapping[str, Operator],
) -> tuple[list[Report], Over]:
    """Returns the reports of a model at several sizes, and what became of the sizes.

    Args:
        found: The model.
        over: The sizes: `NAME=SIZES`, or a mapping with one name.
        options: The other options of the reports.
        report: Returns the report of options.
        compared: The quantity that is compared, and by what. Crossings are looked for by role.
        operators: Those of the model, by name.

    Raises ConfigError for what names no sizes, and if the model refuses all of them.
    """
    quantity, by = compared
    name, values = named_values(over)
    sizes = list(values)
    size = find_size(found, name, options, "what the columns differ in")
    model = SizedModel(size, lambda given: report(**given), options, beyond=True)
    reports = {size: made for size in sizes if (made := model.report(size)) is not None}
    refused = tuple(model.refused.items())
    if not reports:
        which = "it" if len(sizes) == 1 else f"each of the {len(sizes):,} sizes"
        raise ConfigError(f"{name}: the model refuses {which}, as {refused[0][0]:,}: {refused[0][1]}")
    summed = by == ROLE and next(iter(reports.values())).quantity(quantity).adds_up
    crossed = crossings(model, reports, quantity, operators) if summed else ()
    return [*reports.values()], Over(name, size.key, tuple(reports), refused, model.positions, crossed)


def crossings(
    model: SizedModel, found: Mapping[int, Report], quantity: str, operators: Mapping[str, Operator]
) -> tuple[Crossing, ...]:
    """Returns where attention and a network cost the same between sizes that were built, exactly: between two sizes on
    whose sides another one costs more, the border is searched for among all whole numbers."""
    known = {size: _Roles(report, quantity, operators) for size, report in found.items()}

    def roles(size: int) -> _Roles | None:
        if size not in known:
            report = model.report(size)
            if report is None:
                return None
            known[size] = _Roles(report, quantity, operators)
        return known[size]

    own = model.size.own if model.size.of_config else None  # sizes that heads divide lie on a lattice around it
    crossed = []
    for one, other in PAIRS:
        for low, high in pairwise(sorted(found)):
            size = _border(roles, one, other, low, high, own)
            at = None if size is None else known[size]
            if at is not None and size is not None:
                before = known[low].sign(one, other)
                passing, passed = (one, other) if before == -1 else (other, one)
                crossed.append(Crossing(size, passing, passed, at.sign(one, other) == 0, at.share(passing)))
    return tuple(sorted(crossed, key=lambda crossing: crossing.size))


class _Roles:
    """The figures of roles in one report."""

    def __init__(self, report: Report, quantity: str, operators: Mapping[str, Operator]) -> None:
        self.total = report.figure(quantity)
        self.values = {role: values[quantity] for role, values in Parts(report, operators).by_role.items()}

    def sign(self, one: str, other: str) -> int | None:
        """Returns -1, 0 or 1 as one role costs less than, as much as, or more than another one; None if one of them is
        not there."""
        first, second = self.values.get(one), self.values.get(other)
        return None if first is None or second is None else (first > second) - (first < second)

    def share(self, role: str) -> float:
        return float(share(self.values[role], self.total))


def _border(
    ask: Callable[[int], _Roles | None], one: str, other: str, low: int, high: int, own: int | None
) -> int | None:
    """Returns the first size above `low` at which two roles cost the same or have changed sides; None if they have not
    at `high`."""

    def changed(size: int) -> bool | None:
        roles = ask(size)
        return None if roles is None else roles.sign(one, other) != before

    first = ask(low)
    before = None if first is None else first.sign(one, other)
    if before in (None, 0) or not changed(high):
        return None  # where they are equal at `low`, the sizes before it have told
    return Search(changed, low, high, own).first_true().high
