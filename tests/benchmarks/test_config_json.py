"""`graphacct report CONFIG --format json` of the largest models as a whole process, in seconds of CPU: against the same
report of GPT-2 XL, and against the transformers library on the meta device with torch's counter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from timing import process_cpu, processes, script

CONFIGS = Path(__file__).parent / "configs"
WITH_TORCH = Path(__file__).parent / "count_with_torch.py"
TORCH = Path(__file__).parents[2] / ".venv-verify" / "bin" / "python"
SEQ_LEN = "1024"


def report(model: str) -> list[str]:
    return [script("graphacct"), "report", model, "--seq-len", SEQ_LEN, "--format", "json"]


@pytest.mark.parametrize("name", ["llama-3.1-405b", "deepseek-v3"])
def test_a_large_config_takes_little_more_than_gpt2_xl(benchmark: Any, record: Callable[..., None], name: str) -> None:
    """Layers that are alike are one block: 126 of them, or 61 with 256 experts each, little more than 48 of GPT-2's.

    A file loads the reader of config.json and the parts of decoders, which GPT-2 does not need.
    """
    config = report(str(CONFIGS / name))
    times = processes({"gpt2-xl": report("gpt2-xl"), name: config}, rounds=25)
    ratio = times[name] / times["gpt2-xl"]
    record(f"graphacct report {name}/config.json", times[name], ratio, "graphacct report gpt2-xl")
    benchmark.pedantic(process_cpu, args=(config,), rounds=3, iterations=1)
    assert ratio < 1.2


@pytest.mark.skipif(not TORCH.exists(), reason="make verify makes the environment with torch and transformers")
@pytest.mark.parametrize("name", ["llama-3.1-405b", "deepseek-v3"])
def test_a_large_config_against_torch_on_the_meta_device(
    benchmark: Any, record: Callable[..., None], name: str
) -> None:
    """The same figures for less than a thirtieth of the CPU."""
    config, theirs = report(str(CONFIGS / name)), [str(TORCH), str(WITH_TORCH), str(CONFIGS / name)]
    total = json.loads(subprocess.check_output(config))["total"]
    counted = [int(figure) for figure in subprocess.check_output(theirs, text=True).split()]
    assert [total["params"], total["matmul_flops"]] == counted
    times = processes({"torch": theirs, name: config}, rounds=5)
    ratio = times["torch"] / times[name]
    record(f"torch on meta, {name}/config.json", times["torch"], ratio, f"graphacct report {name}/config.json")
    benchmark.pedantic(process_cpu, args=(config,), rounds=3, iterations=1)
    assert ratio > 30
