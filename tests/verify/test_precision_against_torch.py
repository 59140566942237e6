"""16 bits and autocast, measured again, now: torch gives what the goldens have, which graphacct equals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from precision import measure, runs

TRUTH = json.loads((Path(__file__).parents[1] / "goldens" / "act-precision" / "truth.json").read_text())["runs"]


def test_every_run_is_there() -> None:
    """The goldens have the runs that are measured, no more and no fewer."""
    assert [{key: run[key] for key in expected} for run, expected in zip(TRUTH, runs(), strict=True)] == list(runs())


@pytest.mark.parametrize("run", TRUTH, ids=lambda run: "-".join(str(value) for value in list(run.values())[:7]))
def test_torch_still_keeps_that(run: dict[str, Any]) -> None:
    """Activations, copies of weights and the forward peak, to the byte."""
    assert {**run, **measure(run)} == run
