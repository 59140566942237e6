"""GRAPHACCT_TRACE=1 shows each hook call on standard error; what replaces what is known afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from graphacct import account
from graphacct.cli import cli
from graphacct.hooks.manager import load
from graphacct.render.catalogue import catalogue

FILE = '''
from graphacct import Work, hookimpl, operator

@operator("x: ... -> ...", replaces=True)
def relu(batch):
    """0, fused with whatever comes before."""
    return Work()

@hookimpl
def graphacct_register_operators():
    return [relu]

@hookimpl(wrapper=True)
def graphacct_node_cost(node, operator):
    return (yield)
'''
NET = """{"schema": "graphacct.graph/1", "name": "net", "inputs": [{"name": "x", "shape": [2, 3]}],
"nodes": [{"name": "act", "operator": "relu", "inputs": ["x"]}], "outputs": ["act"]}"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "net.json").write_text(NET)
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path


def test_every_call_is_shown(mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is loaded, what each plugin registers, and each other call with its arguments and its result."""
    monkeypatch.setenv("GRAPHACCT_TRACE", "1")
    plugins = load(files=[str(mine / "mine.py")])
    account(str(mine / "net.json"), plugins=plugins)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert all(line.startswith("trace: ") for line in lines)
    title = f"mine ({mine / 'mine.py'})"
    assert f"trace: {title} loaded: graphacct_node_cost, graphacct_register_operators" in lines
    assert f"trace: graphacct_register_operators of {title} -> 1: relu" in lines
    (cost,) = (line for line in lines if "graphacct_node_cost(" in line)
    assert cost.startswith("trace: graphacct_node_cost(node=<Node act: relu>, operator=<Operator relu: x: ... -> ...>)")
    assert "of mine, graphacct.builtin -> <Cost 0 matmul FLOPs" in cost


def test_calls_of_the_core_alone_are_shown_too(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Costs go past the manager where no plugin has the hook, but not in a trace."""
    monkeypatch.setenv("GRAPHACCT_TRACE", "1")
    account(str(mine / "net.json"), plugins=load())
    assert "graphacct_node_cost(node=<Node act: relu>" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_shown_unless_asked_for(
    value: str, mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAPHACCT_TRACE", value)
    account(str(mine / "net.json"), plugins=load())
    assert capsys.readouterr().err == ""


def test_the_catalogue_says_what_is_replaced(mine: Path) -> None:
    """A plugin has its version, its hooks, and the names that it took from another plugin."""
    plugins = load(files=[str(mine / "mine.py")])
    row = catalogue("plugins", plugins)[-1]
    assert row["hooks"] == ["graphacct_node_cost", "graphacct_register_operators"]
    assert row["version"] == ""
    assert row["replaces"] == {"operators": {"relu": "graphacct-operators (graphacct 0.1.0)"}}
    core, operators = catalogue("plugins", plugins)[:2]
    assert core["version"] == operators["version"] == "0.1.0"
    assert operators["replaces"] == {}
    done = CliRunner().invoke(cli, ["plugins", "--plugin", str(mine / "mine.py")], env={"COLUMNS": "200"})
    assert "replaces relu of graphacct-operators (graphacct 0.1.0)" in done.stdout
