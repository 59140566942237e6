"""Entry points are read from the installed distributions' metadata, as importlib.metadata reads them."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from graphacct.hooks.entry_points import EntryPoint, entry_points


def install(folder: Path, name: str, text: str | None, suffix: str = ".dist-info") -> None:
    """A distribution's metadata in a folder."""
    info = folder / f"{name}{suffix}"
    info.mkdir(parents=True)
    if text is not None:
        (info / "entry_points.txt").write_text(text)


def found(*folders: Path, group: str = "graphacct") -> list[tuple[str, str, str]]:
    path = sys.path
    sys.path = [str(folder) for folder in folders]
    try:
        return [(entry.name, entry.target, entry.distribution) for entry in entry_points(group)]
    finally:
        sys.path = path


def test_they_agree_with_importlib() -> None:
    """In this environment, the entry points are those that importlib.metadata finds."""
    ours = {(entry.name, entry.target) for entry in entry_points("graphacct")}
    assert ours == {(entry.name, entry.value) for entry in metadata.entry_points(group="graphacct")}
    assert ("graphacct-operators", "graphacct_operators") in ours
    [own] = [entry for entry in entry_points("graphacct") if entry.name == "graphacct-operators"]
    assert own.distribution == f"graphacct {metadata.version('graphacct')}"
    assert own.load().__name__ == "graphacct_operators"


def test_groups_comments_and_extras(tmp_path: Path) -> None:
    """Only the group's lines count; comments, blanks and extras are left out, and spaces do not matter."""
    text = (
        "[console_scripts]\ngraphacct = other:main\n\n[graphacct]\n# a comment\n; another\n"
        "one=pack.one\n two  =  pack.two : plugin \nthree = pack.three [extra]\n\n[graphacct.more]\nfour = pack.four\n"
    )
    install(tmp_path, "some_pack-1.2", text)
    assert found(tmp_path) == [
        ("one", "pack.one", "some-pack 1.2"),
        ("two", "pack.two : plugin", "some-pack 1.2"),
        ("three", "pack.three", "some-pack 1.2"),
    ]


def test_the_first_distribution_of_a_name_counts(tmp_path: Path) -> None:
    """Of two versions on the path the first is the installed one, as it is for imports."""
    install(tmp_path / "first", "some_pack-2.0", "[graphacct]\none = two\n")
    install(tmp_path / "second", "Some.Pack-1.0", "[graphacct]\none = one\n")
    assert found(tmp_path / "first", tmp_path / "second") == [("one", "two", "some-pack 2.0")]


def test_egg_info_and_folders_without_any(tmp_path: Path) -> None:
    """Develop installs have an egg-info; a distribution without entry points and a missing folder have none."""
    install(tmp_path, "old-1.0", "[graphacct]\nold = old\n", ".egg-info")
    install(tmp_path, "plain-1.0", None)
    assert found(tmp_path, tmp_path / "missing") == [("old", "old", "old 1.0")]


def test_zip_files(tmp_path: Path) -> None:
    """Distributions inside a zip file on the path are found too."""
    file = tmp_path / "pack.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("zipped-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 1.0\n")
        archive.writestr("zipped-1.0.dist-info/entry_points.txt", "[graphacct]\nzipped = zipped.plugin\n")
    assert found(file) == [("zipped", "zipped.plugin", "zipped 1.0")]


def test_a_target_may_be_an_attribute() -> None:
    """`module:attribute.attribute` is the attribute; a module alone is the module."""
    assert EntryPoint("a", "pathlib:Path.cwd", "test").load() == Path.cwd
    assert EntryPoint("a", "pathlib", "test").load().Path is Path
    with pytest.raises(AttributeError, match="Nothing"):
        EntryPoint("a", "pathlib:Nothing", "test").load()
