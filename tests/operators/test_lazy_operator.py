"""Operators that are imported when they are looked up."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphacct import LazyOperator, hookimpl
from graphacct.errors import PluginError
from graphacct.hooks.manager import Plugins, load

MODULE = """
from graphacct import Work, operator

@operator("x: ... -> ...", name="wobble")
def anything(batch):
    return Work(vector_flops=6 * batch)
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """All that is installed, and a plugin with an operator that exists, one that does not, one of a broken module."""
    (tmp_path / "wobbling.py").write_text(MODULE)
    (tmp_path / "breaking.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wobbling", raising=False)

    @hookimpl
    def graphacct_register_operators() -> Iterable[Any]:
        return [LazyOperator("wobble", "wobbling"), LazyOperator("wibble", "wobbling"), LazyOperator("oh", "breaking")]

    result = load()
    result.register(SimpleNamespace(graphacct_register_operators=graphacct_register_operators), "extra", "extra 1.0")
    return result


def test_an_operator_is_imported_when_it_is_looked_up(plugins: Plugins) -> None:
    """The name is known without an import; what is looked up is the operator itself, the same each time."""
    assert "wobble" in plugins.operators
    assert plugins.origin("operators", "wobble") == "extra (extra 1.0)"
    assert "wobbling" not in sys.modules
    operator = plugins.operators["wobble"]
    assert operator is sys.modules["wobbling"].anything
    assert plugins.operators.get("wobble") is operator
    assert plugins.operators.get("nothing") is None


@pytest.mark.parametrize(
    "copy", [dict, lambda table: {**table}, lambda table: table | {}, lambda table: dict(table.items())]
)
def test_a_copy_has_the_operators_themselves(copy: Any) -> None:
    """However a table is copied, no copy has what stands for an operator."""
    table = load(block=["graphacct-mamba"]).operators
    copied = copy(table)
    assert copied == {name: table[name] for name in table}
    assert {type(item).__name__ for item in copied.values()} == {"Operator"}
    assert {type(item).__name__ for item in table.values()} == {"Operator"}


@pytest.mark.parametrize(
    ("name", "problem"),
    [("wibble", "OperatorError: wobbling has no operator 'wibble'"), ("oh", "ZeroDivisionError: division by zero")],
)
def test_one_that_cannot_be_imported_names_its_plugin(plugins: Plugins, name: str, problem: str) -> None:
    """In one line, when it is looked up."""
    with pytest.raises(PluginError) as error:
        plugins.operators[name]
    assert str(error.value) == f"plugin extra (extra 1.0) failed to load {name!r}: {problem}"
