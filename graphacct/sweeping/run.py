"""The run of a plan: slabs in the grid's order, their rows to a sink, and an account of the other points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import attrs

from graphacct.errors import ConfigError, GraphacctError
from graphacct.sweeping.columns import Refusals
from graphacct.sweeping.estimate import check, size
from graphacct.sweeping.pareto import front
from graphacct.sweeping.plan import Plan
from graphacct.sweeping.selection import Closest, Rows, joined
from graphacct.sweeping.sinks import Sink
from graphacct.sweeping.sweep import Sweep

MOST_FRONT = 1_000_000
"""The most rows of a Pareto front."""
GATHERED = 65_536
"""After so many new rows the front is found anew."""
TIMED = 4
"""So many slabs say how long the grid takes and how much room it needs: the first ones trace formulas too."""
Progress: TypeAlias = Callable[[int, int, int], None]
"""Called after each slab with the points done, the rows so far, and all points of the grid."""
Engine: TypeAlias = Callable[[Plan, Callable[[], bool]], Iterator[Rows]]
"""Evaluates the slabs of a plan in order; the function says whether the closest point is still wanted."""


@attrs.frozen(eq=False)
class Stopped(Exception):
    """The run ended before the grid did: the rows so far are good.

    Attributes:
        reason: Why it ended.
    """

    reason: str


def embedded(plan: Plan, wanted: Callable[[], bool]) -> Iterator[Rows]:
    """Evaluates the slabs of a plan one after the other, in this process."""
    for words in plan.grid.combinations():
        program = plan.program(words)
        for slab in plan.grid.slabs(words, program.evaluator.most):
            yield program.rows(slab, wanted())


def run(
    plan: Plan,
    engine: Engine,
    sink: Sink,
    *,
    strict: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    stopped: Callable[[str], Any] | None = None,
) -> Sweep:
    """Runs a plan and returns the sweep, whose rows are in the sink.

    Args:
        plan: The plan.
        engine: What evaluates its slabs.
        sink: What takes the rows.
        strict: Whether a refused point is an error.
        workers: How many slabs are evaluated at once, for the estimate of the time.
        progress: Called after each slab.
        stopped: Called with the reason if the run has to end before the grid does: the disk is nearly full, or a
            cluster is lost. The rows so far are finished then. Without it that is an error like any other.

    Raises ConfigError if there is no row, if the grid is too large, or for a refused point if `strict`.
    """
    collector = _Collector(plan, sink, strict)
    try:
        fastest: Rows | None = None
        for number, rows in enumerate(engine(plan, collector.wants_closest), 1):
            if number <= TIMED:
                fastest = rows if fastest is None else min(fastest, rows, key=lambda slab: slab.seconds / slab.points)
                if number == TIMED:
                    check(plan, fastest, sink, workers)
            collector.take(rows)
            if progress is not None:
                progress(collector.points, collector.rows, plan.grid.points)
    except Stopped as end:
        if stopped is None:
            raise ConfigError(end.reason) from end
        stopped(end.reason)
    return collector.finished()


class _Collector:
    """Takes the rows of slabs in order."""

    def __init__(self, plan: Plan, sink: Sink, strict: bool) -> None:
        self.plan, self.sink, self.strict = plan, sink, strict
        self.refusals = Refusals()
        self.points = self.rows = 0
        self.closest: Closest | None = None
        self.front: list[Rows] = []
        self.gathered = 0
        self.error = 0.0

    def wants_closest(self) -> bool:
        return not self.rows

    def take(self, rows: Rows) -> None:
        if rows.refusals and self.strict:
            refusal = rows.refusals[0]
            raise ConfigError(f"{self.plan.request.model!r} refuses {pointed(refusal.first)}: {refusal.reason}")
        self.refusals.add(*rows.refusals)
        if rows.closest is not None and (self.closest is None or rows.closest.distance < self.closest.distance):
            self.closest = rows.closest
        if rows.goals:
            self._gather(rows)
        elif rows.count:
            room = self.sink.room()
            if room is not None and room < 2 * self.sink.bytes_of(rows):
                needed = size(self.sink.bytes_of(rows))
                reason = f"there is no room for {needed} more {self.sink.place()}, but for {size(room // 2)}"
                raise Stopped(reason) if self.rows else ConfigError(reason)
            self.sink.write(rows)
            self.rows += rows.count
        self.points += rows.points
        self.error = max(self.error, rows.error)

    def _gather(self, rows: Rows) -> None:
        if rows.count:
            self.front.append(rows)
        self.rows += rows.count
        self.gathered += rows.count
        if self.gathered >= max(GATHERED, self.front[0].count if self.front else 0):
            self._find_front()

    def _find_front(self) -> None:
        if not self.front:
            return
        whole = joined(self.front)
        self.front = [whole.chosen(front(whole.goals))]
        self.gathered, self.rows = 0, self.front[0].count
        if self.rows > MOST_FRONT:
            raise ConfigError(
                f"more than {MOST_FRONT:,} rows are beaten by no other in {', '.join(self.plan.request.pareto)}: give "
                "where=, or fewer values of sizes that those figures do not depend on"
            )

    def finished(self) -> Sweep:
        """Returns the sweep. Raises ConfigError if there is no row."""
        self._find_front()
        for rows in self.front:
            self.sink.write(rows)
        if not self.rows:
            raise self._none()
        sweep = Sweep(self.plan.request, self.rows, self.points, self.refusals.all(), {}, "", self.error)
        self.sink.finish(sweep)
        return sweep

    def _none(self) -> GraphacctError:
        """Returns the error for a grid without rows: the reason that the model gives, or the closest point."""
        request, refusals = self.plan.request, self.refusals.all()
        if self.points and self.refusals.count == self.points:
            first = refusals[0]
            return ConfigError(
                f"{request.model!r} refuses every point of the grid ({self.points:,}): {first.reason}, "
                f"at {pointed(first.first)}"
            )
        of = f"none of the {self.points:,} points"
        if self.refusals.count:
            of += f", of which {request.model!r} refuses {self.refusals.count:,},"
        if self.closest is None:
            return ConfigError(f"{of} meets the conditions {' and '.join(request.where)}")
        missed = " and ".join(self.closest.missed)
        return ConfigError(
            f"{of} meets the conditions; the closest is {pointed(self.closest.point)}, where {missed} does not hold"
        )


def pointed(point: Any) -> str:
    """Returns a point as messages show it: `d_model 512, n_layer 8`."""
    return ", ".join(f"{name} {value:,}" if type(value) is int else f"{name} {value}" for name, value in point.items())
