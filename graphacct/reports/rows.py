"""The rows of a report: the costs rolled up by scope, by operator and by parameter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import accumulate
from operator import add
from typing import Any, TypeAlias

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, Figure, maximum, same
from graphacct.graph.graph import Parameter
from graphacct.graph.paths import covers, depth, index_of, instances, is_index, outward, parent, pattern
from graphacct.tensors import conflict

SHARE_OF = "flops"
"""The quantity whose share every row states."""


@attrs.frozen(repr=False)
class Row:
    """One line of a report: a scope, a node or an operator.

    Attributes:
        path: The module path, `*` for an index; for a row by operator, its name.
        operator: The operator of a node's row; empty for scopes.
        repeat: How many modules the path matches, or how often the operator runs.
        share: The row's part of the model's FLOPs, 0 to 1.
        names: The names of the report's quantities.
        figures: The quantities in that order, summed over everything the row stands for.
    """

    path: str
    operator: str
    repeat: Dim
    share: Any
    names: tuple[str, ...]
    figures: tuple[Figure, ...]

    def __repr__(self) -> str:
        return f"<Row {self.path}: {self.values}>"

    @property
    def values(self) -> dict[str, Figure]:
        """The quantities by name."""
        return dict(zip(self.names, self.figures, strict=True))

    @property
    def depth(self) -> int:
        """The number of scopes around it, not counting indices."""
        return depth(self.path)


@attrs.frozen(repr=False)
class ParameterRow:
    """One tensor of the checkpoint, or one per repetition when its name has a `*`.

    Attributes:
        parameter: Its name, shape, dtype and tie.
        count: How many tensors the name stands for.
        owned: How many of those the model's parameters contain: none if they are tied, buffers, or of nodes without a
            cost.
    """

    parameter: Parameter
    count: Dim
    owned: Dim = 0

    def __repr__(self) -> str:
        return f"<ParameterRow {self.count} times {self.parameter.name}: {self.parameter.spec}>"


def share(part: Dim, whole: Dim) -> Any:
    """Returns part / whole, 0 to 1: a float, or a symbol or an array if they are; 0 if the whole is 0."""
    return 0.0 if same(whole, 0) else part / whole


def adder(quantities: Sequence[Quantity]) -> Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]:
    """Returns the function that combines two rows of values, element by element."""
    if all(quantity.combine == "sum" for quantity in quantities):
        return lambda a, b: tuple(map(add, a, b))
    functions = [maximum if quantity.combine == "max" else add for quantity in quantities]
    return lambda a, b: tuple(f(x, y) for f, x, y in zip(functions, a, b, strict=True))


def by_scope(
    costs: Sequence[NodeCost],
    quantities: Sequence[Quantity],
    values: Iterable[tuple[Dim, ...]],
    total: Mapping[str, Dim],
) -> tuple[Row, ...]:
    """Returns a row for every scope and every node, parents before children, in the order of the model.

    Paths are the checkpoint's module paths with `*` for an index. A row's quantities are sums over all modules that
    its path matches, and `repeat` is the number of those modules.
    """
    combine = adder(quantities)
    nothing = (0,) * len(quantities)
    remaining = iter(values)
    sums: dict[str, tuple[Dim, ...]] = {}
    operators: dict[str, str] = {}
    repeats: dict[str, Dim] = {}
    children: dict[str, dict[str, None]] = {"": {}}
    known: set[tuple[str, tuple[int, ...]]] = set()
    folded: dict[str, dict[str, NodeCost]] = {}
    indexed: dict[str, dict[str, NodeCost]] = {}
    for record in costs:
        name = record.node.name
        row = pattern(name)
        own = nothing if record.cost is None else next(remaining)
        sums[row] = combine(sums[row], own) if row in sums else own
        kind = record.node.operator
        operators[row] = kind if operators.get(row, kind) == kind else ""
        path = name
        while path and (key := (path, record.starts[: path.count("*")])) not in known:
            known.add(key)
            repeats[row] = repeats.get(row, 0) + instances(path, record.repeats)
            if path != row:  # it has an index, which may be one of those that a block stands for
                indexed.setdefault(row, {})[path] = record
            if "*" in path:
                folded.setdefault(row, {})[path] = record
            path = parent(path)
            above = parent(row)
            children.setdefault(above, {})[row] = None
            row = above
    both = {row for row in indexed.keys() & folded.keys() if _may_meet(indexed[row], folded[row])}
    if both:
        others = _beside_blocks((indexed[row], folded[row]) for row in both if row in operators)
        for row in both - operators.keys():
            repeats[row] = repeats[row] - _counted_twice(indexed[row], folded[row], others)
    order = _preorder(children)
    for path in reversed(order):
        above = parent(path)
        if above:
            sums[above] = combine(sums[above], sums[path]) if above in sums else sums[path]
    return _rows(quantities, total, ((path, operators.get(path, ""), repeats[path], sums[path]) for path in order))


Around: TypeAlias = "Mapping[str, NodeCost]"
"""Paths, each with a node inside it, which knows the blocks around it."""


def _may_meet(indexed: Around, folded: Around) -> bool:
    """Returns whether some path has an index where another one has a `*`, without which no block stands for it."""
    if len(indexed) == 1 and indexed.keys() == folded.keys():
        return False  # it is one path
    digits = {place for path in indexed for place, part in enumerate(path.split(".")) if part.isdigit()}
    return bool(digits) and any(
        place in digits and "*" in part for path in folded for place, part in enumerate(path.split("."))
    )


def _counted_twice(indexed: Around, folded: Around, beside: Container[str]) -> Dim:
    """Returns how many modules that are named by their index are in a block too: T5's first layer, which makes the
    position biases of all, is `block.0` there and the first of `block.*`."""
    twice: Dim = 0
    blocks = _Folded(folded)
    for path, own in indexed.items():
        if path not in beside and blocks.cover(path):
            twice = twice + instances(path, own.repeats)
    return twice


def _beside_blocks(nodes: Iterable[tuple[Around, Around]]) -> set[str]:
    """Returns the scopes with an index that are modules of their own, although a block's `*` seems to stand for them:
    both have a node of the same name. An image model's `layer1.0` is one beside a block `layer1.*` of later layers."""
    found: set[str] = set()
    for indexed, folded in nodes:
        blocks = _Folded(folded)
        for path in filter(blocks.cover, indexed):
            found.update(outward(path))
    return found


