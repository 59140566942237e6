"""What tests/verify/cuda.py measures on a GPU, on a CPU: its measurement and its expectation meet, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gpu_cases import COMPOSED, Case, cases
from gpu_expected import expected, loaded_plugins
from gpu_measure import measure

EQUAL = (
    Case("gpt2", "autocast", "fused", dropout=0.1),
    Case("gpt2", "bfloat16", "eager", checkpointing=True),
    Case("llama-grouped", "float32", "fused", COMPOSED, loss="cross_entropy"),
    Case("mixtral", "bfloat16", "fused", COMPOSED),
    Case("t5", "bfloat16", "eager", COMPOSED),
)


def folder_of(case: Case, folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(case.config()))
    return folder


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.title)
def test_a_step_on_a_cpu(case: Case, tmp_path: Path) -> None:
    """Saved bytes, and both peaks by storages."""
    folder = folder_of(case, tmp_path)
    figures = expected(case, folder, "cpu", loaded_plugins())[0]
    measured = measure(case, folder, "cpu")[0]
    assert {key: measured[key] for key in figures} == figures


def test_each_case_of_a_gpu_has_figures(tmp_path: Path) -> None:
    """No case is one that graphacct refuses: the script would find that out on the GPU."""
    plugins = loaded_plugins()
    for case in cases(gpu=True):
        figures = expected(case, folder_of(case, tmp_path), "cuda", plugins)[0]
        assert 0 < figures["saved"] <= figures["forward_peak"] <= figures["step_peak"], case.title
