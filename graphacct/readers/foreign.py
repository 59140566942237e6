"""JSON files of models that are no config.json: which kind a file is, and what to give instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

BESIDE = "give the folder's config.json, or the folder"
CONVERTED = (
    "give the config.json of the model's transformers form (its repository on the Hugging Face hub has one), or a "
    "preset: graphacct list architectures"
)
NOT_READ = (
    "graphacct reads the config.json of a transformers model; a plugin can read others (docs/writing-a-plugin.md)"
)

Content = Mapping[str, Any]


def _has(*keys: str) -> Callable[[Content], bool]:
    return lambda content: all(key in content for key in keys)


def _any(*keys: str) -> Callable[[Content], bool]:
    return lambda content: any(key in content for key in keys)


KINDS: tuple[tuple[str, Callable[[Content], bool], str, str], ...] = (
    ("", _has("peft_type"), "peft's adapter_config.json: an adapter, not a model", ""),
    ("adapter_config.json", _any("target_modules", "r"), "peft's adapter_config.json: an adapter, not a model", ""),
    ("model_index.json", _has("_class_name"), "diffusers' model_index.json: a pipeline of several models", NOT_READ),
    ("", _any("_diffusers_version", "_class_name"), "the configuration of a part of a diffusers pipeline", NOT_READ),
    ("", _has("weight_map"), "the index of a sharded checkpoint: names of tensors, without the model's sizes", BESIDE),
    ("", _has("_from_model_config"), "a generation_config.json: how text is sampled", BESIDE),
    ("generation_config.json", lambda content: True, "a generation_config.json: how text is sampled", BESIDE),
    ("tokenizer.json", lambda content: True, "a tokenizer.json: a tokenizer, not a model", BESIDE),
    ("", _any("tokenizer_class", "added_tokens_decoder"), "a tokenizer_config.json: a tokenizer, not a model", BESIDE),
    ("", _any("added_tokens", "pre_tokenizer"), "a tokenizer.json: a tokenizer, not a model", BESIDE),
    ("special_tokens_map.json", lambda content: True, "a tokenizer's special_tokens_map.json", BESIDE),
    (
        "",
        _any("image_processor_type", "feature_extractor_type", "processor_class", "image_mean"),
        "a preprocessor_config.json: how inputs are prepared",
        BESIDE,
    ),
    ("hf_quant_config.json", lambda content: True, "a hf_quant_config.json: how weights are quantized", BESIDE),
    ("", _has("producer", "quantization"), "a hf_quant_config.json: how weights are quantized", BESIDE),
    ("", _has("bits", "group_size"), "a quantize_config.json: how weights are quantized", BESIDE),
    ("", _any("zero_optimization", "train_micro_batch_size_per_gpu"), "a configuration of DeepSpeed", BESIDE),
    ("", _has("log_history"), "a trainer_state.json: the log of a training run", BESIDE),
    ("", _has("pretrained_config"), "a config.json of TensorRT-LLM", CONVERTED),
    ("", _has("pretrained_cfg"), "a config.json of timm", CONVERTED),
    ("", _has("model_cfg"), "a configuration of OpenCLIP", CONVERTED),
    ("", _has("vision_cfg", "text_cfg"), "a configuration of OpenCLIP", CONVERTED),
    ("", _has("__version__"), "a configuration of sentence-transformers", BESIDE),
    (
        "",
        _has("n_audio_state"),
        "the original configuration of Whisper (the keys n_audio_state, n_text_layer …)",
        CONVERTED,
    ),
    (
        "",
        _has("d_model", "n_layer", "ssm_cfg"),
        "the original form of a state-space model's config.json (d_model is hidden_size, n_layer num_hidden_layers)",
        CONVERTED,
    ),
    ("", _has("n_vocab", "n_embd"), "original GPT-2's hparams.json (n_embd, n_layer, n_head)", CONVERTED),
    (
        "",
        _has("dim", "n_layers"),
        "a params.json, Meta's or Mistral's own description of a model (the keys dim, n_layers, n_heads …)",
        CONVERTED,
    ),
)
"""Kinds of files: the file's name if it decides (empty otherwise), what its content has, what it is, the way out."""


def kind_of(content: Any, file: str) -> str:
    """Returns the message for a JSON file that is no model: its kind and what to give instead; empty for an unknown
    one. `file` is the file's name."""
    if not isinstance(content, Mapping):
        return ""
    for name, has, what, way_out in KINDS:
        if name in ("", file) and has(content):
            base = content.get("base_model_name_or_path")
            if not way_out:
                of = f" ({base})" if isinstance(base, str) and re.fullmatch(r"[\w./-]{1,80}", base) else ""
                way_out = f"give the config.json of the base model{of}, with the adapter as lora=RANK:GLOB"
            return f"is {what}\n{way_out}"
    return ""
