"""Sizes that nobody gave are said to be those of the family's class."""

from __future__ import annotations

import json
from pathlib import Path

import graphacct

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def _defaults(model: object, **options: object) -> str:
    keys = graphacct.build(model, **options).config_keys
    return "" if keys is None else keys.defaults


def test_a_family_without_a_size_says_that_they_are_its_class_s() -> None:
    said = _defaults("llama", seq_len=8)
    assert said == (
        "every size that you do not set is that of the class of llama; presets (graphacct list llama) and "
        "config.json files have others"
    )


def test_a_preset_says_nothing() -> None:
    assert _defaults("gpt2", seq_len=8) == ""
    assert _defaults("openai-gpt", seq_len=8) == ""  # its file leaves out what equals the default


def test_a_file_says_which_main_sizes_it_leaves_to_the_class(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    given = {key: SIZES[key] for key in ("hidden_size", "num_attention_heads", "vocab_size")}
    file.write_text(json.dumps({"model_type": "llama", **given}))
    named = "intermediate_size 11,008, num_hidden_layers 32 of the class of llama, which the file leaves out"
    assert _defaults(str(file), seq_len=8) == named
    assert graphacct.build(str(file), seq_len=8).config_keys.notes() == (f"defaults: {named}",)
    # a size that the user sets is given
    others = {"intermediate_size": 128, "num_hidden_layers": 2}
    assert _defaults(str(file), seq_len=8, set=others) == ""


def test_a_file_with_the_main_sizes_says_nothing_whatever_the_spelling(tmp_path: Path) -> None:
    assert _defaults({"model_type": "llama", **SIZES}, seq_len=8) == ""
    old = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100}  # n_inner is four times the width
    assert _defaults({"model_type": "gpt2", **old}, seq_len=8) == ""


def test_an_object_inside_a_file_says_nothing() -> None:
    """The transformers library leaves out there what equals the default: LLaVA 1.5 has no width of its text model."""
    text = {"model_type": "llama", "vocab_size": 32064}
    vision = {"model_type": "clip_vision_model", **{key: SIZES[key] for key in SIZES if key != "vocab_size"}}
    content = {"model_type": "llava", "text_config": text, "vision_config": {**vision, "image_size": 64}}
    assert _defaults(content, batch=1) == ""


def test_a_family_whose_main_sizes_are_all_set_says_nothing() -> None:
    assert _defaults("llama", seq_len=8, set=SIZES) == ""
    assert _defaults("llama", seq_len=8, set={"hidden_size": 64}) != ""
    assert _defaults("llava") != ""  # its sizes are those of its nested objects
