"""`graphacct report gpt2-xl --format json` as a whole process, in seconds of CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from timing import process_cpu, processes, script

ROUNDS = 15


def test_report_process(benchmark: Any, record: Callable[..., None]) -> None:
    """The process takes less CPU than `import networkx` alone; the aim beyond that is llm-flops' own process."""
    report = [script("graphacct"), "report", "gpt2-xl", "--format", "json"]
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "networkx": [sys.executable, "-c", "import networkx"],
        "llm-flops": [script("llm-flops"), "estimate", "gpt2-xl", "--json", "--no-hf"],
        "graphacct": report,
    }
    times = processes(commands, ROUNDS)
    record("python -c pass", times["python"], 1.0, "itself")
    record("python -c 'import networkx'", times["networkx"], 1.0, "itself")
    record("llm-flops estimate gpt2-xl", times["llm-flops"], times["llm-flops"] / times["networkx"], "import networkx")
    record("graphacct report gpt2-xl", times["graphacct"], times["graphacct"] / times["networkx"], "import networkx")
    record(
        "graphacct report gpt2-xl", times["graphacct"], times["graphacct"] / times["llm-flops"], "llm-flops' process"
    )
    benchmark.pedantic(process_cpu, args=(report,), rounds=3, iterations=1)
    assert times["graphacct"] < times["networkx"]
