"""Loops over lists of modules: what a module does itself between two layers belongs to a repetition of its loop.

    for layer in self.layers:
        x = x + layer(x)

calls `layers.0`, an addition, `layers.1`, an addition, … So the additions have the layers' indices, `add.0`, `add.1`,
as the nodes of the layers have them, and a block may stand for all of it. What comes after the last layer, or before
the first, is a part of the loop as far as it is the same as between two others.

A loop over time runs one module again and again, and one over a list of parameters reads the next of them each time:
there the repetition is the number of the run, or the parameter's index.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import attrs

from graphacct_torch.calls import PARAMETER, CallRecord, VisitRecord


@attrs.frozen(eq=False)
class _Event:
    """What a module does next: a call of its own, or a run of another module.

    Attributes:
        word: What it is: the operator, or the other module, without its first index.
        visit: The number of that run; -1 for a call.
        position: The call's position; -1 for a run.
        place: Of a module in a list, and of a call that reads a parameter in one: the list, and the index in it.
    """

    word: str
    visit: int = -1
    position: int = -1
    place: tuple[str, int] | None = None


def repetitions(calls: Sequence[CallRecord], visits: Mapping[int, VisitRecord]) -> dict[int, int]:
    """Returns the repetition of a loop that calls are in, by their position, if they are no layer's own."""
    events, parts = _events(calls, visits)
    found: dict[int, int] = {}  # by position, and for runs of modules without parts by their number, negative
    for own in events.values():
        for event, index in _of_loops(own):
            if event.position >= 0:
                found[event.position] = index
            elif event.visit not in parts:
                found[-event.visit] = index
    inside = {call.position: found[-call.visit] for call in calls if call.visit and -call.visit in found}
    return {position: index for position, index in found.items() if position >= 0} | inside


def _events(calls: Iterable[CallRecord], visits: Mapping[int, VisitRecord]) -> tuple[dict[int, list[_Event]], set[int]]:
    """Returns what each run of a module does, by its number, 0 for the whole one, and the runs with others inside."""
    events: dict[int, list[_Event]] = {}
    noted: set[int] = set()
    for call in calls:
        events.setdefault(call.visit, []).append(_Event(call.name, position=call.position, place=_read(call)))
        number, inner = call.visit, []
        while number not in noted and (visit := visits.get(number)) is not None:
            noted.add(number)
            inner.append((number, visit))
            number = visit.caller
        for number, visit in inner:
            caller = visits.get(visit.caller)
            around = f"{caller.scope}." if caller is not None and caller.scope else ""
            path = visit.scope.removeprefix(around)
            events.setdefault(visit.caller, []).append(_module(path, number))
    return events, {visit.caller for visit in visits.values()}


def _module(path: str, number: int) -> _Event:
    """Returns the run of a module: of `layers.3.0` the list is `layers`, the index 3 and the word `layers.*.0`."""
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            word = ".".join([*parts[:place], "*", *parts[place + 1 :]])
            return _Event(word, visit=number, place=(".".join(parts[:place]), int(part)))
    return _Event(path, visit=number)


def _read(call: CallRecord) -> tuple[str, int] | None:
    """Returns the list of the parameter that a module reads out of a list of its own, and the index in it."""
    around = f"{call.scope}." if call.scope else ""
    for tensor in call.operands:
        head, _, last = tensor.name.removeprefix(around).rpartition(".")
        if tensor.storage.kind == PARAMETER and head and last.isdigit() and tensor.name.startswith(around):
            return head, int(last)
    return None


def _of_loops(events: Sequence[_Event]) -> Iterable[tuple[_Event, int]]:
    """Yields the events between the layers of a list, with the index of the layer whose repetition they are in; then
    those between the runs of one module, with the number of the run."""
    taken: set[int] = set()
    for own, starts in (*_lists(events), *_again(events)):
        if len(starts) < 2 or taken.intersection(range(starts[0][0], starts[-1][0])):
            continue
        for place, index in _in_loop(events, starts):
            event = events[place]
            if place not in taken and place not in own and (event.place is None or event.position >= 0):
                taken.add(place)
                yield event, index


def _lists(events: Sequence[_Event]) -> Iterable[tuple[set[int], list[tuple[int, int]]]]:
    """Yields for each list the events that have its indices already, and where each of its repetitions begins, with
    the index."""
    for name in dict.fromkeys(event.place[0] for event in events if event.place is not None):
        starts: list[tuple[int, int]] = []
        for place, event in enumerate(events):
            if event.place is None or event.place[0] != name:
                continue
            if not starts or starts[-1][1] != event.place[1]:
                starts.append((place, event.place[1]))
        yield set(), starts


def _again(events: Sequence[_Event]) -> Iterable[tuple[set[int], list[tuple[int, int]]]]:
    """Yields the same for each module that runs several times."""
    runs: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        if event.visit >= 0 and event.place is None:
            runs.setdefault(event.word, []).append(place)
    for places in runs.values():
        yield set(places), [(place, number) for number, place in enumerate(places)]


def _in_loop(events: Sequence[_Event], starts: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Yields the events of a loop by their places, with the index of their repetition."""
    keys = [event.word for event in events]
    bounds = [start for start, _ in starts]
    between = [keys[start:stop] for start, stop in itertools.pairwise(bounds)]
    tail = max(_common(keys[bounds[-1] :], each) for each in between)
    before = _before(keys[: bounds[0]], between, tail)
    for place in range(bounds[0] - before, bounds[0]):
        yield place, starts[0][1]
    for number, ((start, index), words) in enumerate(zip(starts, between, strict=False)):
        if between.count(words) > 1 or words[: len(words) - before] == keys[bounds[-1] : bounds[-1] + tail]:
            for place in range(start, start + len(words)):
                late = place >= start + len(words) - before
                yield place, starts[number + 1][1] if late else index
    for place in range(bounds[-1], bounds[-1] + tail):
        yield place, starts[-1][1]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Returns how many keys two sequences begin with alike."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _before(head: Sequence[str], between: Sequence[Sequence[str]], tail: int) -> int:
    """Returns how much of each repetition comes before its layer: what the last one lacks behind its layer, if it comes
    before the first layer, too."""
    (words, *others) = between
    count = len(words) - tail
    if count > 0 and all(other == words for other in others) and head[len(head) - count :] == words[tail:]:
        return count
    return 0
