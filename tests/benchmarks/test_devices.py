"""`memory --on all` as a process, against the two searches for one memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from timing import process_cpu, processes, script

ROUNDS = 5
TARGET = 2.0
"""All devices take at most this many times one `--max-batch` and one `--max-seq-len`."""


@pytest.mark.parametrize("model", ["llama-3.2-1b", "mistral-7b"])
def test_all_devices(benchmark: Any, record: Callable[..., None], model: str) -> None:
    """The totals serve all 41 devices, and the ways out the largest that is too small."""
    asked = [script("graphacct"), "memory", model, "--format", "json"]
    commands = {
        "--max-batch": [*asked, "--seq-len", "2048", "--fits", "80GB", "--max-batch"],
        "--max-seq-len": [*asked, "--fits", "80GB", "--max-seq-len"],
        "--on all": [*asked, "--seq-len", "2048", "--on", "all"],
    }
    if model == "mistral-7b":
        commands = {name: [*command, "--phase", "prefill"] for name, command in commands.items()}
    times = processes(commands, ROUNDS)
    both = times["--max-batch"] + times["--max-seq-len"]
    record(f"graphacct memory {model} --on all", times["--on all"], times["--on all"] / both, "the two searches")
    benchmark.pedantic(process_cpu, args=(commands["--on all"],), rounds=2, iterations=1)
    assert times["--on all"] <= TARGET * both
