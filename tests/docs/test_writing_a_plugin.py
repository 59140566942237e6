"""The packaging section of docs/writing-a-plugin.md describes a distribution that graphacct finds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-plugin.md").read_text(encoding="utf-8")


def block(first_line: str) -> str:
    (found,) = re.findall(rf"^```\w+\n({re.escape(first_line)}\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_entry_point_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What installing the page's pyproject.toml writes makes its operator known to every command, without --plugin."""
    project = tomllib.loads(block("# pyproject.toml"))["project"]
    ((name, module),) = project["entry-points"]["graphacct"].items()
    (tmp_path / f"{module}.py").write_text(block("# my_ops.py"), encoding="utf-8")
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[graphacct]\n{name} = {module}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "from graphacct.hooks.manager import default; print(default().origin('operators', 'squared_relu'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == f"{name} ({project['name']} {project['version']})"
