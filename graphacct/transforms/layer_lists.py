"""Where layers repeat: lists of layers, found by the indices in names, and runs of equal ones.

The nodes under `layers.0`, those under `layers.1` and so on are visits of one list, each up to where the next begins.
Layers that are equal, or that alternate with a period (five local ones and a global one), are equal stretches of
visits. Outer lists come first: the lists in a repetition are those of its body.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from graphacct.transforms.flat_level import FlatLevel
from graphacct.transforms.layer_holds import held_alike
from graphacct.transforms.layer_run import Run, Search

MOST_VISITS = 128
"""The most visits that one repetition may have."""
MOST_FAILED = 12
"""The most periods that are tried at one place without success."""
WORK_PER_NODE = 60
"""How many nodes may be compared for each node of a graph; runs that are found later than that stay written out."""

Fitted = TypeVar("Fitted")


class Lists(Generic[Fitted]):
    """The runs of a level, found one list after the other."""

    def __init__(
        self,
        level: FlatLevel,
        fit: Callable[[Run, int], tuple[Fitted, int] | None],
        take: Callable[[Fitted], None],
    ) -> None:
        """`fit(run, stop)` returns what becomes of a run and the index after all that belongs to it, which is at most
        `stop`; None if it cannot be a block. `take` is told what is chosen."""
        self._level, self._fit, self._take = level, fit, take
        self._count = len(level.tokens)
        self._left = WORK_PER_NODE * self._count
        self._taken: list[tuple[int, int]] = []
        self._alike: dict[int, tuple[int, int]] = {}

    def found(self) -> list[Fitted]:
        """Returns the runs in order of their first nodes."""
        result: list[tuple[int, Fitted]] = []
        for visits in _visits(self._level):
            number = 0
            while number < len(visits) - 2 and self._left > 0:
                start, stop = self._free(visits[number])
                if start != visits[number]:
                    number = bisect_right(visits, start - 1, number)
                    continue
                best = self._best(visits, number, stop)
                if best is None or self._cut_short(best[0], visits, number, stop):
                    number += 1
                    continue
                run, fitted, end = best
                result.append((run.start, fitted))
                self._take(fitted)
                insort(self._taken, (run.start, end))
                number = bisect_right(visits, end - 1, number)
        return [fitted for _, fitted in sorted(result, key=lambda each: each[0])]

    def _free(self, index: int) -> tuple[int, int]:
        """Returns the first index from one on that is in no run, and where the next run begins."""
        place = bisect_right(self._taken, (index, self._count + 1))
        if place and self._taken[place - 1][1] > index:
            index = self._taken[place - 1][1]
        return index, self._taken[place][0] if place < len(self._taken) else self._count

    def _cut_short(self, run: Run, visits: Sequence[int], number: int, stop: int) -> bool:
        """Returns whether a run ends inside a layer, and one that begins later but before that end leaves fewer nodes
        written out: a first layer that has less than all others must not take the beginning of the second along."""
        after = bisect_right(visits, run.end - 1, number)
        if after == len(visits) or visits[after] == run.end:
            return False
        others = (self._best(visits, later, stop) for later in range(number + 1, after))
        return any(other is not None and _saved_by(other[0]) > _saved_by(run) for other in others)

    def _best(self, visits: Sequence[int], number: int, stop: int) -> tuple[Run, Fitted, int] | None:
        """Returns the run from a visit on that leaves the fewest nodes written out."""
        best: tuple[Run, Fitted, int] | None = None
        most = failed = 0
        for saved, start, size in sorted(self._candidates(visits, number, stop)):
            if -saved <= most or self._left <= 0 or failed == MOST_FAILED:
                break
            run, fitted = self._try(start, size, stop)
            if run is not None and fitted is not None and _saved_by(run) > most:
                most, best = _saved_by(run), (run, *fitted)
            else:
                failed += 1
        return best

    def _candidates(self, visits: Sequence[int], number: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yields how many nodes a run would save, negative, where it would start, and how many nodes a repetition has.

        A run starts at a visit. If the first layer makes something before it does what all do, the run starts after
        that: as many nodes before the second repetition as that has."""
        start, tokens = visits[number], self._level.tokens
        for ahead, other in enumerate(visits[number + 1 : number + 1 + MOST_VISITS], 1):
            size, place = other - start, number + 2 * ahead
            if other >= stop:
                break
            if tokens[start] == tokens[other] and (saved := self._saved(start, size, stop)):
                yield -saved, start, size
                continue
            if place < len(visits) and start < (late := 2 * other - visits[place]) < visits[number + 1]:
                size = other - late
                if saved := self._saved(late, size, stop):
                    yield -saved, late, size

    def _saved(self, start: int, size: int, stop: int) -> int:
        """Returns how many nodes a run would save, as far as their tokens tell."""
        if not self._level.alike(start, start + size, size):
            return 0
        return min(self._reach(start, size), stop - start - size) // size * size

    def _try(self, start: int, size: int, stop: int) -> tuple[Run | None, tuple[Fitted, int] | None]:
        """Returns the run of a size from a node on, and what becomes of it; a shorter one if the last repetition is
        gathered in another way than the others, or some are held in another way."""
        search = Search(self._level, start, size, stop)
        run = search.run()
        fitted = None if run is None else self._fit(run, stop)
        if run is not None and fitted is None:
            alike = held_alike(self._level, run)
            for most in dict.fromkeys((min(alike + 1, run.repeat - 1), min(alike, run.repeat - 1))):
                run = search.run(most) if fitted is None and most >= 2 else run
                fitted = self._fit(run, stop) if fitted is None and run is not None and run.repeat <= most else fitted
        self._left -= search.work
        return run, fitted

    def _reach(self, start: int, size: int) -> int:
        """Returns how many nodes in a row from one on are alike with those `size` further on."""
        known, end = self._alike.get(size, (0, 0))
        if known <= start < end:
            return end - start
        low, high = 0, self._count - start - size
        while low < high:
            middle = (low + high + 1) // 2
            if self._level.alike(start, start + size, middle):
                low = middle
            else:
                high = middle - 1
        self._alike[size] = (start, start + low)
        return low


def _saved_by(run: Run) -> int:
    """Returns how many nodes fewer there are with a run as a block."""
    return run.size * (run.repeat - 1)


def _visits(level: FlatLevel) -> Iterable[Sequence[int]]:
    """Yields the visits of each list, as the indices of their first nodes, and of the node after the last visit: outer
    lists first, then in their order."""
    found: dict[tuple[int, str], list[tuple[int, int]]] = {}
    last: dict[tuple[int, str], int] = {}
    for index, forms in enumerate(level.forms):
        if not forms:
            continue
        for number, value in enumerate(forms[0].indices):
            key = number, forms[0].scope(number)
            visits = found.setdefault(key, [])
            last[key] = index
            if not visits or visits[-1][1] != value:
                visits.append((index, value))
    for key, visits in sorted(found.items(), key=lambda each: each[0][0]):
        if len(visits) > 1:
            yield [*[index for index, _ in visits], last[key] + 1]
