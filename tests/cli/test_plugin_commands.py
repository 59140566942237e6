"""Commands of plugins: announced by distributions, or registered by a file; and what becomes of those that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphacct.errors import PluginError
from graphacct.hooks.manager import load
from graphacct.render.catalogue import catalogue

MODULE = '''
import click

print("imported")


@click.command()
@click.argument("model")
def whatever(model):
    """Say how many parameters a model has."""
    import graphacct

    print("params", graphacct.account(model).total["params"])


@click.command()
def fails():
    """Fail."""
    1 / 0


@click.command()
def refuses():
    """Refuse."""
    from graphacct import ConfigError

    raise ConfigError("no such thing")


number = 5
'''
FILE = '''
import click

import graphacct


@click.command("{name}")
def command():
    """Count."""
    print("counted")


@graphacct.hookimpl
def graphacct_register_commands():
    return [{returned}]
'''


@pytest.fixture
def distribution(tmp_path: Path) -> Any:
    """Install a distribution that announces commands, and run graphacct with it in a process of its own."""
    (tmp_path / "counting_commands.py").write_text(MODULE)

    def installed(
        announced: str, *arguments: str, name: str = "counting", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "entry_points.txt").write_text(f"[graphacct.commands]\n{announced}\n")
        path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(tmp_path)])
        command = [sys.executable, "-m", "graphacct", *arguments]
        variables = {**os.environ, "PYTHONPATH": path, **environment}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=variables)

    return installed


COUNT = "count = counting_commands:whatever"


def test_help_names_it_without_importing_it(distribution: Any) -> None:
    """By the entry point's name, with the distribution; the version is said without looking."""
    done = distribution(COUNT, "--help")
    assert done.returncode == 0
    assert "Commands of plugins" in done.stdout
    assert "count  of counting 1.0" in done.stdout
    assert "imported" not in done.stdout
    assert distribution("report = nothing", "--version").returncode == 0


def test_it_runs_under_the_announced_name(distribution: Any) -> None:
    """It has its own help, and all of graphacct."""
    done = distribution(COUNT, "count", "gpt2")
    assert (done.returncode, done.stdout) == (0, "imported\nparams 124439808\n"), done.stderr
    assert "Say how many parameters" in distribution(COUNT, "count", "--help").stdout
    missing = distribution(COUNT, "count")
    assert missing.returncode == 2
    assert "missing argument 'MODEL'" in missing.stderr


@pytest.mark.parametrize(
    ("announced", "arguments", "status", "message"),
    [
        (
            "report = counting_commands:whatever",
            ["--help"],
            1,
            "command 'report' of counting 1.0 is called as one of graphacct's own: rename it, or leave it out with "
            "GRAPHACCT_BLOCK=report",
        ),
        ("x = counting_commands:fails", ["x"], 1, "command 'x' of counting 1.0 failed: ZeroDivisionError: division by"),
        ("x = counting_commands:refuses", ["x"], 1, "no such thing"),
        ("x = counting_commands:number", ["x"], 1, "command 'x' (counting 1.0): counting_commands:number is no click"),
        ("x = no_such_module:x", ["x"], 1, "command 'x' (counting 1.0) failed to import: ModuleNotFoundError"),
        ("count = counting_commands:whatever", ["cont"], 2, "no such command 'cont'; did you mean 'count'?"),
    ],
)
def test_one_that_cannot_be_is_named(
    distribution: Any, announced: str, arguments: list[str], status: int, message: str
) -> None:
    """In a line or two, with the distribution; and ours work on."""
    done = distribution(announced, *arguments)
    assert done.returncode == status
    assert f"graphacct: {message}" in done.stderr
    assert "Traceback" not in done.stderr
    assert distribution(announced, "params", "gpt2", "--format", "json").returncode == 0


def test_two_of_one_name(distribution: Any) -> None:
    """Both distributions are named, and either can be left out."""
    distribution(COUNT, "--version", name="other")
    done = distribution(COUNT, "--help")
    assert "command 'count' is of counting 1.0 and of other 1.0: rename one" in done.stderr
    assert distribution(COUNT, "--help", GRAPHACCT_BLOCK="count").returncode == 0


def test_a_file_registers_one(distribution: Any, tmp_path: Path) -> None:
    """Through the hook: the environment names the file, the command its own name."""
    file = tmp_path / "tally.py"
    file.write_text(FILE.format(name="tally", returned="command"))
    done = distribution("", "tally", GRAPHACCT_PLUGINS=str(file))
    assert (done.returncode, done.stdout) == (0, "counted\n"), done.stderr
    rows = {row["name"]: row for row in catalogue("commands", load(files=[str(file)]))}
    assert (rows["tally"]["doc"], rows["tally"]["plugin"]) == ("Count.", "tally")
    assert rows["report"]["origin"] == "graphacct"


@pytest.mark.parametrize(
    ("name", "returned", "message"),
    [
        (
            "report",
            "command",
            r"command 'report' is registered twice, by graphacct\.builtin .* and by tally",
        ),
        ("tally", "command, command", "command 'tally' is registered twice, by tally .* and by tally .*; rename one"),
        ("tally", "5", "plugin tally .* failed in graphacct_register_commands: 5 is none of the commands"),
        ("tally", "1 / 0", "plugin tally .* failed in graphacct_register_commands: ZeroDivisionError"),
    ],
)
def test_what_a_file_registers_is_checked(tmp_path: Path, name: str, returned: str, message: str) -> None:
    """Both plugins are named, or the one that gives no command."""
    file = tmp_path / "tally.py"
    file.write_text(FILE.format(name=name, returned=returned))
    with pytest.raises(PluginError, match=message):
        _ = load(files=[str(file)]).commands
