"""The largest sizes for several memories at once are those that a search for each alone finds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from graphacct.errors import ConfigError
from graphacct.footprint.sweep import LargestSize, largest_sizes


def brute(total: Callable[[int], int], budget: int, most: int) -> int:
    """The largest size that fits, by trying all of them."""
    return max((size for size in range(1, most) if total(size) <= budget), default=0)


SHAPES: dict[str, Callable[[int], int]] = {
    "linear": lambda n: 1000 + 37 * n,
    "quadratic": lambda n: 500 + 3 * n + 2 * n * n,
    "a corner": lambda n: max(4000 + 2 * n, 11 * n),
    "rounded up to 32": lambda n: 700 + 5 * n + 64 * -(-n // 32),
    "one that jumps": lambda n: 100 + n + (50_000 if n > 700 else 0),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_budget_gets_its_largest_size(name: str) -> None:
    """As found by trying all sizes; sizes with a known total are not computed again."""
    total, draw = SHAPES[name], Random(name)
    budgets = [draw.randrange(1, 60_000) for _ in range(40)]
    known = {7: total(7)}
    tried: list[int] = []

    def counted(size: int) -> int:
        tried.append(size)
        return total(size)

    found = largest_sizes(counted, budgets, "batch", known)
    assert found.keys() == set(budgets)
    assert {budget: item.size for budget, item in found.items()} == {b: brute(total, b, 60_001) for b in budgets}
    assert all(item.total == total(item.size) for item in found.values() if item.size)
    assert len(tried) == len(set(tried))
    assert 7 not in tried


def test_a_search_shares_its_totals() -> None:
    """Of a parabola one total for each budget, and a few to begin with: 40 budgets, at most 60 totals."""
    tried: list[int] = []

    def total(size: int) -> int:
        tried.append(size)
        return 10**9 + 12_345 * size + 3 * size * size

    largest_sizes(total, [10**9 + 10**9 * k for k in range(40)], "batch")
    assert len(tried) <= 60


def test_totals_that_grow_from_one_multiple_of_8_to_the_next() -> None:
    """Other lengths take more than the next multiple: the longest that fits is a multiple. A batch has no such step."""

    def total(size: int) -> int:
        return 10 * size + (0 if size % 8 == 0 else 1000)

    for budget in range(0, 3000, 7):
        assert largest_sizes(total, [budget], "seq_len")[budget].size == brute(total, budget, 400)


def test_the_models_own_limit_is_said() -> None:
    """A size that the model refuses ends the search; what does not grow ends it as well."""

    def total(size: int) -> int:
        if size > 1000:
            raise ConfigError(f"{size} is beyond 1000")
        return size

    assert largest_sizes(total, [10, 5000], "seq_len") == {
        10: LargestSize(10, 10),
        5000: LargestSize(1000, 1000, "1001 is beyond 1000"),
    }
    constant = largest_sizes(lambda size: 5, [4, 6], "batch")
    assert constant == {4: LargestSize(0), 6: LargestSize(2**40, 5, "no larger batch was tried")}
