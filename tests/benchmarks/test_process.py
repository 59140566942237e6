"""The command line as whole processes, in seconds of CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from timing import process_cpu, processes, script

ROUNDS = 15
REPORT_TO_PEER = 1.25
"""A JSON report of gpt2-xl, at most this many times llm-flops' process; the aim is 1 (docs/decisions/start-up.md)."""
VERSION, HELP = 5.0, 6.0
"""`--version` and `--help`, at most this many times `python -c pass`."""


def test_report_process(benchmark: Any, record: Callable[..., None]) -> None:
    """The process takes about the CPU of a peer's process, and less than `import networkx` alone."""
    report = [script("graphacct"), "report", "gpt2-xl", "--format", "json"]
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "libraries": [sys.executable, "-c", "import attrs, click, json, pluggy"],
        "networkx": [sys.executable, "-c", "import networkx"],
        "llm-flops": [script("llm-flops"), "estimate", "gpt2-xl", "--json", "--no-hf"],
        "graphacct": report,
    }
    times = processes(commands, ROUNDS)
    peer = times["llm-flops"]
    record("python -c pass", times["python"], 1.0, "itself")
    record("python -c 'import networkx'", times["networkx"], 1.0, "itself")
    record("llm-flops estimate gpt2-xl", peer, peer / times["networkx"], "import networkx")
    record("graphacct report gpt2-xl", times["graphacct"], times["graphacct"] / times["networkx"], "import networkx")
    record("import attrs, click, json, pluggy", times["libraries"], times["libraries"] / peer, "llm-flops' process")
    record("graphacct report gpt2-xl", times["graphacct"], times["graphacct"] / peer, "llm-flops' process")
    benchmark.pedantic(process_cpu, args=(report,), rounds=3, iterations=1)
    assert times["graphacct"] < times["networkx"]
    assert times["graphacct"] <= REPORT_TO_PEER * peer


def test_version_and_help(benchmark: Any, record: Callable[..., None]) -> None:
    """What needs no model imports none of what a model needs."""
    version, shown = [script("graphacct"), "--version"], [script("graphacct"), "--help"]
    commands = {"python": [sys.executable, "-c", "pass"], "--version": version, "--help": shown}
    times = processes(commands, ROUNDS)
    for name in ("--version", "--help"):
        record(f"graphacct {name}", times[name], times[name] / times["python"], "python -c pass")
    benchmark.pedantic(process_cpu, args=(version,), rounds=3, iterations=1)
    assert times["--version"] <= VERSION * times["python"]
    assert times["--help"] <= HELP * times["python"]
