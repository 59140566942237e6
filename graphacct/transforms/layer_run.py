"""A run of equal layers: how often a stretch of nodes repeats, and how its repetitions hand values on.

An operand of a repetition is a value that the repetition itself makes, one that every repetition sees (a constant), one
that an earlier repetition made (a carried value), or one from before the run that it alone takes. What the first
repetitions take in place of the carried value was there before the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from graphacct.graph.paths import pattern
from graphacct.transforms.flat_level import MOST_BACK, FlatLevel, Wire
from graphacct.transforms.layer_names import growth


@attrs.frozen
class Carried:
    """A value that goes round.

    Attributes:
        made: Which node of a repetition makes it, counted from the repetition's start, and which output it is.
        back: How many repetitions ago it was made: 1 for the usual one.
        first: What the first `back` repetitions take in its place.
    """

    made: Wire
    back: int
    first: tuple[Wire, ...]


@attrs.frozen
class Constant:
    """A value from before the run that every repetition sees."""

    wire: Wire


@attrs.frozen
class Each:
    """Values from before the run, of which each repetition takes its own."""

    wires: tuple[Wire, ...]


Source: TypeAlias = Wire | Carried | Constant | Each
"""What a node of a repetition takes: what the repetition makes, as a Wire whose index counts from its start, what goes
round, a constant, or a value of its own."""


@attrs.frozen(eq=False)
class Run:
    """Repetitions in a row.

    Attributes:
        start: The first node of the first repetition.
        size: How many nodes a repetition has.
        repeat: How many repetitions there are.
        steps: For each node of a repetition, by how much each index of each of its names grows.
        sources: What each operand of a repetition is, node by node.
        carried: What goes round, each once.
        constants: What every repetition sees.
        each: What each repetition has its own of.
    """

    start: int
    size: int
    repeat: int
    steps: tuple[tuple[tuple[int, ...], ...], ...]
    sources: tuple[Source, ...]
    carried: tuple[Carried, ...]
    constants: tuple[Constant, ...]
    each: tuple[Each, ...] = ()

    @property
    def end(self) -> int:
        """The index after the last node of the last repetition."""
        return self.start + self.size * self.repeat

    def place(self, index: int) -> tuple[int, int]:
        """Returns in which repetition a node of the run is, and its place there."""
        return divmod(index - self.start, self.size)

    def results(self, wire: Wire) -> Carried | None:
        """Returns the carried value as which a value of the run leaves the block; None if it does not."""
        repetition, place = self.place(wire[0])
        for carried in self.carried:
            if carried.made == (place, wire[1]) and self.repeat - repetition <= carried.back:
                return carried
        return None


def parameters_apart(level: FlatLevel, run: Run) -> int:
    """Returns in how many repetitions of a run, from the first on, those parameters that are not the same in all have
    one name with a `*` for all their uses. A report would count one twice that is used by another name as well."""
    names = [
        (place, number, steps)
        for place, grown in enumerate(run.steps)
        for number, steps in enumerate(grown)
        if number and level.forms[run.start + place][number].path
    ]
    written: dict[str, tuple[str, tuple[int, ...]]] = {}  # what a name is in the first repetition, and how it grows
    for repetition in range(run.repeat):
        for place, number, steps in names:
            first = level.forms[run.start + place][number]
            path = level.forms[run.start + repetition * run.size + place][number].path
            begin, end = level.named[path]
            apart = written.setdefault(path, (first.path, steps)) == (first.path, steps)
            if any(steps) and (not run.start <= begin <= end < run.end or (level.kept and pattern(path) in level.kept)):
                apart = False
            if not apart:
                return repetition
    return run.repeat


class Search:
    """Follows repetitions from one start on, as long as they are equal."""

    def __init__(self, level: FlatLevel, start: int, size: int, stop: int) -> None:
        """`stop` is the index before which the run has to end."""
        self._level, self._start, self._size = level, start, size
        self._most = (stop - start) // size
        self._nodes = range(start, start + size)
        self._first = self._operands(0)
        self._found: list[Carried | None] = [None] * len(self._first)
        self._outside: list[list[Wire]] = [[wire] for wire in self._first]
        self._own: dict[int, set[Wire]] = {}  # the same values, by the operand's place, where they have been compared
        self.work = 2 * size
        self._length = self._follow()

    def run(self, most: int = 0) -> Run | None:
        """Returns the longest run from here, of at most so many repetitions if that is given; None if not even two are
        equal."""
        repeat = self._settled(min(self._length, most)) if most else self._length
        while repeat >= 2:
            self.work += repeat * self._size
            found = self._run(repeat)
            shorter = parameters_apart(self._level, found)
            if shorter == repeat:
                return found
            repeat = self._settled(shorter)
        return None

    def _follow(self) -> int:
        """Returns how many repetitions are equal, and hand on what they make in the same way."""
        if self._most < 2 or not self._named():
            return 1
        tokens, start, size = self._level.tokens, self._start, self._size
        pattern = tokens[start : start + size]
        for repetition in range(1, self._most):
            begin = start + repetition * size
            self.work += size
            if tokens[begin : begin + size] != pattern or not self._counted(repetition):
                return self._settled(repetition)
            if not self._wired(repetition):
                return self._settled(repetition)
        return self._settled(self._most)

    # names

    def _named(self) -> bool:
        """Whether the names of two repetitions differ as those in a block do: in one index of each node's."""
        self._steps: list[list[list[int]]] = []
        if self._level.tokens[self._start] != self._level.tokens[self._start + self._size]:
            return False
        for index in self._nodes:
            forms, others = self._level.forms[index], self._level.forms[index + self._size]
            if len(forms) != len(others) or any(
                len(a.indices) != len(b.indices) for a, b in zip(forms, others, strict=True)
            ):
                return False
            found = [growth(a.indices, b.indices) for a, b in zip(forms, others, strict=True)]
            self._steps.append(found)
            if any(step < 0 for each in found for step in each) or any(_stepping(each) > 1 for each in found):
                return False
            if not found or _stepping(found[0]) != 1:
                return False
        return True

    def _counted(self, repetition: int) -> bool:
        """Whether the indices of a repetition have gone on by the same steps."""
        forms, ahead = self._level.forms, repetition * self._size
        for index, each in zip(self._nodes, self._steps, strict=True):
            for before, after, by in zip(forms[index], forms[index + ahead], each, strict=True):
                for one, other, step in zip(before.indices, after.indices, by, strict=True):
                    if other - one != repetition * step:
                        return False
        return True

    # values

    def _operands(self, repetition: int) -> list[Wire]:
        begin = self._start + repetition * self._size
        return [wire for taken in self._level.takes[begin : begin + self._size] for wire in taken]

    def _wired(self, repetition: int) -> bool:
        """Whether a repetition takes its values from where the others do, as far as the ones before it tell."""
        begin = self._start + repetition * self._size
        for place, (index, output) in enumerate(self._operands(repetition)):
            first = self._first[place]
            if index >= begin or first[0] >= self._start:
                if (index - begin, output) != (first[0] - self._start, first[1]):
                    return False
                continue
            known, outside = self._found[place], self._outside[place]
            if index < self._start:
                if known is not None:
                    return False
                wire = (index, output)
                if len(outside) > MOST_BACK and wire != outside[0] and not self._differs(place, wire):
                    return False
                outside.append(wire)
                continue
            maker, made = divmod(index - self._start, self._size)
            if known is None:
                if maker != 0 or repetition > MOST_BACK:
                    return False
                self._found[place] = Carried((made, output), repetition, tuple(outside))
            elif known.made != (made, output) or known.back != repetition - maker:
                return False
        return True

    def _differs(self, place: int, wire: Wire) -> bool:
        """Whether an operand has come from outside in each repetition, from another value each time, as it does now."""
        outside, own = self._outside[place], self._own.setdefault(place, set())
        own.update(outside[len(own) :])
        return len(own) == len(outside) and wire not in own

    def _settled(self, repeat: int) -> int:
        """Returns up to where an operand that comes from outside in so many repetitions is the same in all of them, or
        another in each."""
        before = repeat + 1
        while repeat < before:  # fewer repetitions may leave another operand without what went round
            before = repeat
            for known, outside in zip(self._found, self._outside, strict=True):
                if known is None or known.back >= repeat:
                    repeat = _alike(outside if known is None else known.first, repeat)
        return repeat

    # the run

    def _run(self, repeat: int) -> Run:
        carried: dict[Carried, None] = {}
        constants: dict[Constant, None] = {}
        each: dict[Each, None] = {}
        sources: list[Source] = []
        for known, first, outside in zip(self._found, self._first, self._outside, strict=True):
            if first[0] >= self._start:
                sources.append((first[0] - self._start, first[1]))
            elif known is not None and known.back < repeat:
                carried[known] = None
                sources.append(known)
            else:
                wires = tuple(outside if known is None else known.first)[:repeat]
                if all(wire == first for wire in wires):
                    constants[Constant(first)] = None
                    sources.append(Constant(first))
                else:
                    each[Each(wires)] = None
                    sources.append(Each(wires))
        grown = tuple(tuple(tuple(step) for step in each) for each in self._steps)
        handed = tuple(sources), tuple(carried), tuple(constants), tuple(each)
        return Run(self._start, self._size, repeat, grown, *handed)


def _stepping(by: Sequence[int]) -> int:
    return sum(step != 0 for step in by)


def _alike(wires: Sequence[Wire], most: int) -> int:
    """Returns how many of the first values are all the same, or all different: the more of both."""
    same = next((i for i, wire in enumerate(wires[:most]) if wire != wires[0]), most)
    seen: set[Wire] = set()
    for wire in wires[:most]:
        if wire in seen:
            break
        seen.add(wire)
    return max(same, len(seen))
