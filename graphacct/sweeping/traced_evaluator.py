"""The fast evaluator: a report is traced at one point, and its formulas give the figures of all points like it.

The first point of a slab that no partition speaks for is traced, with the grid's sizes as sizes that record what is
computed of them. The guards of that trace are the partition, and the next point that is left is traced in turn. A point
that the model refuses is traced up to the error: its guards say which other points are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct.errors import ConfigError, GraphacctError, GraphError
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import value_of
from graphacct.sweeping.columns import Columns
from graphacct.sweeping.found import Found
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.partition import HALF_UNIT, Partition, partition_of
from graphacct.sweeping.question import Question
from graphacct.sweeping.report_evaluator import ReportEvaluator

CLOSE = 1e-12
"""The relative difference of two ways to compute the same ratio."""


class TracedEvaluator:
    """Answers a question by formulas.

    Attributes:
        partitions: What was traced so far.
        held: The sizes that the model takes as plain numbers alone: each of their values is traced apart.
    """

    most = 1 << 16

    def __init__(self, question: Question) -> None:
        self.question = question
        self.names = [size.name for size in question.sizes]
        self.partitions: list[Partition] = []
        self.held: frozenset[str] = frozenset()
        self.error = 0.0
        self._slow = ReportEvaluator(question)

    def evaluate(self, slab: Slab) -> Columns:
        """Returns the figures of a slab's points. Raises what a report raises for what is no refusal."""
        if not self.names or len(self.held) == len(self.names):
            self.error = self._slow.error
            return self._slow.evaluate(slab)
        found = Found(self.question, slab)
        for partition in self.partitions:
            found.add(partition)
            if found.complete:
                break
        while not found.complete:
            partition = self._partition(found.first())
            self.partitions.append(partition)
            count = found.count
            found.add(partition)
            assert found.count > count, "a partition has the point that it was traced at"
        self.error = max(self.error, found.error, 0.0 if self.question.exact else HALF_UNIT)
        return found.columns()

    def _partition(self, point: Sequence[int]) -> Partition:
        """Returns the partition of a point: with as few sizes held as it takes."""
        answer: list[Any] | None = None
        reason = ""
        try:
            answer = self.question.answer(point)
        except (ConfigError, GraphError) as error:
            reason = str(error)
        partition = self._traced(point, self.held, answer, reason)
        if partition is not None:
            return partition
        trace = Trace()
        for name, value in zip(self.names, point, strict=True):
            trace.size(name, value).__index__()
        partition = partition_of(trace, self.names, answer, self.question.exact, reason)
        held = frozenset(self.names)
        for name in self.names:
            other = None if name in self.held else self._traced(point, held - {name}, answer, reason)
            if other is not None:
                held, partition = held - {name}, other
        self.held = held
        return partition

    def _traced(
        self, point: Sequence[int], held: frozenset[str], answer: Sequence[Any] | None, reason: str
    ) -> Partition | None:
        """Returns the partition of a point; None if its report cannot be traced, or does not come out as it does with
        plain numbers."""
        trace = Trace(as_values=True)
        sizes = [trace.size(name, value) for name, value in zip(self.names, point, strict=True)]
        given = [
            size.__index__() if size_name in held else size for size_name, size in zip(self.names, sizes, strict=True)
        ]
        figures: list[Any] | None = None
        message = ""
        try:
            figures = self.question.answer(given)
        except (ConfigError, GraphError) as error:
            message = str(error)
        except (GraphacctError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
            return None
        if (figures is None) != (answer is None) or message != reason:
            return None
        if figures is not None and answer is not None and not all(map(_same, figures, answer)):
            return None
        return partition_of(trace, self.names, figures, self.question.exact, reason)


def _same(traced: Any, plain: Any) -> bool:
    value = value_of(traced)
    return value == plain or (isinstance(plain, float) and abs(float(value) - plain) <= CLOSE * abs(plain))
