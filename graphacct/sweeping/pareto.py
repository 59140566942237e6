"""A Pareto front: the rows that no other row beats. A row beats another if nothing of it is larger and something is
smaller; rows that are equal in all of it beat each other in nothing, and all stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

Array = numpy.ndarray[Any, Any]


def front(goals: Sequence[Array]) -> Array:
    """Returns the places of the rows that no other beats, in their order. Each goal is an array of numbers to minimise,
    of float64 or Python ints.

    >>> front([numpy.array([1.0, 2.0, 2.0, 3.0]), numpy.array([9.0, 4.0, 4.0, 5.0])]).tolist()
    [0, 1, 2]
    """
    ranks = numpy.stack([_ranks(goal) for goal in goals])
    points, which = numpy.unique(ranks, axis=1, return_inverse=True)
    kept = numpy.zeros(points.shape[1], dtype=bool)
    kept[_two(points) if len(goals) <= 2 else _many(points)] = True
    return numpy.flatnonzero(kept[which.reshape(-1)])


def _ranks(goal: Array) -> Array:
    """Returns the place of each value among the different ones. Whether a row beats another depends on the order alone,
    and ranks are exact for ints of any size too."""
    return numpy.unique(goal, return_inverse=True)[1].reshape(-1)


def _two(points: Array) -> Array:
    """Returns the places that stay of columns that are sorted by the first goal, then by the second: those whose last
    goal is smaller than all before it."""
    last = points[-1]
    least = numpy.minimum.accumulate(last)
    stays = numpy.ones(len(last), dtype=bool)
    stays[1:] = last[1:] < least[:-1]
    return numpy.flatnonzero(stays) if len(points) > 1 else numpy.array([0])


def _many(points: Array) -> Array:
    """Returns the same for three goals and more. Each turn takes the row with the smallest sum of ranks among those
    left, which none of them can beat, and drops all that it beats: as many turns as the front has rows."""
    left = numpy.argsort(points.sum(axis=0), kind="stable")
    found = []
    while len(left):
        best = left[0]
        found.append(best)
        left = left[1:]
        left = left[(points[:, left] < points[:, [best]]).any(axis=0)]
    return numpy.array(found)
