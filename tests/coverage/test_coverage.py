"""docs/coverage.md says what the program reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import read_lists as pages


def test_the_page_is_what_the_program_reads() -> None:
    """A new family changes the page: make coverage."""
    assert pages.PAGE.read_text() == pages.page(), "make coverage writes docs/coverage.md anew"


def test_classes_that_are_not_read_have_a_reason() -> None:
    """A type is read with all classes that the library's mappings name for it, less those that are listed with a
    reason (lists/classes_not_read.csv): every class that is not read is there, and none that is."""
    left = {(kind, name) for kind, name, read in pages.classes() if not read}
    reasons = {(row["model_type"], row["class"]): row["why"] for row in pages.table(pages.REASONS)}
    assert reasons.keys() <= left, "these are read: take them out of lists/classes_not_read.csv"
    assert left <= reasons.keys(), "these are not read, and lists/classes_not_read.csv has no reason: make coverage"
    assert all(reasons.values())


def test_a_class_without_a_reason_gets_the_programs_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And one that is read loses its own; what somebody wrote stays."""
    rows = "model_type,class,why\nllama,LlamaForCausalLM,read now\nllama,LlamaForVision,by hand\n"
    (tmp_path / pages.REASONS).write_text(rows)
    found = [("llama", "LlamaForCausalLM", True), ("llama", "LlamaForSound", False), ("llama", "LlamaForVision", False)]
    monkeypatch.setattr(pages, "LISTS", tmp_path)
    monkeypatch.setattr(pages, "classes", lambda: found)
    pages.say_reasons()
    assert [(row["class"], row["why"].partition(" of ")[0]) for row in pages.table(pages.REASONS)] == [
        ("LlamaForSound", "graphacct says: architectures has 'LlamaForSound': the classes"),
        ("LlamaForVision", "by hand"),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "read"),
    [
        ("llama", "LlamaForCausalLM", True),
        ("llama", "LlamaForVision", False),
        ("no-such-type", "LlamaForCausalLM", False),
    ],
)
def test_an_entry_is_read_if_its_type_and_class_build(kind: str, name: str, read: bool) -> None:
    assert pages.builds(kind, name) is read


def test_every_list_is_on_the_page() -> None:
    titles = pages.lists()
    assert {path.stem for path in pages.LISTS.glob("*.txt")} == {*pages.CLASSES, *pages.TYPES}
    assert all(f"## {title}" in pages.PAGE.read_text() for title in titles)
