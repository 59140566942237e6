"""Measuring in turn: what the machine is doing at the moment then falls on all that are compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any


def interleaved(
    functions: Mapping[str, Callable[[], Any]],
    rounds: int,
    before: Mapping[str, Callable[[], Any]] | None = None,
) -> dict[str, float]:
    """Median seconds of each function, called in turn; what `before` does for one of them is not timed."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            if before and name in before:
                before[name]()
            start = perf_counter()
            function()
            times[name].append(perf_counter() - start)
    return {name: median(values) for name, values in times.items()}


def process_cpu(command: Sequence[str]) -> float:
    """Seconds of CPU, user and system, of one process from start to end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read().decode()
    process.stderr.close()
    return usage.ru_utime + usage.ru_stime


def processes(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Median seconds of CPU of each command, run in turn; one run of each first, so that files are cached."""
    for command in commands.values():
        process_cpu(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(process_cpu(command))
    return {name: median(values) for name, values in times.items()}


def script(name: str) -> str:
    """The path of a command that is installed beside this interpreter."""
    return os.path.join(os.path.dirname(sys.executable), name)
