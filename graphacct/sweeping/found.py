"""The figures of a slab, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy

from graphacct.sweeping.columns import Columns, Refusal, Refusals
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.partition import HALF_UNIT, WHOLE, Array, Partition
from graphacct.sweeping.question import Question

Places: TypeAlias = slice | Array
MOST_BOXES = 64
"""The most boxes that the points of a partition are cut into; more of them are computed point by point."""


class Found:
    """The figures of a slab as far as they are known.

    Attributes:
        count: Of how many points they are known.
        error: The largest relative error of a figure.
    """

    def __init__(self, question: Question, slab: Slab) -> None:
        self.question, self.slab = question, slab
        self.arrays = list(slab.arrays(question.exact).values())
        self.values: list[Any] = []
        self.left = numpy.ones((1,) * len(slab.shape), dtype=bool)
        self.refused: Array | None = None
        self.refusals = Refusals()
        self.count = 0
        self.error = 0.0

    @property
    def complete(self) -> bool:
        """Whether all points are known."""
        return self.count == self.slab.points

    def add(self, partition: Partition) -> None:
        """Adds those points of a partition that are not known yet."""
        where = partition.holds([*self.slab.axes.values()], self.arrays)
        mine = where & self.left
        count = int(numpy.count_nonzero(mine)) * (self.slab.points // mine.size)
        if not count:
            return
        self.count += count
        if count < self.slab.points:
            self.left = self.left & ~mine
        if partition.figures is None:
            self.refused = mine if self.refused is None else self.refused | mine
            place = int(numpy.argmax(numpy.broadcast_to(mine, self.slab.shape)))
            self.refusals.add(Refusal(partition.reason, count, self.slab.point(place)))
        elif count == self.slab.points:
            self.values = list(partition.figures(*self.arrays))
            self._note(partition, self.arrays, self.values)
        else:
            self._some(partition, mine)

    def first(self) -> list[int]:
        """Returns the sizes of the first point that is not known."""
        point = self.slab.point(int(numpy.argmax(numpy.broadcast_to(self.left, self.slab.shape))))
        return [int(point[name]) for name in self.slab.axes]

    def columns(self) -> Columns:
        """Returns what was found."""
        names = [figure.text for figure in self.question.figures]
        values = self.values or [1 for _ in names]
        return Columns(dict(zip(names, values, strict=True)), self.refused, self.refusals.all())

    def _some(self, partition: Partition, mine: Array) -> None:
        """Computes some of the points: in boxes, whose axes broadcast, or each by itself."""
        assert partition.figures is not None
        if not self.values:
            kind: Any = object if self.question.exact else numpy.float64
            self.values = [numpy.empty(self.slab.shape, dtype=kind) for _ in self.question.figures]
        cut = _boxes(mine.tobytes(), mine.shape) if 2 * mine.size <= self.slab.points else None
        if cut is None:
            mine = numpy.broadcast_to(mine, self.slab.shape)
            points = [numpy.broadcast_to(array, self.slab.shape)[mine] for array in self.arrays]
            self._put(partition, mine, points)
            return
        for box in cut:
            axes = [
                array[(*(slice(None),) * axis, places)]
                for axis, (array, places) in enumerate(zip(self.arrays, box, strict=True))
            ]
            whole = all(isinstance(places, slice) for places in box)
            at = tuple(box) if whole else numpy.ix_(*map(_listed, box, self.slab.shape))
            self._put(partition, at, axes)

    def _put(self, partition: Partition, at: Any, axes: Sequence[Array]) -> None:
        assert partition.figures is not None
        figures = partition.figures(*axes)
        for values, found in zip(self.values, figures, strict=True):
            values[at] = found
        self._note(partition, axes, figures)

    def _note(self, partition: Partition, axes: Sequence[Array], figures: Sequence[Any]) -> None:
        """Notes the error: of sums below 2^53 nothing was rounded."""
        error = partition.error
        if partition.sums is not None:
            error *= max(float(numpy.max(each)) for each in partition.sums(*axes))
        if self.error < error:
            whole = partition.whole and max(float(numpy.max(each)) for each in figures) < WHOLE
            self.error = max(self.error, HALF_UNIT if whole else error)


@lru_cache(maxsize=256)
def _boxes(mask: bytes, shape: tuple[int, ...]) -> list[tuple[Places, ...]] | None:
    return boxes(numpy.frombuffer(mask, dtype=bool).reshape(shape))


def boxes(mask: Array) -> list[tuple[Places, ...]] | None:
    """Returns boxes that are together the points of a mask: the places on each axis. None if they would be many.

    An axis of length 1 stands for one of any length: its places are all. The shortest other axis is cut into groups of
    places with the same points.

    >>> boxes(numpy.array([[True, True, False], [False, False, True], [True, True, False]]))
    [(slice(0, 3, 2), slice(0, 2, 1)), (slice(1, 2, 1), slice(2, 3, 1))]
    """
    axes = [axis for axis, count in enumerate(mask.shape) if count > 1]
    if not axes:
        return [(slice(None),) * mask.ndim]
    axis = min(axes, key=mask.shape.__getitem__)
    groups: dict[bytes, list[int]] = {}
    for place in range(mask.shape[axis]):
        groups.setdefault(mask.take(place, axis).tobytes(), []).append(place)
    found: list[tuple[Places, ...]] = []
    for places in groups.values():
        part = mask.take(places[:1], axis)
        inner = boxes(part) if part.any() else []
        if inner is None or len(found) + len(inner) > MOST_BOXES:
            return None
        found += [(*box[:axis], _run(places), *box[axis + 1 :]) for box in inner]
    return found


def _run(places: list[int]) -> Places:
    """Returns places as a slice if they are evenly spaced."""
    step = places[1] - places[0] if len(places) > 1 else 1
    even = places == [*range(places[0], places[-1] + 1, step)]
    return slice(places[0], places[-1] + 1, step) if even else numpy.array(places)


def _listed(places: Places, count: int) -> Array:
    return numpy.arange(count)[places]
