"""The slow evaluator: one report a point. It takes any axis, and other evaluators are compared with it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy

from graphacct.errors import ConfigError, GraphError
from graphacct.sweeping.columns import Columns, Refusal, Refusals
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.partition import HALF_UNIT
from graphacct.sweeping.question import Question


class ReportEvaluator:
    """Answers a question by one report for each point."""

    most = 128

    def __init__(self, question: Question) -> None:
        self.question = question
        self.error = 0.0 if question.exact else HALF_UNIT

    def evaluate(self, slab: Slab) -> Columns:
        """Returns the figures of a slab's points: those of single reports, rounded once unless exact."""
        question = self.question
        refused = numpy.zeros(slab.points, dtype=bool)
        refusals = Refusals()
        columns: list[list[Any]] = [[] for _ in question.figures]
        for place, point in enumerate(product(*slab.axes.values())):
            try:
                answer = question.answer(point)
            except (ConfigError, GraphError) as error:
                refused[place] = True
                refusals.add(Refusal(str(error), 1, slab.point(place)))
                answer = [0] * len(columns)
            for column, value in zip(columns, answer, strict=True):
                column.append(value)
        kind: Any = object if question.exact else numpy.float64
        values = {
            figure.text: _array(column, kind).reshape(slab.shape)
            for figure, column in zip(question.figures, columns, strict=True)
        }
        any_refused = refused.reshape(slab.shape) if refused.any() else None
        return Columns(values, any_refused, refusals.all())


def _array(column: list[Any], kind: Any) -> numpy.ndarray[Any, Any]:
    found = numpy.empty(len(column), dtype=kind)
    found[:] = column
    return found
