"""The values of an axis, and the grid that is cut into slabs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphacct.errors import ConfigError
from graphacct.models.size import Size
from graphacct.models.values import Values, common, parse_values, values_of
from graphacct.sweeping.axis import Axis, WordAxis
from graphacct.sweeping.grid import Grid

RANGES = st.builds(lambda start, count, step: range(start, start + count * step, step), *[st.integers(1, 60)] * 3)


def test_ranges_have_their_stop_and_lists_their_order() -> None:
    assert list(parse_values("512:1k:128")) == [512, 640, 768, 896, 1024]
    assert list(parse_values("16k, 4k,1:3")) == [16384, 4096, 1, 2, 3]
    assert parse_values("1k,2k,4k:16k:4k").text() == "1024, 2048, 4096:16384:4096"
    assert list(values_of(range(9, 0, -4))) == [9, 5, 1]


def test_a_range_takes_no_memory() -> None:
    values = parse_values("1:1e18")
    assert values.count == 10**18
    assert values.between(10**17, 10**17 + 2) == [10**17 + 1, 10**17 + 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has an empty value: write START:STOP:STEP with STOP included"),
        ("4,,5", "has an empty value"),
        ("9:3", "has no sizes"),
        ("a", "is no integer"),
        ("-4", "-4 is no size: 0 to 2"),
        ("8,1k,8", "8 is there twice"),
        ("1:9:2,5", "5 is there twice"),
        ("1:1e15:2,4:1e15:3", "7 is there twice"),
        ("1," * 70_000, "values are listed, and the most are 65,536"),
    ],
)
def test_mistakes_are_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_values(text)


@pytest.mark.parametrize(
    ("given_", "says"), [([1.5], "1.5 is no size"), ([True], "True is no size"), ([], "no values")]
)
def test_numbers_of_python_are_whole(given_: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        values_of(given_)


@given(RANGES, RANGES)
def test_the_first_common_number(one: range, other: range) -> None:
    assert common(one, other) == min(set(one) & set(other), default=None)


@given(st.lists(st.integers(1, 9), max_size=4), st.integers(1, 60))
def test_slabs_are_the_grid_in_its_order(counts: list[int], most: int) -> None:
    """Their points, one slab after the other, are the product of the axes; none has more than asked."""
    names = "abcd"[: len(counts)]
    sizes = tuple(
        Axis(Size(name, name, True), Values((range(1, count + 1),))) for name, count in zip(names, counts, strict=True)
    )
    grid = Grid((WordAxis("word", True, ("x", "y")),), sizes)
    found = []
    for words in grid.combinations():
        for slab in grid.slabs(words, most):
            assert slab.points <= most
            found += [slab.point(place) for place in range(slab.points)]
    every = product("xy", *(range(1, count + 1) for count in counts))
    assert found == [dict(zip(["word", *names], point, strict=True)) for point in every]
    assert grid.points == len(found)
