"""A command that takes more than a second says so on a terminal, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SLOW = """
import time
import graphacct
from graphacct.progress import steps

def make():
    for _ in steps(range(5), "naps"):
        time.sleep(0.5)
    b = graphacct.Builder("slow")
    return b.graph(b.apply("relu", b.input("x", (2,)), name="act"))
"""


def report(tmp_path: Path, terminal: bool) -> tuple[str, str]:
    """What a report of a slow model prints on standard output, and on standard error."""
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    ours, theirs = os.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "graphacct", "report", "slow.py:make", "--format", "csv"]
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.write(theirs, b"<end>")
    os.close(theirs)
    said = b""
    while not said.endswith(b"<end>"):
        said += os.read(ours, 4096)
    os.close(ours)
    assert done.returncode == 0
    return done.stdout, said.decode().removesuffix("<end>")


def test_a_terminal_is_told_that_a_command_works(tmp_path: Path) -> None:
    """For how long, and how far it is; the word is taken away before anything is printed: the line is cleared. The
    result is the same without it."""
    printed, said = report(tmp_path, terminal=True)
    assert "accounting; Ctrl-C stops it" in said
    assert "3 of 5 naps" in said
    assert said.rstrip().endswith("\x1b[2K")
    assert (printed, "") == report(tmp_path, terminal=False)
