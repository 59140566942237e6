"""What tiny models keep and their peaks, measured again, now: torch gives what the goldens have, which graphacct equals
(tests/footprint/test_activations.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from activations import FOLDERS, measure, runs

NAMES = sorted(path.name for path in FOLDERS.iterdir() if path.is_dir())


def truth(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text())["runs"]
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_every_run_is_there(name: str) -> None:
    """The goldens have the runs that are measured, no more and no fewer."""
    found = truth(FOLDERS / name)
    assert [{key: run[key] for key in expected} for run, expected in zip(found, runs(FOLDERS / name), strict=True)] == (
        list(runs(FOLDERS / name))
    )


@pytest.mark.parametrize("name", NAMES)
def test_torch_still_keeps_that(name: str) -> None:
    """Bytes and storages kept, and the peaks of the forward pass, of the whole step and without gradients, for two
    sequences or images."""
    for run in [run for run in truth(FOLDERS / name) if run["batch"] == 2]:
        assert {**run, **measure(FOLDERS / name, run)} == run
