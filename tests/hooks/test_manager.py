"""Plugins: what is loaded in which order, conflicts, and one-line errors that name the plugin."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import graphacct
from graphacct import Operator, Work, hookimpl, operator
from graphacct.errors import PluginError
from graphacct.hooks.manager import CORE_MODULES, Plugins, load
from graphacct.render.catalogue import catalogue

REPOSITORY = Path(__file__).parents[2]
FILE = '''
from graphacct import Work, hookimpl, operator

@operator("x: ... -> ...")
def wobble(batch):
    """x * tanh(softplus(x)). 6 per element."""
    return Work(vector_flops=6 * batch)

@hookimpl
def graphacct_register_operators():
    return [wobble]
'''


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def rule(name: str, factor: int = 1, replaces: bool = False) -> Operator:
    return operator("x: ... -> ...", name=name, replaces=replaces)(lambda batch: Work(vector_flops=factor * batch))


def plugin(*operators: Any) -> Any:
    """An object that registers these operators."""

    @hookimpl
    def graphacct_register_operators() -> Iterable[Any]:
        return operators

    return SimpleNamespace(graphacct_register_operators=graphacct_register_operators)


def loaded(**plugins: Any) -> Plugins:
    """The core, and plugins by name from distributions of that name."""
    result = load()
    for name, module in plugins.items():
        result.register(module, name, f"{name}-package 1.0")
    return result


def test_order() -> None:
    """The core first, then graphacct-operators, then the other entry points of its wheel by name."""
    names = [item.name for item in load().loaded]
    assert names[: len(CORE_MODULES)] == list(CORE_MODULES)
    assert names[len(CORE_MODULES)] == "graphacct-operators"
    others = names[len(CORE_MODULES) + 1 :]
    assert others == sorted(others)


def test_tables_are_collected_once_and_again_after_a_registration() -> None:
    """A table is made when it is first asked for; registering another plugin makes it anew."""
    plugins = load()
    assert plugins.operators is plugins.operators
    assert "wobble" not in plugins.operators
    plugins.register(plugin(rule("wobble")), "extra", "extra-package 1.0")
    assert "wobble" in plugins.operators
    assert plugins.origin("operators", "wobble") == "extra (extra-package 1.0)"
    assert plugins.origin("operators", "nothing") == ""


def test_what_a_hook_makes_is_listed_with_its_plugin() -> None:
    """A hook is called once; what it made then is what counts, though another call would make another."""
    calls = []

    class Maker:
        @hookimpl
        def graphacct_register_operators(self) -> Iterable[Operator]:
            calls.append(1)
            return [rule("wobble")]

    plugins = loaded(maker=Maker())
    source, item = plugins.registered("operators")[-1]
    assert source.name == "maker"
    assert item is plugins.operators["wobble"]
    assert [row["plugin"] for row in catalogue("operators", plugins) if row["name"] == "wobble"] == ["maker"]
    assert len(calls) == 1


def test_a_name_registered_twice() -> None:
    """Two plugins that claim one name are an error that names both, with their distributions."""
    message = (
        "operator 'wobble' is registered twice, by one (one-package 1.0) and by two (two-package 1.0); "
        "exactly one may say replaces=True"
    )
    with pytest.raises(PluginError, match=exactly(message)):
        _ = loaded(one=plugin(rule("wobble")), two=plugin(rule("wobble"))).operators
    with pytest.raises(PluginError, match=exactly(message)):
        _ = loaded(one=plugin(rule("wobble", replaces=True)), two=plugin(rule("wobble", replaces=True))).operators


@pytest.mark.parametrize("first", [True, False])
def test_one_of_two_may_replace(first: bool) -> None:
    """A registration that says replaces=True wins, whichever was loaded first."""
    replacing, replaced = rule("wobble", 2, replaces=True), rule("wobble", 1)
    one, two = (replacing, replaced) if first else (replaced, replacing)
    plugins = loaded(one=plugin(one), two=plugin(two))
    assert plugins.operators["wobble"] is replacing
    assert plugins.origin("operators", "wobble").startswith("one" if first else "two")


def test_a_builtin_can_be_replaced() -> None:
    """What graphacct-operators registers is replaced like a stranger's, and the report says so."""
    plugins = loaded(mine=plugin(rule("gelu_new", 100, replaces=True)))
    # gpt2 has 12 * 3072 * 8 of them at 8 tokens, 9 FLOPs each when not replaced
    more = graphacct.account("gpt2", seq_len=8, plugins=plugins).total["flops"]
    assert more - graphacct.account("gpt2", seq_len=8).total["flops"] == (100 - 9) * 12 * 3072 * 8


