"""Names on the Hugging Face Hub find the preset of that very model; a suggestion is never of another size."""

from __future__ import annotations

import pytest

import graphacct
from graphacct.errors import ReadError, UnknownNameError
from graphacct.hooks.manager import default, load
from graphacct.models.find import presets
from graphacct.models.hub_names import closest_preset, preset_of_hub_name, suggest_model

WITHOUT = {
    "clip-vit-large-patch14-text",  # a part of a published model
    "clip-vit-large-patch14-vision",
    "gpt-neo-350m",  # its repository was removed
    "nemotron-4-15b",  # never published as a repository of this family
}
"""Presets of published models without a repository of their own; torchvision and the worksheet have none either."""
ELSEWHERE = {"resnet", "transformer-lm"}


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("Qwen/Qwen3-4B", "qwen3-4b"),
        ("qwen/QWEN3-4b", "qwen3-4b"),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("Mistral-7B-v0.1", "mistral-7b"),
        ("openai-community/gpt2", "gpt2"),
        ("https://huggingface.co/openai/gpt-oss-20b", "gpt-oss-20b"),
        ("microsoft/resnet-50", "hf-resnet-50"),
        ("state-spaces/mamba-130m-hf", "mamba-130m"),
        ("bigscience/bloom", "bloom-176b"),
    ],
)
def test_a_hub_name_is_its_preset(name: str, preset: str) -> None:
    """In any case, with or without the organisation. Reports call the model by the preset's name."""
    assert preset_of_hub_name(name, default()) == preset
    assert graphacct.build(name, seq_len=8 if preset != "hf-resnet-50" else None).name == preset


def test_every_published_preset_has_one() -> None:
    """The files name presets that exist, and each repository once."""
    seen: dict[str, str] = {}
    named = set()
    for item in default().architectures.values():
        names = getattr(item.presets, "hub_names", {})
        for name, preset in names.items():
            assert preset in item.presets, f"{item.name}: {preset} has the repository {name}"
            assert seen.setdefault(name, preset) == preset
            named.add(preset)
        if item.name not in ELSEWHERE:
            missing = set(item.presets) - set(names.values()) - WITHOUT
            assert not missing, f"{item.name}: add these presets to its hub_names.txt"
    assert not named & WITHOUT


def error(name: str) -> str:
    with pytest.raises(UnknownNameError) as caught:
        graphacct.build(name)
    return str(caught.value)


def test_an_unknown_hub_name_says_what_it_is() -> None:
    """Nothing is fetched: the way out is the repository's config.json, or the closest preset of the same size."""
    said = error("Qwen/Qwen3-4B-Instruct-2507")
    assert said == (
        "'Qwen/Qwen3-4B-Instruct-2507' is no file here, and the hub name of no preset; nothing is fetched: download "
        "the repository's config.json and give its path, or take the preset 'qwen3-4b', the closest of the same size"
    )
    assert error("Qwen/Qwen3-80B").endswith("download the repository's config.json and give its path")
    assert error("some/thing").endswith("config.json and give its path")


def test_a_path_is_no_hub_name(tmp_path, monkeypatch) -> None:
    """A missing file in a folder that exists, or one that ends in .json, is a missing file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("models/qwen3", "Qwen/config.json", "a/b/c"):
        with pytest.raises(ReadError, match="no such file"):
            graphacct.build(name)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("gpt2-small", "gpt2"),
        ("gpt-2-xl", "gpt2-xl"),
        ("gpt2-xll", "gpt2-xl"),
        ("GPT-2", "gpt2"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("lama-3-8b", "llama-3-8b"),
        ("llama-7b", "llama-2-7b"),
        ("qwen-8b", "qwen3-8b"),
        ("mixtral-8x7", "mixtral-8x7b"),
        ("qwen3-235b", "qwen3-235b-a22b"),
        ("bert-large", "bert-large-cased"),
        ("llama-3.3-70b", "llama-3.1-70b"),  # the same size, if not the same version
        ("llama-3-80b", None),
        ("gpt2-3b", None),
        ("opt-175b", None),
        ("resnet51", None),
        ("vit-base-patch16-384", None),
        ("phi-3-mini-8k", None),
        ("mistral-8b", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_suggestions(name: str, preset: str | None) -> None:
    """Every size in the name is one of the suggested model's."""
    assert closest_preset(name, known()) == preset


def known() -> list[str]:
    return [preset for item in default().architectures.values() for preset in item.presets]


def test_presets_of_other_sizes_are_said_to_be_that() -> None:
    """A model of another size is another model."""
    assert suggest_model("llama-3-80b", known(), []) == "; there is none of that size: llama-3-8b, llama-3-70b"
    assert suggest_model("bertt", known(), default().architectures) == "; did you mean 'bert'?"
    assert suggest_model("yi-34b", known(), default().architectures) == ""


def test_a_plugin_that_is_left_out_is_named() -> None:
    """A family that is not there may be in a plugin that somebody has left out."""
    without = load(block=["graphacct-mamba"])
    assert "mamba-130m" not in presets(without)
    for name in ("mamba-130m", "state-spaces/mamba-130m"):
        with pytest.raises(UnknownNameError, match="left out, and perhaps where it is: graphacct-mamba"):
            graphacct.build(name, plugins=without)
    with pytest.raises(ReadError, match=r"no architecture reads model_type 'mamba'.*; left out, .*: graphacct-mamba"):
        graphacct.build({"model_type": "mamba"}, plugins=without)
    graph = graphacct.build("mamba-130m", seq_len=8)
    with pytest.raises(UnknownNameError, match=r"'selective_scan' is registered; left out, .*: graphacct-mamba"):
        graphacct.account(graph, plugins=without)
