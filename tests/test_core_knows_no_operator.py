"""The core knows no operator: what it has to know of one, the operator declares."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from graphacct.hooks.manager import default

ROOT = Path(__file__).parents[1]
CORE = ROOT / "graphacct"
WORDS = Path(__file__).parent / "ordinary_words.txt"
MOST_WORDS = 20


@cache
def texts(file: Path) -> list[tuple[str, int]]:
    """Every text of a file but docstrings, with its line; the parts of an f-string too."""
    return [*_texts(file)]


def _texts(file: Path) -> Iterator[tuple[str, int]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value, node.lineno


def ordinary_words() -> dict[str, str]:
    """Words that are no operators here, and why."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return {word.strip(): reason.strip() for word, _, reason in (line.partition(":") for line in lines)}


def test_no_text_of_the_core_is_an_operators_name() -> None:
    """An operator's name in the core would make a plugin's operator that does the same a second-class guest: declare
    what the core has to know as a field of Operator. A word that means something else goes into ordinary_words.txt."""
    names = {*default().operators} - {*ordinary_words()}
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text!r}"
        for file in sorted(CORE.rglob("*.py"))
        for text, line in texts(file)
        if text in names
    ]
    assert not found, "\n".join(found)


def test_the_ordinary_words_are_few_and_in_use() -> None:
    """Each is an operator's name and a text of the core, and says what it means there; none is left over."""
    words = ordinary_words()
    used = {text for file in CORE.rglob("*.py") for text, _ in texts(file)}
    assert len(words) <= MOST_WORDS
    assert [word for word, reason in words.items() if not reason] == []
    assert [word for word in words if word not in used or word not in default().operators] == []
