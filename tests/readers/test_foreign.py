"""JSON files that are no config.json: the message says what a file is and what to give instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ReadError

META = {"dim": 4096, "n_layers": 32, "n_kv_heads": 8, "vocab_size": 32000, "norm_eps": 1e-05}  # without n_heads
BESIDE = "give the folder's config.json"
CONVERTED = "give the config.json of the model's transformers form"


@pytest.mark.parametrize(
    ("name", "content", "kind", "instead"),
    [
        ("params.json", {**META, "hidden_dim": 14336}, "a params.json, Meta's or Mistral's own", CONVERTED),
        ("config.json", META, "a params.json, Meta's or Mistral's own", CONVERTED),
        (
            "adapter_config.json",
            {"base_model_name_or_path": "some/base", "peft_type": "LORA", "r": 16, "target_modules": ["q_proj"]},
            "peft's adapter_config.json: an adapter, not a model",
            r"give the config.json of the base model \(some/base\), with the adapter as lora=RANK:GLOB$",
        ),
        (
            "model_index.json",
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]},
            "diffusers' model_index.json: a pipeline of several models",
            r"graphacct report FOLDER/unet \(UNet2DConditionModel\)",
        ),
        ("generation_config.json", {"do_sample": True}, "a generation_config.json", BESIDE),
        ("g.json", {"_from_model_config": True, "eos_token_id": 2}, "a generation_config.json", BESIDE),
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}, "a tokenizer_config.json", BESIDE),
        ("tokenizer.json", {"version": "1.0", "model": {}}, "a tokenizer.json", BESIDE),
        ("preprocessor_config.json", {"image_processor_type": "ViTImageProcessor"}, "how inputs are prepared", BESIDE),
        (
            "model.safetensors.index.json",
            {"metadata": {"total_size": 4}, "weight_map": {"a": "b"}},
            "the index of a sharded checkpoint",
            BESIDE,
        ),
        ("hf_quant_config.json", {"producer": {}, "quantization": {}}, "how weights are quantized", BESIDE),
        ("quantize_config.json", {"bits": 4, "group_size": 128}, "a quantize_config.json", BESIDE),
        ("hparams.json", {"n_vocab": 50257, "n_ctx": 1024, "n_embd": 768}, "original GPT-2's hparams.json", CONVERTED),
        ("config.json", {"num_features": 768, "pretrained_cfg": {}}, "a config.json of timm", CONVERTED),
        ("ds.json", {"zero_optimization": {"stage": 3}}, "a configuration of DeepSpeed", BESIDE),
    ],
)
def test_the_kind_of_file(tmp_path: Path, name: str, content: dict[str, Any], kind: str, instead: str) -> None:
    """By what is in it, or by its name where that decides; two lines that name the file."""
    file = tmp_path / name
    file.write_text(json.dumps(content))
    with pytest.raises(ReadError, match=f"{name}: is .*{kind}.*\n{instead}") as caught:
        graphacct.account(file)
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("model_type", ["llama", "flux"])
def test_a_model_type_does_not_hide_it(tmp_path: Path, model_type: str) -> None:
    """An adapter, or a part of a pipeline, may name a type too."""
    file = tmp_path / "config.json"
    for content, kind in (
        ({"_class_name": "CosmosTransformer3DModel", "num_layers": 19}, "a part of a diffusers pipeline"),
        ({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}, "an adapter, not a model"),
    ):
        file.write_text(json.dumps({**content, "model_type": model_type}))
        with pytest.raises(ReadError, match=f"config.json: is .*{kind}"):
            graphacct.account(file)


def test_a_name_cannot_hide_in_the_advice(tmp_path: Path) -> None:
    """A base's name that is no name is not repeated."""
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "a\nb"}))
    with pytest.raises(ReadError, match=r"give the config.json of the base model, with the adapter"):
        graphacct.account(file)
