"""Running the command line, in this process (fast) or as a user does (where the process itself matters)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphacct.cli import cli

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run a command in this process; whatever it raises beyond its exit status fails the test."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own, in an empty folder."""

    def start(code: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]

    return start
