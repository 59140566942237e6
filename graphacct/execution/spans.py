"""Spans around a call: found once for all calls, because a nested graph has as many spans as calls."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

from graphacct.execution.kernels import RECOMPUTE, KernelCall, RepeatedSpan

NOWHERE = -(2**63)


def spans_around(ranges: Iterable[tuple[int, int]]) -> Mapping[int, Sequence[int]]:
    """Returns, for each position in any of the ranges (start, and the position after the last), the indices of those
    that it is in, in their order: inner ones come before the ones around them."""
    found: dict[int, list[int]] = {}
    for index, (start, stop) in enumerate(ranges):
        for position in range(start, stop):
            found.setdefault(position, []).append(index)
    return found


def backward_spans(spans: Sequence[RepeatedSpan], calls: Sequence[KernelCall]) -> tuple[tuple[int, int], ...]:
    """Returns, for each span, the index of the first call of the backward pass that belongs to it, and the one after
    its last; twice the index of the first call that comes after it if none belongs to it."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, call in enumerate(calls):
        first.setdefault(call.position, index)
        last[call.position] = index
    # the earliest forward call that the backward pass has come to, as a number that only grows
    places = (NOWHERE if call.run == RECOMPUTE else -call.position for call in calls)
    reached = list(accumulate(places, max, initial=NOWHERE))
    found = []
    for span in spans:
        inside = [position for position in range(span.start, span.stop) if position in first]
        if inside:
            found.append((min(first[position] for position in inside), max(last[position] for position in inside) + 1))
        else:
            place = bisect_right(reached, -span.start) - 1
            found.append((place, place))
    return tuple(found)


def last_calls(calls: Sequence[KernelCall], start: int, scopes: Collection[str]) -> Mapping[str, int]:
    """Returns the last call, from a position on, whose node is in each of the scopes that have one; the empty scope has
    all nodes."""
    found: dict[str, int] = {}
    for index in range(len(calls) - 1, start - 1, -1):
        if len(found) == len(scopes):
            break
        scope = calls[index].node.name
        while scope and scope not in found:  # the scopes around one that was found were found with it
            if scope in scopes:
                found[scope] = index
            scope = scope.rpartition(".")[0]
        if "" in scopes:
            found.setdefault("", index)
    return found
