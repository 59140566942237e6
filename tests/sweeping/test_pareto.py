"""Pareto fronts, against the comparison of every row with every other."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphacct.sweeping import pareto
from graphacct.sweeping.pareto import front


@pytest.mark.parametrize("few", [0, 256])
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 6)] * n), min_size=1, max_size=40)))
def test_a_row_stays_if_no_other_beats_it(few: int, rows: list[tuple[int, ...]]) -> None:
    """Equal rows all stay, whether strong rows are tried first or not. Integers beyond 2**53 are told apart, which
    floats would not be."""

    def beaten(row: tuple[int, ...]) -> bool:
        return any(other != row and all(a <= b for a, b in zip(other, row, strict=True)) for other in rows)

    expected = [place for place, row in enumerate(rows) if not beaten(row)]
    goals: Any = [*zip(*rows, strict=True)]
    large = [numpy.array([2**70 + value for value in goal], dtype=object) for goal in goals]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "FEW", few)
        assert front([numpy.array(goal, dtype=float) for goal in goals]).tolist() == expected
        assert front(large).tolist() == expected
