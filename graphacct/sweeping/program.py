"""A program: a question with what becomes of its answers. It runs here, or on a cluster's workers."""

from __future__ import annotations

from functools import cached_property
from time import perf_counter

import attrs

from graphacct.sweeping.columns import Evaluator
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.question import Question
from graphacct.sweeping.selection import Rows, Selection
from graphacct.sweeping.traced_evaluator import TracedEvaluator


def evaluator_of(question: Question) -> Evaluator:
    """Returns the fastest evaluator that can answer a question."""
    return TracedEvaluator(question)


@attrs.frozen(slots=False, eq=False)
class Program:
    """What is done with each slab of some words.

    Attributes:
        question: What is asked at each point.
        selection: Which points are rows.
    """

    question: Question
    selection: Selection

    @cached_property
    def evaluator(self) -> Evaluator:
        """What answers the question, made once."""
        return evaluator_of(self.question)

    def rows(self, slab: Slab, closest: bool = False) -> Rows:
        """Returns the rows of a slab; `closest` asks for the closest point if there is none."""
        evaluator = self.evaluator
        start = perf_counter()
        rows = self.selection.rows(slab, evaluator.evaluate(slab), closest)
        return attrs.evolve(rows, seconds=perf_counter() - start, error=evaluator.error)
