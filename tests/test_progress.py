"""How far long work has come."""

from __future__ import annotations

import pytest

from graphacct.progress import steps, told


def test_the_innermost_work_says_how_far_it_is() -> None:
    """In steps that are done; nothing before and after."""
    seen = [told()]
    for _ in steps("ab", "letters"):
        seen.append(told())
        seen += [told() for _ in steps(range(2), "numbers")]
        seen.append(told())
    assert seen == [
        "",
        *("0 of 2 letters", "0 of 2 numbers", "1 of 2 numbers", "0 of 2 letters"),
        *("1 of 2 letters", "0 of 2 numbers", "1 of 2 numbers", "1 of 2 letters"),
    ]
    assert told() == ""


def test_work_that_fails_is_no_longer_told() -> None:
    """An error ends it, however deep."""
    with pytest.raises(ZeroDivisionError):
        [1 // each for each in steps([1, 0], "quotients")]
    assert told() == ""
