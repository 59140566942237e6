"""The pages of the documentation that need torch run, and so do the examples; `make test` checks their links."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from graphacct_torch import stated

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "docs"))  # pages.py is imported by name

from pages import TORCH, run_page  # noqa: E402

EXAMPLES = [
    example for example in sorted((ROOT / "examples").glob("*.py")) if "import torch" in example.read_text("utf-8")
]
NEEDS = {"12_lora": "peft"}
"""What an example says it needs, and ends, where it is not installed."""


@pytest.mark.parametrize("name", TORCH)
def test_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block runs after the ones before it, in an empty folder, and gives what the page says."""
    if name == "pytorch.md":
        pytest.importorskip("transformers")
    monkeypatch.setattr(stated, "STATED", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run_page(ROOT / "docs" / name)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_example_runs(example: Path, tmp_path: Path) -> None:
    """The example runs as a script, in any folder, without an error or a warning."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHACCT_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    needs = NEEDS.get(example.stem)
    there = needs is None or importlib.util.find_spec(needs) is not None
    assert done.stdout.startswith("this example needs") != there
    assert not done.stderr


def test_the_readme_shows_what_the_page_runs() -> None:
    """The project's README has no torch to run: its lines are those of docs/pytorch.md."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## Any PyTorch module\n")[2].partition("\n## ")[0]
    page = (ROOT / "docs" / "pytorch.md").read_text("utf-8")
    lines = [line for block in re.findall(r"^```text\n(.*?)^```$", section, re.M | re.S) for line in block.splitlines()]
    assert lines
    assert [line for line in lines if line not in page] == []
