"""The table of ratios that a benchmark run ends with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # timing.py is imported by name

ROWS = pytest.StashKey[list[tuple[str, str, str, str]]]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, float, float, str], None]:
    """`record(what, seconds, ratio, against)`: a line in the table at the end, and in the benchmark's extra_info."""
    rows = request.config.stash.setdefault(ROWS, [])

    def add(what: str, seconds: float, ratio: float, against: str) -> None:
        rows.append((what, f"{seconds * 1e3:.3f} ms", f"{ratio:.2f}", against))
        if "benchmark" in request.fixturenames:
            request.getfixturevalue("benchmark").extra_info[what] = {"seconds": seconds, "ratio": ratio, "to": against}

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    rows = [("what", "median", "ratio", "to"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    terminalreporter.section("ratios within this run")
    for what, seconds, ratio, against in rows:
        line = f"{what:<{widths[0]}}  {seconds:>{widths[1]}}  {ratio:>{widths[2]}}  {against}"
        terminalreporter.write_line(line)