def test_two_plugins_of_one_name() -> None:
    """Two plugins of one name are an error that names both origins."""
    message = "two plugins are named 'one': one of one-package 1.0, one of elsewhere; rename one"
    with pytest.raises(PluginError, match=exactly(message)):
        loaded(one=plugin()).register(plugin(), "one", "elsewhere")


def test_a_misspelt_hook() -> None:
    """A hook that does not exist is an error that suggests the closest, marked or not."""
    message = (
        "plugin 'extra' (extra-package 1.0) has no such hook to implement: 'graphacct_register_operator'; "
        "did you mean 'graphacct_register_operators'?"
    )
    functions: list[Any] = [hookimpl(lambda: []), lambda: []]
    for function in functions:
        with pytest.raises(PluginError, match=exactly(message)):
            loaded(extra=SimpleNamespace(graphacct_register_operator=function))


def test_an_unmarked_hook() -> None:
    """A hook without its mark would be passed over in silence: it is an error that says what to put above it."""
    message = (
        "plugin 'extra' (extra-package 1.0): graphacct_register_operators is not marked; "
        "put @graphacct.hookimpl above it"
    )
    with pytest.raises(PluginError, match=exactly(message)):
        loaded(extra=SimpleNamespace(graphacct_register_operators=lambda: []))


def test_a_hook_with_wrong_arguments() -> None:
    """A hook that asks for an argument which it is not given is an error that names plugin and argument."""

    @hookimpl
    def graphacct_node_cost(node: Any, graph: Any) -> None:
        return None

    plugins = load()
    before = list(plugins.loaded)
    with pytest.raises(PluginError, match=r"^plugin 'extra' \(test\) does not fit the hooks: .*graph") as caught:
        plugins.register(SimpleNamespace(graphacct_node_cost=graphacct_node_cost), "extra", "test")
    assert "\n" not in str(caught.value)
    assert plugins.loaded == before
    assert "gelu" in plugins.operators, "the others work on"


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ((5,), "5 is none of the operators"),
        (("relu",), "'relu' is none of the operators"),
    ],
)
def test_a_hook_that_registers_the_wrong_thing(items: Any, error: str) -> None:
    """What is no operator is an error of the plugin that registered it."""
    message = f"plugin extra (extra-package 1.0) failed in graphacct_register_operators: {error}"
    with pytest.raises(PluginError, match=exactly(message)):
        _ = loaded(extra=plugin(*items)).operators


def test_a_hook_that_fails() -> None:
    """A hook that raises is one line that names the plugin, the hook and the error."""

    @hookimpl
    def graphacct_register_operators() -> Iterable[Any]:
        raise ValueError("no table")

    broken = SimpleNamespace(graphacct_register_operators=graphacct_register_operators)
    message = "plugin extra (extra-package 1.0) failed in graphacct_register_operators: ValueError: no table"
    with pytest.raises(PluginError, match=exactly(message)):
        _ = loaded(extra=broken).operators


