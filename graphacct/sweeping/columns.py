"""What an evaluator answers for a slab: an array a figure, and the points that the model refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import attrs
import numpy

from graphacct.sweeping.grid import Slab

_NUMBER = re.compile(r"\d[\d,._]*")
OTHERS = "other reasons"
MOST_REASONS = 200
"""The most kinds of reasons that are told apart."""


@attrs.frozen
class Refusal:
    """Points that the model refuses for one kind of reason.

    Attributes:
        reason: What the model says of the first of them, with its numbers.
        count: How many points there are.
        first: The sizes and words of the first one.
    """

    reason: str
    count: int
    first: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The reason without its numbers: `n_embd / n_head: # is not divisible by #`."""
        return _NUMBER.sub("#", self.reason)


class Refusals:
    """The points refused so far, by kind of reason, in the order of their first points."""

    def __init__(self) -> None:
        self.kinds: dict[str, Refusal] = {}

    def add(self, *refusals: Refusal) -> None:
        """Counts the points of some refusals, which come after those so far."""
        for refusal in refusals:
            kind = refusal.kind
            if kind not in self.kinds and len(self.kinds) >= MOST_REASONS:
                kind, refusal = OTHERS, attrs.evolve(refusal, reason=OTHERS)
            known = self.kinds.get(kind)
            if known is not None:
                refusal = attrs.evolve(known, count=known.count + refusal.count)
            self.kinds[kind] = refusal

    @property
    def count(self) -> int:
        """How many points are refused."""
        return sum(refusal.count for refusal in self.kinds.values())

    def all(self) -> tuple[Refusal, ...]:
        """Returns the refusals of each kind."""
        return tuple(self.kinds.values())


@attrs.frozen(eq=False)
class Columns:
    """The figures of a slab's points.

    Attributes:
        values: Each figure that was asked for, by its text: a number, or an array that broadcasts to the slab's shape,
            of float64, or of Python ints if the evaluator is exact. At refused points it may be anything.
        refused: Whether each point is refused, an array of booleans that broadcasts to the slab's shape; None if no
            point is.
        refusals: Why, the counts of which sum to the points that are.
    """

    values: Mapping[str, Any]
    refused: numpy.ndarray[Any, Any] | None = None
    refusals: tuple[Refusal, ...] = ()


class Evaluator(Protocol):
    """What evaluates figures on the points of a slab.

    Attributes:
        most: The most points of a slab that it is given.
        error: The largest relative error of its figures; 0 if it is exact.
    """

    most: int
    error: float

    def evaluate(self, slab: Slab) -> Columns:
        """Returns the figures of a slab's points."""
        ...
