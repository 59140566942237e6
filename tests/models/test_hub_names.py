"""Names on the Hugging Face Hub find the preset of that very model; a suggestion is never of another size."""

from __future__ import annotations

import re

import pytest

import graphacct
from graphacct.errors import ReadError, UnknownNameError
from graphacct.hooks.manager import default, load
from graphacct.models.find import presets
from graphacct.models.hub_names import closest_preset, preset_of_hub_name, suggest_model, trained_from


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


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
        ("qwen2.5-7b-instruct", "qwen2.5-7b"),
        ("https://huggingface.co/Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
        ("Qwen/Qwen3-8B-Base", "qwen3-8b"),
        ("baichuan-inc/Baichuan2-7B-Chat", "baichuan2-7b"),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", "mixtral-8x22b"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", None),  # stored in another way
        ("mistralai/Mistral-7B-Instruct-v0.2", None),  # another version, without a window
        ("somebody/Qwen2.5-7B-Instruct", None),
        ("Qwen/Qwen2.5-7B-Instruct@v1", None),
        ("google-t5/t5", None),  # base is a size in t5-base
    ],
)
def test_another_training_is_the_preset_and_says_so(name: str, preset: str | None) -> None:
    """The layers are the same; what the repository's file may state otherwise is in a line under the table."""
    found = trained_from(name, default())
    assert (found[0] if found else None) == preset
    if found is not None:
        keys = graphacct.build(name, seq_len=8).config_keys
        assert keys is not None
        assert keys.notes() == (f"read: {found[1]}",)
        assert "its config.json may state another context or vocabulary" in found[1]


@pytest.mark.parametrize(
    "name",
    [
        "https://huggingface.co/Qwen/Qwen3-8B/",
        "HTTP://www.HuggingFace.co/qwen/qwen3-8b",
        "https://huggingface.co/Qwen/Qwen3-8B/tree/main",
        "https://huggingface.co/Qwen/Qwen3-8B/blob/main/config.json",
        "https://huggingface.co/Qwen/Qwen3-8B?library=transformers#usage",
        "hf.co/Qwen/Qwen3-8B",
        "hf://Qwen/Qwen3-8B",
        "Qwen/Qwen3-8B@main",
        " Qwen/Qwen3-8B ",
        "models--Qwen--Qwen3-8B",
    ],
)
def test_an_address_is_its_repository(name: str) -> None:
    """As a browser, a tool's command line or the folder of the hub's cache has it."""
    assert preset_of_hub_name(name, default()) == "qwen3-8b"


@pytest.mark.parametrize(
    "name",
    [
        "Qwen/Qwen3-8B@v1.0",
        "https://huggingface.co/Qwen/Qwen3-8B/tree/refs%2Fpr%2F1",
        "unsloth/Qwen3-8B-GGUF:Q4_K_M",
        "unsloth/Qwen3-8B-unsloth-bnb-4bit",
        "Qwen/Qwen3-8B-AWQ",
    ],
)
def test_another_branch_or_storage_is_not_the_preset(name: str) -> None:
    """It may have another configuration; the preset is offered as what it is."""
    assert preset_of_hub_name(name, default()) is None
    said = error(name)
    assert (
        "nothing is fetched: download the repository's config.json and give its path, or take the preset 'qwen3" in said
    )
    assert said.startswith(f"{name!r} is no file here")


def test_another_address_is_told_what_it_is() -> None:
    """It is not taken for module:function, which would import a module `https`."""
    said = error("https://modelscope.cn/models/Qwen/Qwen3-8B")
    assert said == (
        "'https://modelscope.cn/models/Qwen/Qwen3-8B' is an address, and nothing is fetched: download the model's "
        "config.json and give its path, or take a preset (graphacct list architectures shows all)"
    )
    assert "nothing is fetched" in error("https://huggingface.co/some/thing/blob/main/config.json")


