"""Latent attention both ways, measured again, now: equal outputs, and FLOPs equal to the unit."""

from __future__ import annotations

import json

import pytest
from absorbed import CASES, TRUTH, measured


@pytest.mark.parametrize("case", CASES)
def test_the_golden_is_measured_again(case: str) -> None:
    """Decoding, forward and training steps, expanded as the library does and absorbed."""
    known = [row for row in json.loads(TRUTH.read_text())["runs"] if row["model"] == case]
    assert list(measured(case)) == known
