"""Presets: published config.json files, read as a user's own are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from each import each

import graphacct
from graphacct import ConfigError, PresetFiles
from graphacct.errors import ReadError, UnknownNameError
from graphacct.hooks.manager import default
from graphacct.models.find import find_model
from graphacct.readers.hf import find as described

PLUGINS = Path(__file__).parents[2]
ALL = {
    (architecture.name, name): Path(architecture.presets.folder, f"{name}.json")
    for architecture in default().architectures.values()
    if isinstance(architecture.presets, PresetFiles)
    for name in architecture.presets
}
"""The file of each preset, by its family's name and its own."""


def keys_of(config: type[Any], aliases: Any = ()) -> set[str]:
    return {field.name for field in attrs.fields(config)} | set(aliases)


def test_every_file_is_a_preset() -> None:
    """No folder stands beside a family that has another name, and the installed plugins have no other JSON than their
    listings, which `make listings` writes."""
    installed = {path.parents[3].name for path in ALL.values()} | {path.parents[2].name for path in ALL.values()}
    found = PLUGINS.glob("*/graphacct_*/**/*.json")
    files = {path for path in found if set(path.parts) & installed and path.name != "listing.json"}
    assert {path.resolve() for path in ALL.values()} == {path.resolve() for path in files}
    assert len(ALL) > 150


@each("family, name", ALL)
def test_a_file_has_keys_that_count(family: str, name: str) -> None:
    """Each key is one that its family reads: a misspelt one would be passed over in silence."""
    architecture = default().architectures[family].load()
    content = json.loads(ALL[family, name].read_text(encoding="utf-8"))
    if architecture.prepare is not None:  # keys of an older file, in their places
        content = dict(architecture.prepare(content))
    known = keys_of(architecture.config, architecture.aliases) | {"model_type", *architecture.parts_left_out}
    assert content.keys() <= known
    for field in attrs.fields(architecture.config):
        if field.metadata.get("within") and content.get(field.name):
            assert content[field.name].keys() <= keys_of(field.metadata["within"])
        if field.metadata.get("inside") and content.get(field.name):
            inside = field.metadata["inside"](content[field.name], field.name)
            assert content[field.name].keys() <= keys_of(inside.config, inside.aliases) | {"model_type"}


@each("family, name", ALL)
def test_a_file_is_read_as_anybodys_is(family: str, name: str) -> None:
    """Given as a path it is the same model, under the same name; one without a `model_type` is no config.json."""
    architecture = default().architectures[family].load()
    preset = architecture.preset(name)
    if "model_type" not in architecture.presets[name]:
        assert architecture.configured(architecture.presets[name]) == preset
        return
    found, same, config = described(str(ALL[family, name]), default())
    assert (found, same.name, config) == (name, family, preset)


def test_names_are_told_apart_by_folder() -> None:
    """A name is the file's alone: no path leads out of the folder, and another family's preset is none."""
    files = default().architectures["gpt2"].presets
    assert list(files) == ["gpt2", "gpt2-large", "gpt2-medium", "gpt2-xl"]
    assert len(files) == 4
    assert list(default().architectures["llama"].presets)[:4] == [
        "llama-2-7b",
        "llama-2-13b",
        "llama-2-70b",
        "llama-3-8b",
    ]
    assert "gpt2" in files
    for name in ("llama-3-8b", "../llama/llama-3-8b", "", ".", "GPT2.json", 2):
        assert name not in files
    with pytest.raises(KeyError, match="llama-3-8b"):
        files["llama-3-8b"]


def test_a_family_without_a_folder_has_no_presets(tmp_path: Path) -> None:
    """As a plugin's may be before it has any."""
    assert list(PresetFiles(str(tmp_path / "mine.py"))) == []


def test_a_name_in_any_case() -> None:
    """Model pages write `Llama-3-8B`; reports call it by the preset's own name."""
    found = find_model("Llama-3-8B", default())
    assert isinstance(found, graphacct.models.find.ModelChoice)  # type: ignore[attr-defined]
    assert found.name == "llama-3-8b"
    assert graphacct.build("GPT2-XL").name == "gpt2-xl"
    with pytest.raises(UnknownNameError, match="unknown model 'Llama-3-9B'; there is none of that size: llama-3-8b"):
        graphacct.build("Llama-3-9B")


def of(tmp_path: Path, text: str) -> Any:
    """GPT-2's family with one preset, `mine`, of that text."""
    folder = tmp_path / "presets" / "family"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text(text)
    return attrs.evolve(default().architectures["gpt2"].load(), presets=PresetFiles(str(tmp_path / "family.py")))


def test_a_preset_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """A plugin's author sees which file, which key and what was expected."""
    with pytest.raises(ConfigError, match="preset 'mine': n_layer must be an integer, not 'twelve'"):
        of(tmp_path, '{"n_layer": "twelve"}').preset("mine")


def test_a_preset_that_is_no_json_is_named(tmp_path: Path) -> None:
    """With the file, the line and the column."""
    with pytest.raises(ReadError, match=r"mine\.json: is no JSON: .* at line 1, column 2"):
        of(tmp_path, "{n_layer").preset("mine")
