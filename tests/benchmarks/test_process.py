"""The command line as whole processes, in seconds of CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import process_cpu, processes, script

ROUNDS = 15
REPORT_TO_PEER = 1.25
"""A JSON report of gpt2-xl, at most this many times llm-flops' process; the aim is 1 (docs/decisions/start-up.md)."""
OTHER_TO_REPORT = 1.5
"""Other commands, at most this many times the table of a report of gpt2-xl."""
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


def test_other_commands(benchmark: Any, record: Callable[..., None], tmp_path: Path) -> None:
    """Formulas, pictures and the catalogue come from the recorder, the embedded engine and the packages' listings."""
    own = script("graphacct")
    commands = {
        "report gpt2-xl": [own, "report", "gpt2-xl"],
        "explain gpt2-xl lm_head": [own, "explain", "gpt2-xl", "lm_head"],
        "draw gpt2-xl -o x.svg": [own, "draw", "gpt2-xl", "-o", str(tmp_path / "x.svg")],
        "draw gpt2-xl -o x.dot": [own, "draw", "gpt2-xl", "-o", str(tmp_path / "x.dot")],
        "list": [own, "list"],
        "list operators": [own, "list", "operators"],
        "compare gpt2-xl gpt2": [own, "compare", "gpt2-xl", "gpt2"],
        "diff gpt2-xl gpt2": [own, "diff", "gpt2-xl", "gpt2"],
    }
    times = processes(commands, ROUNDS)
    report = times.pop("report gpt2-xl")
    for name, seconds in times.items():
        record(f"graphacct {name}", seconds, seconds / report, "graphacct report gpt2-xl")
    benchmark.pedantic(process_cpu, args=(commands["list"],), rounds=3, iterations=1)
    slow = {name: seconds / report for name, seconds in times.items() if seconds > OTHER_TO_REPORT * report}
    assert not slow
