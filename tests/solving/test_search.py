"""The search for a border: two neighbours among the accepted sizes, with no accepted size between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphacct.solving.search import Border, Search


@given(st.integers(1, 40), st.integers(1, 5000), st.integers(1, 200))
def test_a_border_on_a_lattice_is_found(unit: int, border: int, own: int) -> None:
    """Sizes that are no multiple of `unit` are refused, as a width that heads do not divide."""
    search = Search(lambda size: None if size % unit else size <= border, 1, 2**20, own * unit)
    low = border // unit * unit
    assert search.last_true() == Border(low or None, low + unit if low else None)
    other = Search(lambda size: None if size % unit else size > border, 1, 2**20, own * unit)
    assert other.first_true() == Border(low or None, low + unit)


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=60), st.integers(1, 60))
def test_the_neighbours_are_neighbours(answers: list[bool | None], own: int) -> None:
    """Whatever the answers are, nothing that is accepted lies between the two, and each has its own answer."""
    found = dict(enumerate(answers, 1))
    last = Search(found.get, 1, len(answers), own).last_true()
    first = Search(found.get, 1, len(answers), own).first_true()
    for border, low_answer in ((last, True), (first, False)):
        if border.low is not None:
            assert found[border.low] is low_answer
        if border.high is not None:
            assert found[border.high] is not low_answer
        if border.low is not None and border.high is not None:
            assert all(found[size] is None for size in range(border.low + 1, border.high))


def test_a_saw_is_climbed_and_said() -> None:
    """A sequence that is no multiple of 8 may take more than a longer one that is."""
    search = Search(lambda size: size + (100 if size % 8 else 0) <= 500, 1, 2**20)
    assert search.last_true() == Border(496, 497, monotone=False)


def test_a_limit_is_found_from_both_sides() -> None:
    """Beyond 1,024 every size is refused: the border has no upper size."""
    assert Search(lambda size: True if size <= 1000 else None, 1, 2**20).last_true() == Border(1000, None)
    assert Search(lambda size: False if size <= 1000 else None, 1, 2**20).first_true().high is None


def test_a_range_with_steps_has_no_others() -> None:
    tried: list[int] = []

    def small(size: int) -> bool:
        tried.append(size)
        return size <= 700

    assert Search(small, 100, 1000, None, 250).last_true() == Border(600, 850)
    assert set(tried) <= {100, 350, 600, 850}


@pytest.mark.parametrize("most", [1, 5, 1000])
def test_the_end_of_a_range_is_tried(most: int) -> None:
    assert Search(lambda size: True, 1, most).last_true() == Border(most, None)
