"""Cases that are one test."""

from __future__ import annotations

import pytest
from each import each


def test_every_case_runs_and_those_that_fail_are_named() -> None:
    seen = []

    @each("a, b", [(1, 1), (1, 2), (3, 3), (4, 5)])
    def equal(a: int, b: int) -> None:
        seen.append(a)
        assert a == b

    with pytest.raises(ExceptionGroup, match="2 of 4 cases fail") as found:
        equal()
    assert seen == [1, 1, 3, 4]
    assert [error.__notes__ for error in found.value.exceptions] == [
        ["the case is {'a': 1, 'b': 2}"],
        ["the case is {'a': 4, 'b': 5}"],
    ]


def test_cases_that_all_hold() -> None:
    each("a", [1, 2])(lambda a: None)()


def test_no_case_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="there is no case"):
        each("a", [])(lambda a: None)()
