"""A Pareto front: the rows that no other row beats. A row beats another if nothing of it is larger and something is
smaller; rows that are equal in all of it beat each other in nothing, and all stay."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import numpy

Array = numpy.ndarray[Any, Any]
FEW = 256
"""So few rows are compared as they are."""
STRONG, LITTLE = 12, 0.9
"""How many strong rows are tried first: mostly they beat nearly all others. One that leaves so much is the last."""


def front(goals: Sequence[Array]) -> Array:
    """Returns the places of the rows that no other beats, in their order. Each goal is an array of numbers to minimise,
    of float64 or Python ints.

    >>> front([numpy.array([1.0, 2.0, 2.0, 3.0]), numpy.array([9.0, 4.0, 4.0, 5.0])]).tolist()
    [0, 1, 2]
    """
    left = _not_beaten_by_strong(goals)
    ranks = numpy.stack([_ranks(goal[left]) for goal in goals])
    order = numpy.lexsort(ranks[::-1])
    ranks = ranks[:, order]
    first = numpy.ones(len(order), dtype=bool)
    first[1:] = (ranks[:, 1:] != ranks[:, :-1]).any(axis=0)  # of equal rows one is looked at
    points = ranks[:, first]
    stays = numpy.zeros(points.shape[1], dtype=bool)
    stays[(_two if len(goals) <= 2 else _three if len(goals) == 3 else _many)(points)] = True
    return left[numpy.sort(order[stays[numpy.cumsum(first) - 1]])]


def _not_beaten_by_strong(goals: Sequence[Array]) -> Array:
    """Returns the places that are left when each of a few rows with small goals has dropped what it beats.

    That is done in floats. A larger float is of a larger int, so that a row with larger floats only is beaten; whether
    equal floats are of equal ints is left open.
    """
    exact = any(goal.dtype == object for goal in goals)
    left = numpy.arange(len(goals[0]))
    values = numpy.stack([goal.astype(numpy.float64) for goal in goals])
    if not numpy.isfinite(values).all():
        return left
    low = values.min(axis=1, keepdims=True)
    scaled = (values - low) / numpy.maximum(values.max(axis=1, keepdims=True) - low, 1e-300)
    for turn in range(STRONG):
        if len(left) <= FEW:
            break
        weights = numpy.full((len(goals), 1), 0.05)
        weights[turn % len(goals)] = 1 / (1 + turn // len(goals))  # each goal in turn, then more even
        strong = values[:, [int((scaled * weights).sum(axis=0).argmin())]]
        if exact:
            stays = (values <= strong).any(axis=0)
        else:
            stays = (values < strong).any(axis=0) | (values == strong).all(axis=0)
        before = len(left)
        left, values, scaled = left[stays], values[:, stays], scaled[:, stays]
        if turn >= len(goals) and len(left) > LITTLE * before:
            break
    return left


def _ranks(goal: Array) -> Array:
    """Returns the place of each value among the different ones. Whether a row beats another depends on the order alone,
    and ranks are exact for ints of any size too."""
    return numpy.unique(goal, return_inverse=True)[1].reshape(-1)


def _two(points: Array) -> Array:
    """Returns the places that stay of different columns in the order of their goals: of two goals those whose second is
    smaller than all before it."""
    if len(points) == 1:
        return numpy.array([0])
    last = points[1]
    stays = numpy.ones(len(last), dtype=bool)
    stays[1:] = last[1:] < numpy.minimum.accumulate(last)[:-1]
    return numpy.flatnonzero(stays)


def _three(points: Array) -> Array:
    """Returns the same for three goals. A column is beaten if one before it has no larger second and third goal. Those
    that matter for later ones make a stair: the second goal goes up, the third goes down."""
    stair: list[int] = []  # second goals
    height: dict[int, int] = {}  # the third goal of each step
    stays = []
    for place, (second, third) in enumerate(points[1:].T.tolist()):
        step = bisect_right(stair, second)
        if step and height[stair[step - 1]] <= third:
            continue
        stays.append(place)
        begin = end = bisect_left(stair, second)
        while end < len(stair) and height[stair[end]] >= third:
            end += 1
        stair[begin:end] = [second]
        height[second] = third
    return numpy.array(stays)


def _many(points: Array) -> Array:
    """Returns the same for more goals. Each turn takes the column with the smallest sum of ranks among those left,
    which none of them can beat, and drops all that it beats: as many turns as the front has columns."""
    left = numpy.argsort(points.sum(axis=0), kind="stable")
    found = []
    while len(left):
        best = left[0]
        found.append(best)
        left = left[1:]
        left = left[(points[:, left] < points[:, [best]]).any(axis=0)]
    return numpy.array(found)
