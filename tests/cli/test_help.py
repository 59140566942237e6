"""The help of each command: options in groups, and examples that work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from graphacct.cli import COMMANDS, core_command
from graphacct.cli.help import EXAMPLES, GROUPS

NEEDS_FILES = ("verify", "plugins check")
"""Examples that name a checkpoint or a plugin of the reader's own."""
RUNNABLE = {words for examples in EXAMPLES.values() for _, words in examples if not words.startswith(NEEDS_FILES)}


def test_each_command_has_three_examples() -> None:
    """All commands together have three too, and each example is one of its command."""
    assert {*EXAMPLES} == {"", *COMMANDS}
    assert {len(examples) for examples in EXAMPLES.values()} == {3}
    assert all(words.split()[0] == name for name, examples in EXAMPLES.items() if name for _, words in examples)


@pytest.mark.parametrize("words", sorted(RUNNABLE))
def test_an_example_works(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """As it is typed, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    result = run(*shlex.split(words))
    assert result.exit_code == 0, result.stderr
    assert result.stdout or any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_with_the_examples(run: Any, name: str) -> None:
    """They are the last lines, each on one line, so that it can be copied."""
    text = run(*name.split(), "--help").stdout
    shown = text.split("\nExamples:\n")[1].splitlines()
    assert shown == [line for purpose, words in EXAMPLES[name] for line in (f"  # {purpose}", f"  graphacct {words}")]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_each_option_once(run: Any, name: str) -> None:
    """No option is lost between the groups, or shown in two of them."""
    command = core_command(name)
    text = "".join(re.split(r"^([A-Z][a-z ]+:)$", run(name, "--help").stdout, flags=re.M)[1:-2])  # from the first group
    for parameter in command.params:
        if parameter.opts[0].startswith("-"):
            assert len(re.findall(rf"^  (?:-\w, )?{re.escape(parameter.opts[-1])}(?= |$)", text, re.M)) == 1, parameter


def test_groups_are_of_options_that_exist() -> None:
    """A group has no option that no command has."""
    known = {parameter.name for name in COMMANDS for parameter in core_command(name).params}
    assert {name for names in GROUPS.values() for name in names.split()} <= known