def test_an_entry_point_that_fails_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken distribution is one line that names it and how to leave it out; left out, all else works."""
    info = tmp_path / "broken_pack-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[graphacct]\nbroken = broken_pack_module\n")
    (tmp_path / "broken_pack_module.py").write_text("import nothing_of_this_name\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    message = (
        "plugin 'broken' (broken-pack 1.0) failed to import: ModuleNotFoundError: "
        "No module named 'nothing_of_this_name'; uninstall it, or leave it out with --block broken "
        "(or GRAPHACCT_BLOCK=broken)"
    )
    with pytest.raises(PluginError, match=exactly(message)):
        load()
    failed: list[Any] = []
    assert "gelu" in load(failed=failed).operators
    assert [(name, origin) for name, origin, _ in failed] == [("broken", "broken-pack 1.0")]
    assert "gelu" in load(block=["broken"]).operators
    monkeypatch.setenv("GRAPHACCT_BLOCK", os.pathsep.join(["other", "broken"]))
    assert "gelu" in load().operators


def test_graphacct_operators_is_blocked_like_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core knows no operator: without graphacct-operators there is none of its."""
    monkeypatch.setenv("GRAPHACCT_BLOCK", "graphacct-operators")
    assert "linear" not in load().operators


def test_a_name_that_is_not_installed_cannot_be_left_out() -> None:
    """A misspelt name in `block` is an error that suggests the closest."""
    message = (
        "no installed plugin is named 'graphacct-operator', so it cannot be left out; "
        "did you mean 'graphacct-operators'?"
    )
    with pytest.raises(PluginError, match=exactly(message)):
        load(block=["graphacct-operator"])


def test_a_plugin_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single file is a plugin, by argument or by environment variable, and its origin is its path."""
    file = tmp_path / "wobble.py"
    file.write_text(FILE)
    plugins = load(files=[str(file)])
    assert plugins.operators["wobble"].doc == "x * tanh(softplus(x)). 6 per element."
    assert plugins.origin("operators", "wobble") == f"wobble ({file})"
    monkeypatch.setenv("GRAPHACCT_PLUGINS", str(file))
    assert "wobble" in load().operators


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
def test_a_file_that_fails(tmp_path: Path, text: str, error: str) -> None:
    """A file that cannot be loaded is one line that names the file and the error."""
    file = tmp_path / "odd.py"
    file.write_text(text)
    with pytest.raises(PluginError, match=f"^{re.escape(f'plugin file {str(file)!r} failed to load: {error}')}"):
        load(files=[str(file)])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is named."""
    message = f"plugin file {str(tmp_path / 'none.py')!r} does not exist"
    with pytest.raises(PluginError, match=exactly(message)):
        load(files=[str(tmp_path / "none.py")])


def test_a_plugin_of_two_distributions_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name and one target are one module. graphacct-vision was a distribution of its own and is now in this wheel:
    where both are installed, nothing clashes. Another target under a taken name stays an error."""
    info = tmp_path / "graphacct_vision-0.1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[graphacct]\ngraphacct-vision = graphacct_vision\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [item.name for item in load().loaded].count("graphacct-vision") == 1
    (info / "entry_points.txt").write_text("[graphacct]\ngraphacct-vision = another_module\n")
    (tmp_path / "another_module.py").write_text("")
    with pytest.raises(PluginError, match=r"two plugins are named 'graphacct-vision': one of .*; rename one"):
        load()


def test_the_wheel_has_every_plugin_of_this_repository() -> None:
    """A folder in plugins/ is built into the wheel, found in development and registered; or it is a distribution of its
    own, because of what it needs: graphacct-torch alone."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = sorted(path for path in (REPOSITORY / "plugins").iterdir() if path.name.startswith("graphacct-"))
    alone = [path.name for path in folders if (path / "pyproject.toml").exists()]
    assert alone == ["graphacct-torch"]
    for name in [path.name for path in folders if path.name not in alone]:
        module = name.replace("-", "_")
        assert f"plugins/{name}/{module}" in wheel["packages"]
        assert f"plugins/{name}" in wheel["dev-mode-dirs"]
        assert f"/plugins/{name}" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
        assert project["project"]["entry-points"]["graphacct"][name] == module
