"""docs/python.md names the whole public vocabulary and every command, and docs/README.md every page."""

from __future__ import annotations

import re
from pathlib import Path

import graphacct
from graphacct import testing
from graphacct.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "python.md").read_text(encoding="utf-8")


def test_every_public_name_is_in_the_vocabulary() -> None:
    """The table of the vocabulary has each name that `graphacct` exports, and no other."""
    table = PAGE.partition("## The vocabulary")[2]
    named = [name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)]
    assert sorted(named) == sorted(graphacct.__all__)


def test_every_name_of_the_kit_is_on_its_page() -> None:
    """The table at the end of docs/testing-a-plugin.md has what `graphacct.testing` exports, and no other name."""
    page = (DOCS / "testing-a-plugin.md").read_text(encoding="utf-8")
    table = page.partition("## The names of the kit")[2]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(cells))) == sorted(testing.__all__)
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)


def test_the_page_of_the_kit_has_every_test_of_an_operator() -> None:
    """A check that is added to the contract is explained."""
    page = (DOCS / "testing-a-plugin.md").read_text(encoding="utf-8")
    assert [name for name in testing.OperatorContract.checks() if f"`{name}`" not in page] == []


def test_every_command_has_its_function() -> None:
    """The table of functions has a line for each command of the command line."""
    table = PAGE.partition("\n```python")[0]
    for command in COMMANDS:
        assert re.search(rf"^\| `(\w+`, `)*{command}\b", table, re.MULTILINE), command


def test_every_page_is_in_the_index() -> None:
    """A page without a line in docs/README.md is not found by readers."""
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