class _Folded:
    """The paths in blocks of one row, by the indices of their outermost block: of a thousand blocks few have an index,
    and only those are asked."""

    def __init__(self, folded: Around) -> None:
        self.nodes = folded
        spans = sorted((*_span(path, node.repeats, node.starts), path) for path, node in folded.items())
        self.paths = [path for _, _, path in spans]
        self.first = [first for first, _, _ in spans]
        self.last = list(accumulate((last for _, last, _ in spans), max))  # of the paths so far

    def cover(self, path: str) -> bool:
        """Returns whether a path has an index in place of some `*` of another."""
        if not any(map(str.isdigit, path.split("."))):
            return False
        first = _span(path, (), ())[0]
        at = bisect_right(self.first, first) - 1
        while at >= 0 and self.last[at] >= first:
            other = self.paths[at]
            node = self.nodes[other]
            if other != path and covers(other, node.repeats, path, node.starts):
                return True
            at -= 1
        return False


def _span(path: str, repeats: Sequence[Dim], starts: Sequence[int]) -> tuple[int, int]:
    """Returns the first and the last index of a path's outermost block, or its outermost index twice. A symbolic number
    of repetitions has the first."""
    part = next(filter(is_index, path.split(".")))
    if part.isdigit():
        return int(part), int(part)
    count = repeats[0] if repeats and type(repeats[0]) is int else 1
    start = starts[0] if starts else 0
    return index_of(part, start), index_of(part, start + count - 1)


def _rows(
    quantities: Sequence[Quantity], total: Mapping[str, Dim], items: Iterable[tuple[str, str, Dim, tuple[Any, ...]]]
) -> tuple[Row, ...]:
    """Returns the rows for (path, operator, repeat, figures), each with its share of the total."""
    names = tuple([quantity.name for quantity in quantities])
    whole = total[SHARE_OF] if SHARE_OF in names else 0
    column = names.index(SHARE_OF) if SHARE_OF in names else 0
    return tuple(
        [
            Row(path, operator, repeat, share(figures[column], whole), names, figures)
            for path, operator, repeat, figures in items
        ]
    )


def _preorder(children: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns all paths, parents before their children, children in order of appearance."""
    order: list[str] = []
    stack = list(children[""])[::-1]
    while stack:
        path = stack.pop()
        order.append(path)
        if path in children:
            stack.extend(list(children[path])[::-1])
    return order


def by_operator(
    costs: Sequence[NodeCost],
    quantities: Sequence[Quantity],
    values: Iterable[tuple[Dim, ...]],
    total: Mapping[str, Dim],
) -> tuple[Row, ...]:
    """Returns a row for every operator, the most FLOPs first; `repeat` says how often it runs."""
    combine = adder(quantities)
    nothing = (0,) * len(quantities)
    remaining = iter(values)
    sums: dict[str, tuple[Dim, ...]] = {}
    repeats: dict[str, Dim] = {}
    for record in costs:
        name = record.node.operator
        own = nothing if record.cost is None else next(remaining)
        sums[name] = combine(sums[name], own) if name in sums else own
        repeats[name] = repeats.get(name, 0) + record.times
    rows = _rows(quantities, total, ((name, name, repeats[name], row) for name, row in sums.items()))
    if all(isinstance(row.share, float) for row in rows):
        return tuple(sorted(rows, key=lambda row: -row.share))
    return rows


def by_parameter(costs: Iterable[NodeCost]) -> tuple[ParameterRow, ...]:
    """Returns the checkpoint's tensors in the order of the model, tied ones and buffers included and marked.

    Equal tensors in the layers of several blocks share a row: `layers.*` and `layers.*+3`.
    """
    costs = tuple(costs)
    rows: list[ParameterRow] = []
    places: dict[tuple[str, str, bool], list[int]] = {}
    known: set[tuple[str, tuple[int, ...]]] = set()
    owned = {
        (parameter.name, record.starts[: parameter.name.count("*")])
        for record in costs
        for parameter in record.owned
        if not parameter.buffer
    }
    for record in costs:
        for operand in record.node.inputs:
            if not isinstance(operand, Parameter):
                continue
            name = operand.name
            key = (name, record.starts[: name.count("*")])
            if key in known:
                continue
            known.add(key)
            folded = "*" in name
            row = attrs.evolve(operand, name=pattern(name), tied_to=pattern(operand.tied_to)) if folded else operand
            count = instances(name, record.repeats)
            own = count if key in owned and not row.tied_to else 0
            alike = places.setdefault((row.name, row.tied_to, row.buffer), [])
            place = next((at for at in alike if _alike(rows[at].parameter, row)), None)
            if place is None:
                alike.append(len(rows))
                rows.append(ParameterRow(row, count, own))
            else:
                found = rows[place]
                rows[place] = attrs.evolve(found, count=found.count + count, owned=found.owned + own)
    return tuple(rows)


def _alike(a: Parameter, b: Parameter) -> bool:
    """Returns whether two parameters of a name have the same spec and are stored alike."""
    return not conflict(a.spec, b.spec) and (a.stored is b.stored or a.stored == b.stored)
