"""A diff: which nodes of two models differ under one workload, and what that costs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from graphacct.dims import Dim, digits, same, same_shape
from graphacct.display import display
from graphacct.errors import ConfigError
from graphacct.expressions.change import Condition
from graphacct.graph.paths import merged, pattern
from graphacct.operators.operator import Operator
from graphacct.reports.report import Report
from graphacct.reports.rows import adder
from graphacct.reports.workloads import check_one_workload

if TYPE_CHECKING:
    import graphviz

    from graphacct.hooks.manager import Plugins

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_ABSENT = object()
Shapes: TypeAlias = tuple[tuple[Dim, ...], ...]


@attrs.frozen
class Variant:
    """What runs under a path: layers that repeat may be of several kinds.

    Attributes:
        operator: The operator.
        inputs: The shapes of its operands, parameters included.
        outputs: The shapes of what it returns.
        repeat: How often it runs.
    """

    operator: str
    inputs: Shapes
    outputs: Shapes
    repeat: Dim


@attrs.frozen
class Side:
    """A path in one of the models.

    Attributes:
        variants: What runs there, each kind once.
        values: Its quantities by name, repeats included; None if a node there has no cost.
    """

    variants: tuple[Variant, ...]
    values: Mapping[str, Dim] | None

    @property
    def operator(self) -> str:
        """The operators that run there, with commas between."""
        return ", ".join(dict.fromkeys(variant.operator for variant in self.variants))

    @property
    def repeat(self) -> Dim:
        """How often nodes run there."""
        return sum(variant.repeat for variant in self.variants)


@attrs.frozen
class Change:
    """A path whose nodes differ.

    Attributes:
        path: The path, as reports show it.
        first: What the first model has there; None if nothing.
        other: What the other one has there; None if nothing.
        differs: What differs of a changed path, some of `operator`, `shapes`, `repeat`, `cost`.
    """

    path: str
    first: Side | None
    other: Side | None
    differs: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        return ADDED if self.first is None else REMOVED if self.other is None else CHANGED


@attrs.frozen(eq=False)
class Diff:
    """The difference between two models under one workload.

    Attributes:
        first: The first model's report, A.
        other: The other one's, B.
        quantity: The quantity that a table shows.
        changes: The paths whose nodes differ, A's in its order, each new one after the path that it follows in B.
        unchanged: How many paths have the same nodes in both.
        conditions: What was to be said if it holds.
        failing: Those of them that hold.
        parts: What the conditions name of parts, by name and argument: of the first model and of the other one.
    """

    first: Report
    other: Report
    quantity: str
    changes: tuple[Change, ...]
    unchanged: int
    conditions: tuple[Condition, ...] = ()
    failing: tuple[Condition, ...] = ()
    parts: Mapping[tuple[str, str], tuple[Dim, Dim]] = attrs.field(factory=dict)

    def of_kind(self, kind: str) -> tuple[Change, ...]:
        """The changes of a kind: `added`, `removed` or `changed`."""
        return tuple(change for change in self.changes if change.kind == kind)

    @property
    def total(self) -> dict[str, tuple[Dim, Dim]]:
        """Each quantity of both models, by name."""
        return {name: (value, self.other.total[name]) for name, value in self.first.total.items()}

    def to_dict(self) -> dict[str, Any]:
        """Returns the diff as plain values: see docs/json.md."""
        found: dict[str, Any] = display("diff.dict", self)
        return found

    def draw(
        self, path: str | os.PathLike[str] | None = None, depth: int | None = None, plugins: Plugins | None = None
    ) -> graphviz.Digraph:
        """Returns the picture of both models with what differs marked, written to a .svg, .png, .pdf or .dot too if a
        path is given; an .html is a page of both side by side. `depth` opens so many levels of scopes; as many as are
        readable unless given."""
        picture: graphviz.Digraph = display("diff.draw", self, path, depth, plugins)
        return picture

    def __repr__(self) -> str:
        before, after = self.total[self.quantity]
        names = f"{self.first.model} and {self.other.model}"
        return f"<Diff {names}: {self.quantity} {digits(before)} and {digits(after)}, {len(self.changes)} paths differ>"

    def __str__(self) -> str:
        return str(display("diff.table", self))

    def _repr_html_(self) -> str:
        return str(display("diff.html", self))


def diff(
    first: Report,
    other: Report,
    quantity: str,
    conditions: Sequence[Condition] = (),
    operators: Mapping[str, Operator] | None = None,
) -> Diff:
    """Returns which nodes of two models differ, and which of some conditions on the changes hold.

    Nodes are matched by their paths. One is changed if its operator, shapes, repeats or cost are others. `operators`
    say what each node is for, which conditions on roles ask.
    Raises UnknownNameError for an unknown quantity, ConfigError for reports that do not compare and for a ratio.
    """
    _check_alike(first, other)
    calls = tuple(dict.fromkeys(call for condition in conditions for call in condition.calls))
    named = (name for condition in conditions for name in condition.names)
    for name in (quantity, *named, *(name for name, _ in calls)):
        if first.quantity(name).of_row is not None:
            raise ConfigError(f"{name} is a ratio, whose parts do not add up: a diff is of {', '.join(first.total)}")
    ones, others = _sides(first), _sides(other)
    compared = [item.name for item in first.quantities if item.adds_up]  # a peak at a node is of all that is alive
    changes: list[Change] = []
    unchanged = 0
    for path in merged([list(ones), list(others)]):
        one, two = ones.get(path), others.get(path)
        differs = () if one is None or two is None else _differs(one, two, compared)
        if one is None or two is None or differs:
            changes.append(Change(path, one, two, differs))
        else:
            unchanged += 1
    parts = _parts(first, other, calls, operators or {})
    totals = (first.total, other.total)
    failing = tuple(item for item in conditions if item.holds(*totals, lambda *call: parts[call]))
    return Diff(first, other, quantity, tuple(changes), unchanged, tuple(conditions), failing, parts)


def _parts(
    first: Report, other: Report, calls: Iterable[tuple[str, str]], operators: Mapping[str, Operator]
) -> dict[tuple[str, str], tuple[Dim, Dim]]:
    """Returns a quantity of a part of both models for each call; 0 where one of them has no such part."""
    if not calls:
        return {}
    from graphacct.reports.parts import Parts

    ones, others = Parts(first, operators), Parts(other, operators)
    found = {}
    for call in calls:
        pair = (ones.figure(*call, absent=_ABSENT), others.figure(*call, absent=_ABSENT))
        if pair == (_ABSENT, _ABSENT):
            ones.figure(*call)  # raises the error that says what there is
        found[call] = tuple(0 if figure is _ABSENT else figure for figure in pair)
    return found  # type: ignore[return-value]


def _check_alike(first: Report, other: Report) -> None:
    for report in (first, other):
        report.check_one_step("a diff")
    if first.counted != other.counted:
        raise ConfigError(f"the reports are under two conventions, {first.counted} and {other.counted}: use one")
    check_one_workload((first, other), ("A", "B"))
    if first.total.keys() != other.total.keys():
        lacking = ", ".join(sorted(first.total.keys() ^ other.total.keys()))
        raise ConfigError(f"only one of the reports has {lacking}: count the same quantities for both")


def _sides(report: Report) -> dict[str, Side]:
    """Returns what runs under each path of a report."""
    combine = adder(report.quantities)
    names = [quantity.name for quantity in report.quantities]
    remaining = iter(report.values)
    variants: dict[str, list[Variant]] = {}
    sums: dict[str, tuple[Dim, ...] | None] = {}
    for record in report.annotated.costs:
        node = record.node
        path = pattern(node.name)
        own = None if record.cost is None else next(remaining)
        if path in sums:
            before = sums[path]
            sums[path] = None if own is None or before is None else combine(before, own)
        else:
            sums[path] = own
        inputs = tuple(operand.spec.shape for operand in node.inputs)
        outputs = tuple(value.spec.shape for value in node.outputs)
        _add(variants.setdefault(path, []), Variant(node.operator, inputs, outputs, record.times))
    return {
        path: Side(tuple(found), None if (values := sums[path]) is None else dict(zip(names, values, strict=True)))
        for path, found in variants.items()
    }


def _add(variants: list[Variant], new: Variant) -> None:
    """Adds what a node runs as: layers written out one by one are alike a block of them."""
    for place, known in enumerate(variants):
        if known.operator == new.operator and _same_shapes(known, new):
            variants[place] = attrs.evolve(known, repeat=known.repeat + new.repeat)
            return
    variants.append(new)


def _same_shapes(one: Variant, other: Variant) -> bool:
    ones, others = (one.inputs + one.outputs), (other.inputs + other.outputs)
    return len(one.inputs) == len(other.inputs) and len(ones) == len(others) and all(map(same_shape, ones, others))


def _differs(one: Side, other: Side, compared: Sequence[str]) -> tuple[str, ...]:
    """Returns what differs of a path, among its costs the `compared` quantities."""
    pairs = list(zip(one.variants, other.variants, strict=False))
    alike = len(one.variants) == len(other.variants)
    found = {
        "operator": one.operator != other.operator,
        "shapes": not alike or not all(_same_shapes(a, b) for a, b in pairs),
        "repeat": not same(one.repeat, other.repeat) or (alike and not all(same(a.repeat, b.repeat) for a, b in pairs)),
        "cost": not _same_values(one.values, other.values, compared),
    }
    return tuple(name for name, differs in found.items() if differs)


def _same_values(one: Mapping[str, Dim] | None, other: Mapping[str, Dim] | None, compared: Sequence[str]) -> bool:
    if one is None or other is None:
        return one is other
    return all(same(one[name], other[name]) for name in compared)
