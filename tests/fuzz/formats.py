"""Small models in every form of file that is read. No key has the value that stands for it where it is left out, so
that a key that is read changes the report when it is gone.

`FILES` has, by the name of a form, the files of a folder; the first is the one that is damaged. `IDLE` has the keys
that change no cost, by the form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from small_configs import CLIP_TEXT, LLAMA, LLAVA, QWEN2_VL, SENTENCE, SPEECH, TOWERS, VIT

import graphacct

ADAPTER = "adapter_config.json"
GOLDENS = Path(__file__).parents[2] / "plugins" / "graphacct-diffusers" / "tests" / "goldens"


def _first(file: str, files: Mapping[str, Any]) -> dict[str, Any]:
    return {file: files[file], **files}


def _part(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDENS / f"{name}.json").read_text(encoding="utf-8"))["config"]
    return found


FILES: Mapping[str, Mapping[str, Any]] = {
    "params.json of Meta": {
        "params.json": {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "n_kv_heads": 2,
            "vocab_size": 64,
            "multiple_of": 8,
            "ffn_dim_multiplier": 1.3,
            "norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "use_scaled_rope": True,
        }
    },
    "params.json of Mistral": {
        "params.json": {
            "dim": 32,
            "n_layers": 2,
            "head_dim": 16,
            "hidden_dim": 48,
            "n_heads": 4,
            "n_kv_heads": 2,
            "norm_eps": 1e-5,
            "vocab_size": 64,
            "sliding_window": 4,
            "tied_embeddings": True,
            "moe": {"num_experts": 4, "num_experts_per_tok": 1},
        }
    },
    "params.json of Mamba": {
        "params.json": {
            "dim": 128,
            "n_layers": 2,
            "vocab_size": 57,
            "n_groups": 2,
            "rms_norm": True,
            "residual_in_fp32": True,
            "fused_add_norm": True,
            "pad_vocab_size_multiple": 4,
            "tie_embeddings": False,
            "model_type": "mamba",
        }
    },
    "hparams.json": {"hparams.json": {"n_vocab": 64, "n_ctx": 16, "n_embd": 32, "n_head": 4, "n_layer": 2}},
    "original Mamba": {
        "config.json": {
            "d_model": 32,
            "n_layer": 2,
            "vocab_size": 57,
            "ssm_cfg": {"d_state": 8, "d_conv": 3, "expand": 3, "dt_rank": 5, "bias": True, "conv_bias": False},
            "rms_norm": True,
            "residual_in_fp32": False,
            "fused_add_norm": True,
            "pad_vocab_size_multiple": 16,
            "tie_embeddings": False,
        }
    },
    "original Mamba2": {
        "config.json": {
            "d_model": 32,
            "d_intermediate": 0,
            "n_layer": 2,
            "vocab_size": 57,
            "ssm_cfg": {
                "layer": "Mamba2",
                "headdim": 8,
                "d_state": 16,
                "d_conv": 3,
                "expand": 3,
                "ngroups": 2,
                "chunk_size": 4,
                "bias": True,
                "conv_bias": False,
            },
            "attn_layer_idx": [],
            "attn_cfg": {},
            "pad_vocab_size_multiple": 16,
            "tie_embeddings": False,
        }
    },
    "an adapter of LoRA": {
        "adapter_config.json": {
            "base_model_name_or_path": "gpt2",
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": 4,
            "lora_alpha": 16,
            "lora_dropout": 0.1,
            "target_modules": ["q_proj", "v_proj"],
            "rank_pattern": {"v_proj": 2},
            "layers_to_transform": [1],
            "modules_to_save": ["lm_head"],
            "use_dora": True,
            "bias": "none",
        },
        "config.json": LLAMA,
    },
    "an adapter of IA3": {
        "adapter_config.json": {
            "peft_type": "IA3",
            "task_type": "CAUSAL_LM",
            "target_modules": ["k_proj", "down_proj"],
            "feedforward_modules": ["down_proj"],
            "modules_to_save": ["lm_head"],
        },
        "config.json": LLAMA,
    },
    "a preprocessor's file": {
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"height": 64, "width": 48},
            "do_center_crop": True,
            "crop_size": {"height": 16, "width": 24},
            "image_mean": [0.5, 0.5, 0.5],
            "rescale_factor": 0.01,
        },
        "config.json": {**VIT, "image_size": [16, 24]},
    },
    "a processor's file": {
        "processor_config.json": {
            "image_processor": {"size": {"height": 16, "width": 16}, "max_image_tiles": 2},
            "processor_class": "MllamaProcessor",
        },
        "config.json": {**VIT, "image_size": 16},
    },
    "parts of a model": {"config.json": LLAVA},
    "parts of a grid": {"config.json": QWEN2_VL},
    "an encoder and a decoder": {"config.json": SPEECH},
    "modules.json": _first("modules.json", SENTENCE),
    "a pooling's file": _first("1_Pooling/config.json", SENTENCE),
    "a dense layer's file": _first("2_Dense/config.json", SENTENCE),
    "a dropout's file": _first("3_Dropout/config.json", SENTENCE),
    "a norm's file": _first("4_LayerNorm/config.json", SENTENCE),
    "open_clip": {"open_clip_config.json": {"model_cfg": TOWERS, "preprocess_cfg": {"mean": [0.5], "std": [0.5]}}},
    "timm": {
        "config.json": {
            "architecture": "vit_tiny_patch16_224",
            "num_classes": 7,
            "num_features": 192,
            "global_pool": "token",
            "pretrained_cfg": {"input_size": [3, 224, 224], "num_classes": 7, "fixed_input_size": True},
        }
    },
    "timm in the library's wrapper": {
        "config.json": {
            "model_type": "timm_wrapper",
            "architectures": ["TimmWrapperForImageClassification"],
            "architecture": "resnet18",
            "num_classes": 7,
            "model_args": {},
        }
    },
    "a U-Net": {"config.json": _part("unet")},
    "a pipeline": {
        "model_index.json": {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.42.1",
            "requires_safety_checker": True,
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "scheduler": ["diffusers", "PNDMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
        "unet/config.json": _part("unet"),
        "vae/config.json": _part("autoencoder"),
        "text_encoder/config.json": CLIP_TEXT,
    },
    "an autoencoder": {"config.json": _part("autoencoder")},
    "SD3's transformer": {"config.json": _part("sd3")},
    "FLUX's transformer": {"config.json": _part("flux")},
    "Wan's transformer": {"config.json": _part("wan")},
    "FP8's settings": {
        "config.json": {
            **LLAMA,
            "quantization_config": {
                "quant_method": "fp8",
                "weight_block_size": [16, 16],
                "modules_to_not_convert": ["lm_head", "q_proj"],
                "activation_scheme": "dynamic",
            },
        }
    },
    "GPTQ's settings": {
        "quantize_config.json": {"bits": 4, "group_size": 16, "desc_act": False, "sym": True, "damp_percent": 0.01},
        "config.json": {**LLAMA, "hidden_size": 64, "intermediate_size": 64, "num_key_value_heads": 4},
    },
    "modelopt's settings": {
        "hf_quant_config.json": {
            "producer": {"name": "modelopt", "version": "0.1"},
            "quantization": {
                "quant_algo": "FP8",
                "kv_cache_quant_algo": "FP8",
                "exclude_modules": ["lm_head"],
            },
        },
        "config.json": LLAMA,
    },
}


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    """Writes the files of a model, and returns what is read of them: the folder, or an adapter's file in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return folder / ADAPTER if ADAPTER in files else folder


