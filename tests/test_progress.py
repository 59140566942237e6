"""How far long work has come."""

from __future__ import annotations

import pytest

import graphacct
from graphacct.progress import doing, steps, told


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


def test_work_of_unknown_length_says_what_it_is() -> None:
    with doing("laying out"):
        assert told() == "laying out"
    assert told() == ""


def test_searches_and_ways_out_say_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """`memory --on` takes a total for each size and way that it tries."""
    import graphacct.footprint.on_devices as on_devices

    seen: list[str] = []

    def total_of(*arguments: object, **options: object) -> int:
        seen.append(told())
        return 10**6 * int(options.get("batch") or 1)  # type: ignore[call-overload]

    monkeypatch.setattr(on_devices, "total_of", total_of)
    device = graphacct.Device("box", 10**6 // 2)
    graphacct.memory("gpt2", batch=2, seq_len=8, set={"n_layer": 1}, phase="decode", on=device)
    assert any(text.startswith("looking for the largest batch: ") for text in seen)
    assert any(text.endswith(" ways out tried") for text in seen)
