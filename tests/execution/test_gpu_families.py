"""What a training step of every family saves on a GPU (tests/goldens/gpu_steps/h200_families.json), and its peaks.

tests/verify/gpu_saved.py measured them. The runs without checkpointing are compared here; the counts of equal peaks say
how many are, so that a change can only add to them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import runs

from graphacct.hooks.manager import default

sys.path.insert(0, str(Path(__file__).parents[1] / "verify"))  # it needs no torch
from gpu_saved_expected import expected

MEASURED = json.loads((runs.GOLDENS / "gpu_steps" / "h200_families.json").read_text())["shapes"]
KIND = "bfloat16 fused"
EQUAL = {"forward": 67, "step": 83}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """By shape: what was measured and what graphacct says, of one kind of run."""
    found = {}
    for name, measured in MEASURED.items():
        if KIND in measured:
            ours = expected(name, [KIND], tmp_path_factory.mktemp("shape"), "cuda", default())[KIND]
            found[name] = tuple(measured[KIND]), ours[0]
    return found


def test_every_family_saves_on_a_gpu_what_was_measured(figures) -> None:
    assert len(figures) > 80
    assert {name: (theirs[0], ours[0]) for name, (theirs, ours) in figures.items() if theirs[0] != ours[0]} == {}


@pytest.mark.parametrize(("figure", "place"), [("forward", 1), ("step", 2)])
def test_no_fewer_peaks_are_equal(figure: str, place: int, figures) -> None:
    assert sum(theirs[place] == ours[place] for theirs, ours in figures.values()) >= EQUAL[figure]