def said(path: Path, name: str) -> tuple[Any, ...]:
    """Returns what a report says of a form: the totals of a training step, or of a decoding step where weights are
    packed, or of a pipeline's forward pass; the workload, the notes, and the names and shapes of parameters."""
    step = {"phase": "decode", "cache_len": 3} if name.endswith("settings") else {"phase": "train", "loss": "sum"}
    step = {} if name == "a pipeline" else step
    report = graphacct.account(path, batch=1, **step)
    parameters = tuple((row.parameter.name, str(row.parameter.spec)) for row in report.by_parameter)
    totals = {quantity: str(value) for quantity, value in report.total.items()}
    return totals, dict(report.workload), report.annotated.graph.config_keys.notes(), parameters


IDLE: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "params.json of Meta": "norm_eps use_scaled_rope",
        "params.json of Mistral": "norm_eps",
        "params.json of Mamba": "fused_add_norm",
        "original Mamba": "fused_add_norm",
        "original Mamba2": "attn_cfg",
        "an adapter of LoRA": "base_model_name_or_path lora_alpha",  # a config.json beside it is the base
        "a preprocessor's file": "image_processor_type size image_mean rescale_factor",  # a crop follows the size
        "a processor's file": "processor_class",
        "parts of a model": "image_token_index text_config.architectures",
        "modules.json": "idx name",
        "open_clip": "preprocess_cfg",
        "timm": "num_features global_pool pretrained_cfg.num_classes",  # num_classes beside it comes first
        "a pipeline": "_diffusers_version requires_safety_checker scheduler tokenizer unet.0 vae.0 text_encoder.0",
        "a U-Net": "_diffusers_version freq_shift mid_block_scale_factor norm_eps",
        "GPTQ's settings": "desc_act sym damp_percent",
        "modelopt's settings": "producer",
    }.items()
}
"""Keys that change no cost, whatever they are."""


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of each value, of objects and lists too."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def idle(name: str, path: tuple[Any, ...]) -> bool:
    """Returns whether a key, or the object that it is in, changes no cost."""
    words = [str(key) for key in path]
    known = IDLE.get(name, frozenset())
    return not known.isdisjoint([*words, *(".".join(words[: count + 1]) for count in range(len(words)))])
