"""Whatever an installed plugin does, the command ends in one line that names it and says how to leave it out."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

HEAD = """
import graphacct
from graphacct import Cost, Work, hookimpl, operator


class Strange(BaseException):
    pass


def fault(*_, **__):
    raise Strange("a fault")


"""
OPERATOR = '@operator("x: ... n -> ... n", replaces=True)\ndef softmax(batch, n):\n    {}\n\n\n'
REGISTER = "@hookimpl\ndef graphacct_register_operators():\n    {}\n"
COST = "@hookimpl{}\ndef graphacct_node_cost(node, operator):\n    {}\n"
STYLE = "@hookimpl{}\ndef graphacct_node_style(node, cost):\n    {}\n"
FAULTS = {
    "import": ("fault()", "failed to import: Strange: a fault"),
    "generator exit": ("raise GeneratorExit", "failed to import: GeneratorExit"),
    "registration": (REGISTER.format("fault()"), "failed in graphacct_register_operators: Strange: a fault"),
    "names": (
        "class Item:\n    @property\n    def name(self):\n        fault()\n\n\n" + REGISTER.format("return [Item()]"),
        "failed in graphacct_register_operators: Strange: a fault",
    ),
    "not a hook": ("graphacct_register_operators = 5\n", "graphacct_register_operators is not marked"),
    "formula": (
        OPERATOR.format("fault()") + REGISTER.format("return [softmax]"),
        "ended the program: Strange: a fault",
    ),
    "exit": (OPERATOR.format("raise SystemExit(0)") + REGISTER.format("return [softmax]"), "SystemExit(0)"),
    "no work": (OPERATOR.format("return 5") + REGISTER.format("return [softmax]"), "its formula returned 5"),
    "cost": (COST.format("", "fault()"), "ended the program: Strange: a fault"),
    "no cost": (COST.format("", "return 5"), "returned 5, which is no Cost"),
    "forced None": (
        COST.format("(wrapper=True)", "yield\n    return None"),
        "returned None in place of the operator's cost",
    ),
    "forced None, the old way": (
        COST.format("(hookwrapper=True)", "outcome = yield\n    outcome.force_result(None)"),
        "returned None in place of the operator's cost",
    ),
    "no yield": (COST.format("(wrapper=True)", "if False: yield"), "did not yield"),
    "two yields": (COST.format("(wrapper=True)", "yield\n    yield"), "has second yield"),
    "no generator": (COST.format("(wrapper=True)", "return None"), "does not fit the hooks"),
    "style": (STYLE.format("", "1 / 0"), "graphacct_node_style of plugin broken"),
    "forced style": (STYLE.format("(wrapper=True)", "yield\n    return None"), "graphacct_node_style returned None"),
    "style without a yield": (STYLE.format("(wrapper=True)", "if False: yield"), "did not yield"),
}
NUMBER = itertools.count()


def install(folder: Path, source: str, entry_points: bytes = b"") -> None:
    """An installed distribution, broken-pack, with the plugin `broken`."""
    module = f"broken_pack_{next(NUMBER)}"
    (folder / f"{module}.py").write_text(HEAD + source)
    info = folder / "broken_pack-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(entry_points or f"[graphacct]\nbroken = {module}\n".encode())


@pytest.mark.parametrize(("source", "says"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_one_line(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: str) -> None:
    """It names the plugin, its distribution and --block, which then works."""
    install(tmp_path, source)
    monkeypatch.syspath_prepend(tmp_path)
    sizes = ["--attention", "eager", "--set", "n_layer=1", "--seq-len", "4"]
    command = (
        ["draw", "gpt2", *sizes, "-o", str(tmp_path / "x.dot")] if "style" in source else ["report", "gpt2", *sizes]
    )
    result = run(*command, "--block", "graphacct-mamba")  # so that the plugins are loaded again
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert "broken (broken-pack 1.0)" in result.stderr or "'broken' (broken-pack 1.0)" in result.stderr
    assert "--block broken" in result.stderr
    assert run(*command, "--block", "broken").exit_code == 0


@pytest.mark.parametrize(
    "entry_points", [b"[graphacct]\nbroken = \xff\n", b"[graphacct]\nbroken\n", b"[graphacct]\nbroken = no module\n"]
)
def test_a_broken_entry_point_is_one_line(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry_points: bytes
) -> None:
    """Any distribution may have one."""
    install(tmp_path, "", entry_points)
    monkeypatch.syspath_prepend(tmp_path)
    result = run("list", "--block", "graphacct-mamba")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "plugin 'broken' (broken-pack 1.0): its entry point is " in result.stderr
    assert "leave it out with --block broken" in result.stderr
    assert run("list", "--block", "broken").exit_code == 0


def test_what_another_group_holds_does_not_matter(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the lines of graphacct's groups are its business."""
    install(tmp_path, "", b"[console_scripts]\n\xff\xfe = \xff\n[graphacct.other]\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert run("list", "--block", "graphacct-mamba").exit_code == 0


def test_a_file_names_itself(run: Any, tmp_path: Path) -> None:
    """A plugin that was asked for by its file has nothing to block."""
    file = tmp_path / "mine.py"
    file.write_text(HEAD + OPERATOR.format("fault()") + REGISTER.format("return [softmax]"))
    result = run("report", "gpt2", "--attention", "eager", "--plugin", str(file))
    assert result.stderr == f"graphacct: plugin mine ({file}) ended the program: Strange: a fault\n"
