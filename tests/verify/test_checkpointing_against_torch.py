"""Checkpointed stacks of layers that are not all alike, measured again, now: torch gives what the goldens have."""

from __future__ import annotations

import json

import pytest
from checkpointing import FOLDERS, measure, runs


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDERS.iterdir()))
def test_torch_still_keeps_that(name: str) -> None:
    """Bytes kept and the peaks of the forward pass and of the whole step."""
    rows = json.loads((FOLDERS / name / "truth.json").read_text())["runs"]
    for run, expected in zip(rows, runs(FOLDERS / name), strict=True):
        assert run == {**expected, **measure(FOLDERS / name, expected)}
