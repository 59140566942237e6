"""What `make dist` builds: installed without anything else, it does what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))  # pages.py is imported by name

from pages import ROOT, WIDTH, commands, trimmed

DISTRIBUTIONS = {"graphacct": ROOT, "graphacct_torch": ROOT / "plugins" / "graphacct-torch"}
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a source archive and a wheel of each distribution, the wheel built from the archive."""
    folder = tmp_path_factory.mktemp("dist")
    for source in DISTRIBUTIONS.values():
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with graphacct's wheel, and what that requires, alone."""
    folder = tmp_path_factory.mktemp("alone") / "env"
    venv.create(folder)
    found = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, str(next(dist.glob("graphacct-*.whl")))], check=True)
    return found


def test_each_distribution_has_a_wheel_and_its_source(dist: Path) -> None:
    """Both have the licence; the wheel has the data beside the code, as presets and the templates of plugins."""
    assert len([*dist.iterdir()]) == 2 * len(DISTRIBUTIONS)
    for name in DISTRIBUTIONS:
        wheel, archive = next(dist.glob(f"{name}-*.whl")), next(dist.glob(f"{name}-*.tar.gz"))
        assert any(path.endswith("LICENSE") for path in ZipFile(wheel).namelist())
        with tarfile.open(archive) as files:
            assert any(path.endswith("/LICENSE") for path in files.getnames())
    packed = {*ZipFile(next(dist.glob("graphacct-*.whl"))).namelist()}
    ours = (path for path in (ROOT / "graphacct").rglob("*.*") if "__pycache__" not in path.parts)
    assert {str(path.relative_to(ROOT)) for path in ours} <= packed


def test_the_readme_holds_where_nothing_else_is_installed(python: Path, tmp_path: Path) -> None:
    """Every block of the README, with the processes of that environment: no numpy, no sympy, no matplotlib."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHACCT_", "PYTHON"))}
    environment |= {"COLUMNS": WIDTH, "NO_COLOR": "1", "PYTHONUTF8": "1"}
    environment["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])

    def run(*command: str, shell: bool = False) -> str:
        words = command[0] if shell else command
        done = subprocess.run(
            words, shell=shell, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for kind, block in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        named = re.match(r"# ([\w.]+\.py)\n", block)
        if named:
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
        elif kind == "python":
            run(str(python), "-c", block)
        else:
            for command, printed in commands(block):
                assert trimmed(run(command, shell=True)) == printed
