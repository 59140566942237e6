"""A captured module, against torch's FLOP counter on the same module without data."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from timing import process_cpu

SCRIPT = Path(__file__).parent / "capture_with_torch.py"
TORCH = Path(__file__).parents[2] / ".venv-verify" / "bin" / "python"


@pytest.mark.skipif(not TORCH.exists(), reason="make verify makes the environment with torch and transformers")
def test_capture_takes_little_more_than_torchs_counter(benchmark: Any, record: Callable[..., None]) -> None:
    """Llama-3-8B in blocks, forward and a training step; memory over importing the libraries."""
    command = [str(TORCH), str(SCRIPT)]
    found = json.loads(subprocess.check_output(command, text=True))
    forward, step = (median(found["ratios"][name]) for name in ("forward", "step"))
    record("capture of llama-3-8b, forward", found["seconds"]["forward"], forward, "torch's FlopCounterMode")
    record("capture of llama-3-8b, training step", found["seconds"]["step"], step, "torch's FlopCounterMode")
    benchmark.pedantic(process_cpu, args=(command,), rounds=1, iterations=1)
    assert forward < 1.5
    assert step < 1.5
    assert found["memory"] < 300
