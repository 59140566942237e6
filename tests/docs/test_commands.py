"""The commands that the pages, the README and the help show can be pasted into any shell, and those of the first page
work."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pages.py is imported by name

from pages import ROOT, _run, commands, pages

from graphacct.cli.help import EXAMPLES

INLINE = re.compile(r"`((?:graphacct|pip|pipx|uvx) [^`]+)`")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"""'[^']*'|"[^"]*"|\\.""", re.DOTALL)
PLACEHOLDER = re.compile(r"\[[A-Z]+\]")
"""What a reader may leave out, as `[NODE]`: nobody types it."""
NEED_FILES = ("classifier.py", "plugins new")
"""Commands of the first page for a reader's own files."""
TESTED = {f"graphacct {words}" for examples in EXAMPLES.values() for _, words in examples}
"""Commands that the help shows too: its tests run them."""
FIRST = [
    words
    for words in INLINE.findall((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    if words.startswith("graphacct ")
    and "…" not in words
    and words not in TESTED
    and not any(name in words for name in NEED_FILES)
]


def shown() -> Iterator[tuple[str, str]]:
    """Each command with the place where it is shown."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for language, block in FENCED.findall(text):
            lines = [line for line, _ in commands(block)] if language == "console" else block.splitlines()
            yield from ((page.name, line) for line in lines if language in ("console", "sh"))
        yield from ((page.name, words) for words in INLINE.findall(FENCED.sub("", text)))
    for examples in EXAMPLES.values():
        yield from (("the help", words) for _, words in examples)


def test_globs_are_quoted() -> None:
    """zsh refuses a command with an unquoted `*`, `?` or `[` that no file matches."""
    found = [*shown()]
    assert len(found) > 100
    bare = [
        (place, words) for place, words in found if re.search(r"[*?\[]", PLACEHOLDER.sub("", QUOTED.sub("", words)))
    ]
    assert bare == []


@pytest.mark.parametrize("words", FIRST)
def test_commands_of_the_first_page_work(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are typed, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    status, printed, said = _run(shlex.split(words)[1:])
    assert status == 0, said
    assert printed or any(tmp_path.iterdir())
