"""The site: each page is in its contents, and what is written for it says all there is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))  # pages.py is imported by name
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "site"))  # as docs/conf.py does

import operator_reference
from pages import ROOT, pages

from graphacct.hooks.manager import default

SITE = ROOT / "docs" / "site"


def files(item: dict) -> list[str]:  # type: ignore[type-arg]
    """Every page that the contents name, in order."""
    own = [str(item[key]) for key in ("root", "file", "glob") if key in item]
    inner = [*item.get("subtrees", ()), *item.get("entries", ())]
    return own + [name for part in inner for name in files(part)]


def test_the_contents_have_each_page_once() -> None:
    """Decisions are found by a glob; the reference is written by the build."""
    contents = yaml.safe_load((SITE / "contents.yml").read_text(encoding="utf-8"))
    named = files(contents)
    assert len(named) == len({*named})
    own = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in pages()[1:]}
    decisions = {name for name in own if name.startswith("decisions/")}
    reference = {f"{operator_reference.FOLDER}/{plugin}" for plugin in operator_reference.pages()}
    assert {*named} == own - {"README"} - decisions | {"decisions/README", "decisions/*"} | reference


def test_the_reference_has_every_operator() -> None:
    """With its signature, its attributes and its sentence; in the page of the plugin that it is of."""
    found = "\n".join(operator_reference.pages().values())
    operators = default().operators
    assert re.findall(r"^## (.*)$", found, re.M) == [
        name
        for plugin in operator_reference.pages()
        for name in sorted(operators)
        if operators.origins[name].startswith(plugin)
    ]
    for name in operators:
        operator = operators[name]
        assert f"- **Signature**: `{operator.signature.text}`" in found
        assert operator_reference.plain(operator.doc) in found


def test_the_reference_says_what_is_kept_and_how_it_goes_back() -> None:
    """Of a product, of an activation that is fused with nothing, and of what stops gradients."""
    operators = default().operators
    entries = {name: operator_reference.entry(operators[name]) for name in ("linear", "relu", "detach", "dropout")}
    assert "as many FLOPs again as its products for each of their operands" in entries["linear"]
    assert "- **Kept for the backward pass**: `out`" in entries["relu"]
    assert "no gradient flows through it" in entries["detach"]
    assert "- **Attributes**: `p" in entries["dropout"]


def test_the_glossary_has_every_column() -> None:
    """By its title in tables and its name; a quantity that a plugin of ours adds is one too."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for name, quantity in default().quantities.items():
        assert f"| {quantity.title} | `{name}` |" in page
