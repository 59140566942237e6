"""The hooks reference is complete: every hook with its exact signature and text, and nothing that is no hook."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from graphacct.hooks import hookspecs

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
HOOKS = {
    item.name: item
    for item in ast.parse(inspect.getsource(hookspecs)).body
    if isinstance(item, ast.FunctionDef) and item.name.startswith("graphacct_")
}


def signature(function: ast.FunctionDef) -> str:
    assert function.returns is not None
    return f"{function.name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}"


def words(text: str) -> str:
    return " ".join(text.split())


def section(hook: str) -> str:
    """The text of the page from the hook's heading to the next one."""
    return PAGE.partition(f"\n## {hook}\n")[2].partition("\n## ")[0]


def test_the_contract_is_found() -> None:
    """The specification has the hooks of the design; an empty list would make the other tests pass."""
    assert len(HOOKS) == 9
    assert all(getattr(hookspecs, name).graphacct_spec for name in HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented(hook: str) -> None:
    """The hook has a section with its exact signature, and all that its docstring says.

    After changing a hook, copy its signature and docstring into its section of docs/hooks.md.
    """
    text = section(hook)
    assert text, f"docs/hooks.md has no section '## {hook}'"
    assert f"**`{signature(HOOKS[hook])}`**" in text
    doc = ast.get_docstring(HOOKS[hook])
    assert doc is not None
    for paragraph in doc.split("\n\n"):
        assert words(paragraph) in words(text)


def test_every_field_of_a_quantity_is_documented() -> None:
    """Hooks say what they return; a quantity has choices that only this page explains."""
    text = section("graphacct_register_quantities")
    fields = ("combine", "phase", "within", "title", "words", "repeats_included")
    choices = [name for name in fields if f"`{name}=" not in text]
    assert not choices, f"docs/hooks.md says nothing of {choices} of a Quantity"
    for formula in ("of_node", "of_parameter", "of_owned", "of_row"):
        assert f"| `{formula}`" in text


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_has_an_example(hook: str) -> None:
    """The hook's section implements it in a block of code, which test_pages.py runs."""
    code = "".join(re.findall(r"^```python\n(.*?)^```$", section(hook), re.MULTILINE | re.DOTALL))
    assert re.search(rf"^@graphacct\.hookimpl.*\ndef {hook}\(", code, re.MULTILINE)


def test_no_other_hook_is_documented() -> None:
    """What the page calls a hook is one, in headings, in the table and in code."""
    assert set(re.findall(r"^## (graphacct_\w+)", PAGE, re.MULTILINE)) == set(HOOKS)
    table = [line for line in PAGE.splitlines() if line.startswith("| [`")]
    assert [re.findall(r"`(\w+)`", line)[0] for line in table] == list(HOOKS)
    named = set(re.findall(r"def (graphacct_\w+)\(", PAGE))
    assert named <= set(HOOKS)
