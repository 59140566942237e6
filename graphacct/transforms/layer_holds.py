"""Values that are held until a scope ends, as the body of a block says it: for all repetitions at once."""

from __future__ import annotations

import attrs

from graphacct.transforms.flat_level import FlatLevel, Wire
from graphacct.transforms.layer_run import Constant, Each, Run, Source


@attrs.frozen
class Until:
    """The end of a scope inside a run.

    Attributes:
        place: The scope's last node, counted from the repetition's start.
        parts: How many parts of that node's name are the scope.
    """

    place: int
    parts: int


@attrs.frozen(eq=False)
class Holds:
    """What a block's body holds.

    Attributes:
        inside: The values of a repetition, what goes round and constants, each with the end of its scope.
        explained: The values of the graph written out whose entries this stands for.
        leaving: The values of the run that are held until after it, so that they have to leave the block.
    """

    inside: tuple[tuple[Source, Until], ...]
    explained: frozenset[Wire]
    leaving: tuple[Wire, ...]


def holds(level: FlatLevel, run: Run) -> Holds | None:
    """Returns what the body of a run's block holds; None if its repetitions do not hold the same."""
    return _Holds(level, run).found()


def held_alike(level: FlatLevel, run: Run) -> int:
    """Returns how many repetitions of a run, from the first on, hold what they make in the same way."""
    reading = _Holds(level, run)
    seen: list[set[tuple[Wire, int, Until | None]]] = [set() for _ in range(run.repeat)]
    for wire in level.held_between(run.start, run.end):
        repetition, place = run.place(wire[0])
        scope = reading._scope(wire)
        seen[repetition].add(((place, wire[1]), scope[0] - repetition if scope else 0, scope[1] if scope else None))
    return next((number for number, each in enumerate(seen) if each != seen[0]), run.repeat)


class _Holds:
    def __init__(self, level: FlatLevel, run: Run) -> None:
        self._level, self._run = level, run
        self._inside: list[tuple[Source, Until]] = []
        self._explained: set[Wire] = set()
        self._leaving: list[Wire] = []

    def found(self) -> Holds | None:
        level, run = self._level, self._run
        made: dict[Wire, dict[int, Wire]] = {}
        for wire in level.held_between(run.start, run.end):
            repetition, place = run.place(wire[0])
            made.setdefault((place, wire[1]), {})[repetition] = wire
        if not all(self._result(wire, entries) for wire, entries in made.items()):
            return None
        if not all(map(self._own, run.each)):
            return None
        for wire in level.held_until(run.start, run.end):
            if wire in self._explained or run.start <= wire[0] < run.end:
                continue
            scope = self._scope(wire)
            if scope is None:
                continue
            if Constant(wire) not in run.constants or scope[0] != run.repeat - 1:
                return None
            self._inside.append((Constant(wire), scope[1]))
            self._explained.add(wire)
        return Holds(tuple(self._inside), frozenset(self._explained), tuple(self._leaving))

    def _own(self, each: Each) -> bool:
        """Notes how the repetitions hold what each takes for itself; returns whether a body can say it."""
        held = self._level.held.keys() - self._explained  # the first may be what goes round, too
        scopes = [self._scope(wire) if wire in held else None for wire in each.wires]
        ends = {scope[1] if scope and scope[0] == number else None for number, scope in enumerate(scopes)}
        (until, *others) = ends
        if others:
            return False
        if until is not None:
            self._inside.append((each, until))
            self._explained.update(each.wires)
        return True

    def _after(self, wire: Wire) -> bool:
        """Whether a value is held until a scope after the run ends."""
        return self._level.ends.get(self._level.held[wire], -1) >= self._run.end

    def _result(self, wire: Wire, entries: dict[int, Wire]) -> bool:
        """Notes how the results of one node are held; returns whether a body can say it."""
        run, last = self._run, self._run.repeat - 1
        final = entries.pop(last, None)
        after = {number for number, value in entries.items() if self._after(value)}
        self._leaving += [entries[number] for number in sorted(after)]
        scopes = {number: self._scope(value) for number, value in entries.items() if number not in after}
        own = round_ = None  # how each holds its result, how it holds what the one before it made
        if scopes:
            if len(after | set(scopes)) != last:
                return False
            ahead = {scope[0] - number if scope else None for number, scope in scopes.items()}
            ends = {scope[1] for scope in scopes.values() if scope}
            if len(ends) != 1 or ahead not in ({0}, {1}):
                return False
            own, round_ = (ends.pop(), None) if ahead == {0} else (None, ends.pop())
        if round_ is not None and not self._goes_round(wire, round_):
            return False
        if final is not None:
            scope = self._scope(final)
            if scope is not None:
                if scope[0] != last or own not in (None, scope[1]) or (own is None and round_ is None):
                    return False
                own = scope[1]
                self._explained.add(final)
            else:
                leaves = run.results(final) is not None
                if not leaves and self._after(final):
                    self._leaving.append(final)
                elif not leaves or (own is not None and not self._longer(final, last, own)):
                    return False
        elif own is not None:
            return False
        if own is not None:
            self._inside.append((wire, own))
        self._explained.update(value for number, value in entries.items() if number not in after)
        return True

    def _goes_round(self, wire: Wire, until: Until) -> bool:
        """Notes that each repetition holds what the one before it made."""
        found = False
        for carried in self._run.carried:
            if carried.made != wire or carried.back != 1:
                continue
            first = carried.first[0]
            if first not in self._level.held:
                if first in self._level.given:
                    self._inside.append((carried, until))
                    found = True
                continue
            scope = self._scope(first)
            if scope == (0, until):
                self._explained.add(first)
            elif scope is not None or not self._longer(first, 0, until):
                continue
            self._inside.append((carried, until))
            found = True
        return found

    def _longer(self, wire: Wire, repetition: int, until: Until) -> bool:
        """Whether a value is held at least as long as the body says of it in a repetition."""
        end = self._level.ends.get(self._level.held[wire], -1)
        return end >= self._run.start + repetition * self._run.size + until.place

    def _scope(self, wire: Wire) -> tuple[int, Until] | None:
        """Returns in which repetition a value's scope ends, and where; None if that is no scope of one repetition."""
        run, scope = self._run, self._level.held[wire]
        end = self._level.ends.get(scope, -1)
        if not run.start <= end < run.end:
            return None
        repetition, place = run.place(end)
        parts = scope.count(".") + 1 if scope else 0
        form = self._level.forms[end][0]
        grown = next(i for i, step in enumerate(run.steps[place][0]) if step)
        return (repetition, Until(place, parts)) if parts > form.places[grown] else None
