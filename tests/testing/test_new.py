"""`graphacct plugins new` writes plugins that install and pass at once; names that none can have are errors. That they
are typed is `make lint`'s: type_new_plugins.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphacct.cli import cli
from graphacct.cli.plugins import NEW
from graphacct.testing.new import KINDS, TEMPLATES, names


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["plugins", *arguments])


def flag(kind: str) -> str:
    return f"--{kind.replace('_', '-')}"


def test_the_command_has_every_kind() -> None:
    """Each has a template and one for its tests; the help of the command names it without importing the kit."""
    assert NEW == KINDS
    kinds = {file.name.removesuffix(".py.txt") for file in TEMPLATES.glob("*.py.txt")}
    assert kinds == {*KINDS, *(f"{kind}_test" for kind in KINDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_check(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind, as it is written: its project, and its thing by its own contract."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"graphacct-made-{kind.replace('_', '-')}"
    package = name.replace("-", "_")
    done = run("new", name, flag(kind))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{name}/pyproject.toml",
        f"{name}/README.md",
        f"{name}/{package}/__init__.py",
        f"{name}/tests/test_{package}.py",
    ]
    done = run("check", name)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"right  pyproject.toml: 6 tests\nright  {kind.replace('_', ' ')} made")
    assert "made up" not in done.stdout
    assert run("new", name, flag(kind)).exit_code == 1


def test_a_new_plugin_passes_pytest_and_is_found_when_installed(tmp_path: Path) -> None:
    """pytest in its folder, with the settings of its pyproject.toml; then what installing writes makes it known."""
    folder = tmp_path / "graphacct-squared-relu"
    assert run("new", str(folder), "--operator").exit_code == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # of pytest's plugins it needs none
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=alone)
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout
    info = folder / "graphacct_squared_relu-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: graphacct-squared-relu\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[graphacct]\ngraphacct-squared-relu = graphacct_squared_relu\n")
    code = "from graphacct.hooks.manager import default; print(default().origin('operators', 'squared_relu'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(folder)},
    )
    assert done.stdout.strip() == "graphacct-squared-relu (graphacct-squared-relu 0.1.0)"


def test_new_plugins_are_clean(tmp_path: Path) -> None:
    """ruff, with the rules that people add, and its formatter find nothing in them."""
    for kind in KINDS:
        assert run("new", str(tmp_path / f"graphacct-clean-{kind}"), flag(kind)).exit_code == 0
    for command in (["check", "--select", "E,F,W,I,B,C4,UP,SIM,RUF"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_pip_installs_it(tmp_path: Path) -> None:
    """The distribution builds, where its build backend is installed."""
    pytest.importorskip("hatchling", reason="the backend of the new distribution, which pip would fetch")
    assert run("new", str(tmp_path / "graphacct-built"), "--quantity").exit_code == 0
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    target = tmp_path / "target"
    subprocess.run([*command, "--target", str(target), str(tmp_path / "graphacct-built")], check=True)
    assert (target / "graphacct_built" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["3x", "a b", "graphacct", "graphacct-", "a--b", "ä", "..", "graphacct-1"])
def test_a_name_that_no_plugin_can_have(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("new", "--operator", name)
    assert done.exit_code == 1
    assert "is no name of a plugin: letters, digits and '-', as graphacct-mine" in done.output
    assert not [*tmp_path.iterdir()]


def test_a_word_of_python_and_a_folder_with_something_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("new", "--operator", "graphacct-class")
    assert done.output == "graphacct: 'graphacct-class' is a word of Python: name the plugin graphacct-my-class, say\n"
    (tmp_path / "graphacct-mine").mkdir()
    (tmp_path / "graphacct-mine" / "notes").write_text("mine")
    done = run("new", "--operator", "graphacct-mine")
    assert done.output == "graphacct: 'graphacct-mine' exists already: name another folder, or an empty one\n"


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        (
            "json",
            "reader",
            "there is a module 'json' already, which a plugin would hide: give it another name, graphacct-",
        ),
        ("attrs", "reader", "there is a module 'attrs' already"),
        (
            "graphacct-vision",
            "reader",
            "there is a module 'graphacct_vision' already, which a plugin would hide: give it",
        ),
        (
            "graphacct-linear",
            "operator",
            "graphacct-operators (graphacct 0.1.0) has a thing 'linear' among its operators: name the plugin "
            "graphacct-my-linear, say",
        ),
        ("graphacct-macs", "quantity", "graphacct.builtin (graphacct) has a thing 'macs' among its quantities"),
    ],
)
def test_a_name_that_is_taken(name: str, kind: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("new", name, f"--{kind}")
    assert done.exit_code == 1
    assert done.output.startswith(f"graphacct: {says}")
    assert not [*tmp_path.iterdir()]


def test_the_names_in_a_plugin() -> None:
    assert names("Graphacct-Squared_ReLU") == {
        "name": "graphacct-squared-relu",
        "package": "graphacct_squared_relu",
        "thing": "squared-relu",
        "word": "squared_relu",
        "class": "SquaredRelu",
        "title": "Squared relu",
    }


def test_a_kind_must_be_said() -> None:
    done = run("new", "graphacct-mine")
    assert done.exit_code == 2
    assert "say what the plugin has: --operator, --architecture, --reader, --quantity, --convention, " in done.output
    assert "--recompute-policy, --weight-format, --device, --output or --command\n" in done.output
    done = run("new", "graphacct-mine", "--operator", "--quantity")
    assert done.exit_code == 2
    assert "and one thing: add the quantity to the plugin afterwards" in " ".join(done.output.split())
