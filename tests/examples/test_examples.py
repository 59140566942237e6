"""Every example runs, and asserts something itself."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
MOST_LINES = 60
TORCH = [example for example in EXAMPLES if "import torch" in example.read_text(encoding="utf-8")]
"""These are run by the tests of graphacct-torch (plugins/graphacct-torch/tests/test_pages.py)."""
WITHOUT_TORCH = [example for example in EXAMPLES if example not in TORCH]


@pytest.mark.parametrize("example", WITHOUT_TORCH, ids=[example.stem for example in WITHOUT_TORCH])
def test_example_runs(example: Path, tmp_path: Path) -> None:
    """The example runs as a script, in any folder, without an error or a warning."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHACCT_")}
    environment |= {"PYTHONUTF8": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_example_is_short_and_checks_itself(example: Path) -> None:
    """An example fits a screen or so, says what it shows in its first line, and asserts it."""
    text = example.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert len(text.splitlines()) <= MOST_LINES


def test_examples_are_numbered() -> None:
    """The examples are numbered from 1 without a gap."""
    assert [int(example.name[:2]) for example in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    assert len(EXAMPLES) >= 9
