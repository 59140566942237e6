"""Decisions: comparisons of sizes that choose what runs."""

from __future__ import annotations

import re
from typing import Any

import numpy
import pytest
import sympy

from graphacct import Builder, ConfigError, divides, equal, equal_shape, less, minimum
from graphacct.decisions import Conditions, condition_text, recording
from graphacct.hooks.manager import default

b, h, s, d = sympy.symbols("b h s d", positive=True, integer=True)


def texts(conditions: Conditions) -> list[str]:
    return list(map(condition_text, conditions.found))


def test_ints_decide_and_assume_nothing() -> None:
    """Two numbers are equal or not."""
    with recording() as conditions:
        assert (equal(3, 3), equal(3, 4), less(3, 4), less(4, 3)) == (True, False, True, False)
        assert (divides(8, 64), divides(8, 60)) == (True, False)
        assert equal_shape((1, 2), (1, 2))
        assert not equal_shape((1, 2), (1, 2, 1))
    assert conditions.found == ()


@pytest.mark.parametrize(
    ("decide", "answer"),
    [
        (lambda: equal(s * h, h * s), True),
        (lambda: equal(s + 1, 1), False),  # s + 1 is 2 or more
        (lambda: equal(2 * s, 3 * s), False),
        (lambda: less(0, s), True),
        (lambda: less(s, s + h), True),
        (lambda: less(s * h, s), False),
        (lambda: divides(8, 8 * d), True),
        (lambda: equal((d / h) * h, d), True),
    ],
)
def test_what_holds_for_every_positive_integer_needs_no_condition(decide: Any, answer: bool) -> None:
    """Symbols are sizes: positive integers."""
    with recording() as conditions:
        assert decide() is answer
    assert conditions.found == ()


@pytest.mark.parametrize(
    ("decide", "answer", "conditions"),
    [
        (lambda: equal(s, 1), False, ["s > 1"]),
        (lambda: equal(h * s, s), False, ["h > 1"]),
        (lambda: less(s, h * s), True, ["h > 1"]),
        (lambda: equal(b, h), False, ["b != h"]),
        (lambda: less(d, 257, assumed=True), True, ["d < 257"]),
        (lambda: not less(256, d), True, ["256 >= d"]),
        (lambda: divides(8, d), True, ["Mod(d, 8) == 0"]),
        (lambda: equal(minimum(s, 64), minimum(s, 63)), False, ["s > 63"]),
        (lambda: equal(d / h, 1), False, ["d/h > 1"]),
        (lambda: [equal(s, 1), equal(s * h, h), equal(s, 1)], [False] * 3, ["s > 1"]),
        (lambda: [equal(b, h), equal(b, h)], [False] * 2, ["b != h"]),
    ],
)
def test_what_is_assumed_is_recorded_once(decide: Any, answer: Any, conditions: list[str]) -> None:
    """The general branch is taken, and later decisions follow from what was assumed before."""
    with recording() as found:
        assert decide() == answer
    assert texts(found) == conditions


@pytest.mark.parametrize("kind", [float, object])
def test_the_points_of_a_sweep_must_agree(kind: type) -> None:
    """All points decide, or the sweep is refused with the sizes and the way out."""
    sizes = numpy.array([1, 2, 4]).astype(kind)
    assert not equal(sizes, 3)
    assert equal(sizes[:1], 1)
    assert less(sizes, 5)
    assert not divides(8, sizes)
    message = "the sizes [1, 2, 4] and 1 are equal at 1 of 3 points of the sweep, and other kernels run there: sweep "
    with pytest.raises(ConfigError, match=re.escape(message) + "those points apart"):
        equal(sizes, 1)
    with pytest.raises(ConfigError, match=r"the sizes \[1, 2, 4\] are a multiple of 2 at 2 of 3 points of the sweep"):
        divides(2, sizes)
    with pytest.raises(ConfigError, match=r"the sizes \[1, 2, 4\] and 3 are in this order at 2 of 3 points"):
        less(sizes, 3)


def test_a_builder_records_its_graphs_conditions() -> None:
    """A transposed matrix is row-major if a side is 1; the graph says what it assumes."""
    builder = Builder("turned", default().operators)
    turned = builder.apply("transpose", builder.input("x", (s, d)), dims=(0, 1))
    graph = builder.graph(builder.apply("reshape", turned, shape=(d * s,)))
    assert list(map(condition_text, graph.conditions)) == ["d > 1", "s > 1"]