def test_a_name_with_a_tag_is_no_function() -> None:
    """llama3.1:8b is a model's name; a module that is not there is not looked for under it."""
    assert error("llama3.1:8b").startswith("unknown model 'llama3.1:8b'; did you mean 'llama-3.1-8b'?")
    assert error("phi3:mini").startswith("unknown model 'phi3:mini'; did you mean 'phi-3-mini-4k'?")
    with pytest.raises(ReadError, match="nowhere:model failed: ModuleNotFoundError: No module named 'nowhere'"):
        graphacct.build("nowhere:model")


def test_a_repository_of_the_cache_has_snapshots(tmp_path) -> None:
    """The folder that huggingface_hub makes has no config.json itself."""
    (tmp_path / "models--a--b" / "snapshots" / "0123").mkdir(parents=True)
    with pytest.raises(ReadError, match="is a folder of the hub's cache: give one of the folders in its snapshots"):
        graphacct.build(str(tmp_path / "models--a--b"))


def test_every_preset_says_where_its_sizes_are_from() -> None:
    """The files name presets that exist, and each repository once; a preset without a repository has a source."""
    seen: dict[str, str] = {}
    for item in default().architectures.values():
        names = getattr(item.presets, "hub_names", {})
        sources = getattr(item.presets, "sources", {})
        for name, preset in names.items():
            assert preset in item.presets, f"{item.name}: {preset} has the repository {name}"
            assert seen.setdefault(name, preset) == preset
            if not name.startswith("/"):
                assert re.fullmatch(r"[\w.-]+/[\w.-]+", name)
        assert set(sources) == set(item.presets), f"{item.name}: each preset has a line in hub_names.txt or sources.txt"
        both = set(names.values()) & {name for name, source in sources.items() if source.lower() not in names}
        assert not both, f"{item.name}: a preset with a repository has no line in sources.txt"


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
    assert error("Qwen/Qwen3-90B").endswith("download the repository's config.json and give its path")
    assert error("some/thing").endswith("config.json and give its path")
    assert error("openai/gpt2").endswith("or take the preset 'gpt2', a model of that name")
    assert error("google/gemma-3-27b-it").endswith("config.json and give its path")  # Gemma 3 has another 27b


def test_a_path_is_no_hub_name(tmp_path, monkeypatch) -> None:
    """A missing file in a folder that exists, or one that ends in .json, is a missing file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("models/qwen3", "Qwen/config.json", "a/b/c", "qwen3-8b-q4_k_m.gguf", "Qwen/qwen3-8b.gguf"):
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
        ("gemma-2", "gemma-2-2b"),
        ("gemma2:9b", "gemma-2-9b"),
        ("llama_3_8b", "llama-3-8b"),
        ("stablelm-2-1_6b", "stablelm-2-1.6b"),
        ("qwen3-30b-a3b-gptq-int4", "qwen3-30b-a3b"),
        ("qwen2.5:7b-instruct-q4_K_M", "qwen2.5-7b"),
        ("Qwen3-4B-Thinking-2507-FP8", "qwen3-4b"),
        ("command-r+", "command-r-plus"),
        ("gtp2", "gpt2"),
        ("optt-1.3b", "opt-1.3b"),
        ("qwn2.5-7b", "qwen2.5-7b"),
        ("istral-7b", "mistral-7b"),
        ("mpt-3b", None),
        ("umt5-base", None),  # 593 M parameters, for its vocabulary; t5-base has 223 M, and mt5-base other biases
        ("xlm-roberta-xl", None),
        ("bert-base-multilingual-cased", None),
        ("whisper-large-v3-turbo", None),  # 4 of 32 decoder layers
        ("distilroberta-base", None),
        ("siglip-large-patch16-256", None),
        ("ministral-8b", None),
        ("falcon-mamba-7b", None),
        ("qwen2.5-vl-7b", "qwen2.5-vl-7b-instruct"),
        ("qwen2.5-vl-72b", None),
        ("tinyllama", None),
        ("gpt-4", None),
        ("gpt-3", None),
        ("qwen3-7b", None),
        ("zamba2-2.7b", None),
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
    assert suggest_model("gemma-3-27b", known(), []) == "; there is none of that size: gemma-3-1b, gemma-3-4b-it"
    assert suggest_model("llama-3.3-70b", known(), []) == "; the closest of the same size is 'llama-3.1-70b'"
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
