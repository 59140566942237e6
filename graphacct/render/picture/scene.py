"""What a picture shows: boxes, the scopes around them and the edges between them, but not how they look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, takewhile
from operator import add
from typing import TypeAlias

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.dims import Dim
from graphacct.graph.paths import last, pattern
from graphacct.tensors import TensorSpec

Chain: TypeAlias = tuple[str, ...]
"""A path with the scopes around it, outermost first: ("transformer", "transformer.h.*", "transformer.h.*.ln_1")."""

Figures: TypeAlias = tuple[Dim, ...]

AGAIN = "\0"
"""Stands in a chain after the path of a scope that is entered more than once, before the how manyth time it is."""
STRAIGHT = 100
"""The weight of an edge that should be straight."""


@attrs.frozen
class Box:
    """One box of the picture.

    Attributes:
        id: Unique in the picture.
        kind: `node`, `scope` (collapsed), `input`, `output`, or `entry`, where a block's carried value comes in.
        path: The path of the node or scope; the value's name for inputs and outputs.
        scopes: The chain of the scope that it is in.
        figures: Its quantities in the report's order; zeros for the other kinds.
        record: The node and its cost; None for the other kinds.
        shown: The spec of its output: a node's first output, an input's or output's own spec, or the first value that
            leaves a collapsed scope; None if there is none.
        members: The number of nodes that it stands for.
        uncosted: The number of those without a cost.
        repeat: For a collapsed block, how often it repeats; else 1.
        visit: For a collapsed scope that the model enters more than once, the how manyth time this is, and of how many.
        called: What it is called outside of its scope; empty for the last part of its path.
    """

    id: str
    kind: str
    path: str
    scopes: Chain
    figures: Figures
    record: NodeCost | None = None
    shown: TensorSpec | None = None
    members: int = 1
    uncosted: int = 0
    repeat: Dim = 1
    visit: tuple[int, int] = (1, 1)
    called: str = ""

    @property
    def name(self) -> str:
        """What it is called in its place."""
        return self.called or last(self.path)


@attrs.frozen
class Edge:
    """One arrow.

    Attributes:
        tail: The id of the box where it starts.
        head: The id of the box where it ends.
        kind: `data`; `residual` (the value goes around other boxes and joins them again); `side` (from a box that
            nothing flows into, such as a mask); `loop` (carried into the next repetition); `tied` (one weight).
        spec: The spec of the value as it arrives; None for tied weights.
        views: The names of the views that are folded into it.
    """

    tail: str
    head: str
    kind: str
    spec: TensorSpec | None = None
    views: tuple[str, ...] = ()


@attrs.frozen
class Scope:
    """A cluster: a scope that is drawn around its boxes.

    Attributes:
        chain: Its path with the scopes around it.
        figures: The sums over everything in it.
        uncosted: How many nodes in it have no cost.
        repeat: For a block, how often it repeats; for the one scope that is drawn, how often it runs; else 1.
        visit: If it is entered more than once, the how manyth time this is, and of how many.
    """

    chain: Chain
    figures: Figures
    uncosted: int
    repeat: Dim
    visit: tuple[int, int] = (1, 1)

    @property
    def path(self) -> str:
        """Its path."""
        return self.chain[-1].partition(AGAIN)[0]


@attrs.frozen
class Scene:
    """What a picture shows.

    Attributes:
        boxes: In the order in which they run.
        edges: In the order of the boxes they enter; ties last.
        scopes: The open scopes by chain, outer ones before those inside them.
        depth: How many levels of scopes are open, the boxes in the last one included.
        levels: The depth at which nothing is collapsed.
        opened: The paths of the open scopes, if they were chosen by their cost; None for a depth.
        collapsed: The paths of the others that are shown.
        part: The sums over what is drawn, and how often it runs, if only one scope is.
        work: What says how much of a model's work some figures are.
    """

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    scopes: Mapping[Chain, Scope]
    depth: int
    levels: int
    opened: frozenset[str] | None = None
    collapsed: frozenset[str] = frozenset()
    part: Scope | None = None
    work: Callable[[Figures], float] = attrs.field(default=lambda figures: 0.0, eq=False, repr=False)

    @property
    def closed(self) -> Callable[[str], bool] | None:
        """What says of the path of a scope, also in one repetition, that it is one box, if that was chosen by cost."""
        if self.opened is None:
            return None
        opened, collapsed = self.opened, self.collapsed
        patterns = {*map(pattern, opened)}
        return lambda path: path in collapsed or (path not in opened and pattern(path) not in patterns)

    @property
    def length(self) -> int:
        """The most boxes one after the other, without entries, which take little space."""
        small = {box.id for box in self.boxes if box.kind == "entry"}
        return sum(box not in small for box in self._path(self._counts()))

    @property
    def height(self) -> int:
        """The most boxes one after the other, with the frames that they are in."""
        known = {box.id: box.scopes for box in self.boxes}
        path = self._path(self._counts())
        frames = {known[name][:level] for name in path for level in range(1, len(known[name]) + 1)}
        return self.length + len(frames)

    def spine(self) -> list[str]:
        """Returns the boxes of the main path, which should form a straight column: from an input, if there are any, it
        is the one with the most work, and of those with the same the longest."""
        weight = {box.id: (box.kind == "input", self.work(box.figures), 1) for box in self.boxes}
        return self._path(weight)

    def _counts(self) -> dict[str, tuple[float, ...]]:
        return {box.id: (1,) for box in self.boxes}

    def _path(self, weight: Mapping[str, tuple[float, ...]]) -> list[str]:
        """Returns the path whose boxes have the largest sum of weights, in whose first parts it is the largest."""
        order = {box.id: index for index, box in enumerate(self.boxes)}
        most = dict(weight)
        before: dict[str, str] = {}
        for edge in sorted(self._forward(order), key=lambda edge: order[edge.tail]):
            longer = tuple(map(add, most[edge.tail], weight[edge.head]))
            if longer > most[edge.head]:
                most[edge.head] = longer
                before[edge.head] = edge.tail
        box = max(most, key=lambda name: most[name], default="")
        way = [box] if box else []
        while box in before:
            box = before[box]
            way.append(box)
        return way[::-1]

    def fans(self) -> list[tuple[str, ...]]:
        """Returns groups of nodes of one operator in one scope that one box feeds and none of which needs another, such
        as q, k and v."""
        known = {box.id: box for box in self.boxes}
        fed: dict[tuple[str, Chain, str], dict[str, None]] = {}
        leaving: dict[str, list[str]] = {}
        for edge in self._forward({name: place for place, name in enumerate(known)}):
            leaving.setdefault(edge.tail, []).append(edge.head)
            record = known[edge.head].record
            if edge.kind == "data" and record is not None:
                fed.setdefault((edge.tail, known[edge.head].scopes, record.node.operator), {})[edge.head] = None
        found: list[tuple[str, ...]] = []
        beside: dict[str, tuple[str, ...]] = {}
        for heads in map(tuple, fed.values()):
            if len(heads) > 1 and beside.keys().isdisjoint(heads) and not reached(heads, leaving, beside) & {*heads}:
                found.append(heads)
                beside.update(dict.fromkeys(heads, heads))
        return found

    def weights(self) -> list[int]:
        """Returns the weight of each edge, for how straight and short it is drawn: most for the spine, then for a box's
        only input."""
        way = self.spine()
        straight = set(pairwise(way))
        order = {box.id: index for index, box in enumerate(self.boxes)}
        entering: dict[str, int] = {}
        for edge in self._forward(order):
            entering[edge.head] = entering.get(edge.head, 0) + 1
        result = []
        for edge in self.edges:
            if edge.kind == "tied":
                result.append(0)
            elif edge.kind != "data":
                result.append(1)
            elif (edge.tail, edge.head) in straight:
                result.append(STRAIGHT)
            else:
                result.append(10 if entering.get(edge.head) == 1 else 3)
        return result

    def _forward(self, order: Mapping[str, int]) -> list[Edge]:
        return [e for e in self.edges if e.kind not in ("loop", "tied") and order[e.tail] < order[e.head]]


def shared(one: Chain, other: Chain) -> int:
    """Returns how many scopes two chains have in common."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


def reached(
    starts: Iterable[str], leaving: Mapping[str, Sequence[str]], beside: Mapping[str, Sequence[str]] | None = None
) -> set[str]:
    """Returns the boxes that some boxes lead to, and the boxes `beside` these, which stand in one row with them."""
    found: set[str] = set()
    ahead = [*starts]
    while ahead:
        for name in leaving.get(ahead.pop(), ()):
            if name not in found:
                row = (beside or {}).get(name, (name,))
                found.update(row)
                ahead.extend(row)
    return found
