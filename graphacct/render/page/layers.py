"""The layers of one scope: which of its parts stand in one row, in which order, and by which way its lines go.

The layers depend on the lines alone, not on how large the parts are. So they are found when the page is written, for
every scope, and the page only has to give them room when one of them is opened (`layout.js`).

A line over several rows has a place in each row between, so that it goes around what stands there. Lines of one value
share these places as far as they go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import attrs

SWEEPS = 8
"""How often the order of rows is tried, downwards and upwards in turn."""
SMALL = 40
"""A scope with so few places is improved by exchanging neighbours too."""
DISORDER = 1.5
"""So many crossings are as bad as two parts in the wrong order: q, k, v is how everybody knows them."""


@attrs.frozen
class Line:
    """A line between two parts of a scope.

    Attributes:
        tail: The part where it starts; or the value's way in.
        head: Where it ends; or the value's way out.
        value: What flows along it: lines of one value from one part go together.
    """

    tail: int
    head: int
    value: int


@attrs.frozen
class Layers:
    """The rows of a scope.

    Attributes:
        rows: The places of each row from left to right. A place below `count` is a part, others are of lines.
        ways: The places of each line, from its tail to its head.
        count: How many places are parts.
    """

    rows: tuple[tuple[int, ...], ...]
    ways: tuple[tuple[int, ...], ...]
    count: int


@cache
def layers(count: int, entries: tuple[int, ...], exits: tuple[int, ...], lines: tuple[Line, ...]) -> Layers:
    """Returns the layers of parts 0 to `count` - 1, of which the entries stand above all others, the exits below.

    No line goes round in a circle. Scopes that are alike have the same answer, which is found once.
    """
    rank = _ranks(count, set(entries), set(exits), lines)
    places = count
    known: dict[tuple[int, int, int], int] = {}
    ways: list[tuple[int, ...]] = []
    ranks = list(rank)
    for line in lines:
        way = [line.tail]
        for level in range(rank[line.tail] + 1, rank[line.head]):
            key = (line.tail, line.value, level)
            if key not in known:
                known[key] = places
                ranks.append(level)
                places += 1
            way.append(known[key])
        ways.append((*way, line.head))
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for place, level in enumerate(ranks):
        rows[level].append(place)
    return Layers(_Order(rows, ways, count).best(), tuple(ways), count)


def _ranks(count: int, entries: set[int], exits: set[int], lines: Sequence[Line]) -> list[int]:
    """Returns the row of each part: as far up as its lines allow; what nothing flows into stands just above its first
    use."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for line in lines:
        above.setdefault(line.head, []).append(line.tail)
        below.setdefault(line.tail, []).append(line.head)
    rank = [0] * count
    first = 1 if entries else 0
    order = _in_order(count, above)
    for place in order:
        if place not in entries:
            rank[place] = max((rank[each] + 1 for each in above.get(place, ())), default=first)
    last = max((rank[place] for place in range(count) if place not in exits), default=0) + 1
    for place in exits:
        rank[place] = last
    for place in reversed(order):
        uses = below.get(place, ())
        if uses and place not in entries and not above.get(place):
            rank[place] = max(min(rank[each] for each in uses) - 1, first)
    used = {level: place for place, level in enumerate(sorted(set(rank)))}
    return [used[level] for level in rank]


def _in_order(count: int, above: Mapping[int, Sequence[int]]) -> list[int]:
    """Returns the parts so that a line's tail comes before its head."""
    found: dict[int, None] = {}
    for start in range(count):
        ahead = [(start, iter(above.get(start, ())))]
        while ahead:
            place, rest = ahead[-1]
            following = next((each for each in rest if each not in found), None)
            if following is None or len(ahead) > count:
                found[place] = None
                ahead.pop()
            else:
                ahead.append((following, iter(above.get(following, ()))))
    return list(found)


class _Order:
    """The search for an order of rows in which few lines cross, and parts stand from left to right as they run."""

    def __init__(self, rows: Sequence[Sequence[int]], ways: Sequence[Sequence[int]], count: int) -> None:
        self.rows, self.count = rows, count
        self.up: dict[int, list[int]] = {}
        self.down: dict[int, list[int]] = {}
        for tail, head in sorted({pair for way in ways for pair in pairwise(way)}):
            self.up.setdefault(head, []).append(tail)
            self.down.setdefault(tail, []).append(head)

    def best(self) -> tuple[tuple[int, ...], ...]:
        """Returns the best order that was found, of two beginnings: with lines at the right of parts, and at the
        left."""
        starts = [[sorted(row) for row in self.rows], [sorted(row, key=self._lines_first) for row in self.rows]]
        found = [self._improved(start) for start in starts]
        return min(found, key=lambda each: each[0])[1]

    def _lines_first(self, place: int) -> tuple[bool, int]:
        return place < self.count, place

    def _improved(self, start: list[list[int]]) -> tuple[float, tuple[tuple[int, ...], ...]]:
        best, current = [list(row) for row in start], start
        least = self._badness(best)
        for sweep in range(SWEEPS):
            if not least:
                break
            self._sweep(current, sweep % 2 == 0)
            if sum(map(len, current)) <= SMALL:
                self._exchange(current)
            badness = self._badness(current)
            if badness < least:
                least, best = badness, [list(row) for row in current]
        return least, tuple(map(tuple, best))

    def _sweep(self, rows: list[list[int]], downwards: bool) -> None:
        """Sorts each row by the middle of those that its lines lead to, row after row."""
        near = self.up if downwards else self.down
        at: dict[int, float] = {}
        for row in rows if downwards else reversed(rows):
            width = max(len(row) - 1, 1)
            own = {place: index / width for index, place in enumerate(row)}
            known = {place: [at[each] for each in near.get(place, ()) if each in at] for place in row}
            middle = {place: sum(each) / len(each) if each else own[place] for place, each in known.items()}
            row.sort(key=lambda place: middle[place])
            at.update((place, index / width if len(row) > 1 else 0.5) for index, place in enumerate(row))

    def _exchange(self, rows: list[list[int]]) -> None:
        """Exchanges neighbours where that makes it better."""
        at = {place: index for row in rows for index, place in enumerate(row)}
        for row in rows:
            for index in range(len(row) - 1):
                one, other = row[index], row[index + 1]
                if self._beside(other, one, at) < self._beside(one, other, at):
                    row[index], row[index + 1] = other, one
            at.update((place, index) for index, place in enumerate(row))

    def _beside(self, one: int, other: int, at: Mapping[int, int]) -> float:
        """Returns how often the lines of two neighbours cross, and whether they are in the wrong order, with `one` at
        the left: only that changes where they are exchanged."""
        found = DISORDER if other < one < self.count else 0.0
        for near in (self.up, self.down):
            others = [at[each] for each in near.get(other, ())]
            found += sum(at[each] > place for each in near.get(one, ()) for place in others)
        return found

    def _badness(self, rows: Sequence[Sequence[int]]) -> float:
        """Returns how often lines cross, and how often a part stands left of one that runs before it."""
        found = 0.0
        for upper, lower in pairwise(rows):
            place = {each: index for index, each in enumerate(lower)}
            seen: list[int] = []
            for tail in upper:
                heads = [place[each] for each in self.down.get(tail, ()) if each in place]
                found += sum(other > head for head in heads for other in seen)
                seen += heads
        for row in rows:
            parts = [place for place in row if place < self.count]
            found += DISORDER * sum(a > b for index, a in enumerate(parts) for b in parts[index + 1 :])
        return found
