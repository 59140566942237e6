"""Training figures of a graph's file from the command line: every command takes it as it takes a model by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LAYERS = {
    "schema": "graphacct.graph/1",
    "name": "layers",
    "inputs": [{"name": "x", "shape": [4, 6]}],
    "nodes": [
        {"name": "first", "operator": "linear", "inputs": ["x", {"parameter": "w1", "shape": [6, 6]}]},
        {"name": "second", "operator": "linear", "inputs": ["first", {"parameter": "w2", "shape": [6, 6]}]},
    ],
    "outputs": ["second"],
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "layers.json"
    file.write_text(json.dumps(LAYERS))
    return str(file)


def test_report_explain_draw_compare_and_memory(run: Any, path: str, tmp_path: Path) -> None:
    """Five products of 2 · 4 · 6 · 6 = 288 FLOPs in all; the second layer's input of 96 bytes is saved."""
    report = json.loads(run("report", path, "--phase", "train", "--format", "json").stdout)
    assert report["total"]["step_matmul_flops"] == 5 * 288
    assert report["workload"]["loss"] == "sum of outputs"
    text = run("explain", path, "second", "--phase", "train", "--quantity", "saved_bytes").stdout
    assert "saved_bytes = 96" in text
    drawn = run("draw", path, "--phase", "train", "--color-by", "saved_bytes", "-o", str(tmp_path / "x.dot"))
    assert drawn.exit_code == 0
    table = run("compare", path, path, "--phase", "train", "--quantity", "saved_bytes").stdout
    assert "phase train, loss sum of outputs" in table
    assert json.loads(run("memory", path, "--format", "json").stdout)["saved_activations"] == 96


def test_the_way_out_of_every_refusal_can_be_followed(run: Any, path: str, tmp_path: Path) -> None:
    """What a message says to add is accepted when it is added."""
    for asked in (["--freeze", "w1"], ["--optimizer", "sgd"], ["--recompute", "first"]):
        refused = run("report", path, *asked)
        assert refused.exit_code == 1
        assert (
            refused.stderr == f"graphacct: {asked[0].removeprefix('--')}: of a training step alone; add --phase train\n"
        )
        assert run("report", path, *asked, "--phase", "train").exit_code == 0
    picture = ["draw", path, "--color-by", "saved_bytes", "-o", str(tmp_path / "x.dot")]
    assert run(*picture).stderr == "graphacct: saved_bytes exists only in phase train: add --phase train\n"
    assert run(*picture, "--phase", "train").exit_code == 0


def test_a_phase_that_a_graph_has_not(run: Any, path: str) -> None:
    """Its sizes and its cache are fixed."""
    for phase in ("prefill", "decode"):
        refused = run("memory", path, "--phase", phase)
        assert refused.exit_code == 1
        assert refused.stderr == (
            f"graphacct: 'layers' is a finished graph of the phase 'forward', which has no phase '{phase}': it has "
            "forward and train; build it anew for another, if it is a model's\n"
        )
