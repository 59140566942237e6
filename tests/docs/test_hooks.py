"""The hooks reference is complete: every hook with its exact signature and text, and nothing that is no hook."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from graphacct import KernelNames
from graphacct.execution.recorder import Expansion, Recorder
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
    """The specification has the nineteen hooks of the contract; an empty list would make the other tests pass."""
    assert len(HOOKS) == 19
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


@pytest.mark.parametrize("protocol", [Expansion, Recorder])
def test_every_method_of_a_recorder_is_documented(protocol: type[Any]) -> None:
    """A profile's author writes against these: the page has each attribute, and each method with its arguments.

    After changing a method, change its line in the table of docs/hooks.md.
    """
    text = section("graphacct_register_profiles")
    assert f"`{protocol.__name__}` records" in text
    for name, item in vars(protocol).items():
        if name.startswith("_"):
            continue
        shown = name
        if inspect.isfunction(item):
            arguments = [a.replace(annotation=inspect.Parameter.empty) for a in signature_of(item)]
            shown = f"{name}({', '.join(map(str, arguments))})"
            assert item.__doc__, name
        assert f"`{shown}`" in text, shown


def signature_of(method: Callable[..., Any]) -> list[inspect.Parameter]:
    """The arguments as a caller sees them, without self."""
    return list(inspect.signature(method).parameters.values())[1:]


def test_every_kernels_name_is_documented() -> None:
    """A profile may name each kernel that the framework adds."""
    text = section("graphacct_register_profiles")
    for field in attrs.fields(KernelNames):
        assert f"`{field.name}`" in text, field.name


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
