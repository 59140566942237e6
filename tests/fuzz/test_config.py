"""Configurations with anything in their keys: a model, or an error in one or two lines."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

from cases import cases, damage_json, json_junk

import graphacct
from graphacct.hooks.manager import default

LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers")


@cache
def configurations() -> list[dict[str, Any]]:
    """A published configuration of each family that has one, and of every fourth model."""
    found = []
    for family in default().architectures.values():
        for index, name in enumerate(family.presets):
            content = family.presets[name]
            if index % 4 == 0 and isinstance(content, dict):
                found.append({"model_type": next(iter(family.model_types), family.name), **content})
    assert len(found) > 50
    return found


QUANTIZED: list[dict[str, Any]] = [
    {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head"]},
    {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False},
    {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"},
    {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
    {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": {"weights": {}}}},
]
"""What files say of their weights."""


def damage(rng: random.Random, content: dict[str, Any]) -> None:
    """Changes one key."""
    key = rng.choice(list(content))
    kind = rng.randrange(8)
    if kind < 4:
        content[key] = json_junk(rng)
    elif kind == 4:
        del content[key]
    elif kind == 5:
        content[key.replace("num_", "n_").replace("_size", "")] = content.pop(key)
    elif kind == 6 and isinstance(content[key], dict):
        content[key][rng.choice([*content[key], "odd"])] = json_junk(rng)
    else:
        other = rng.choice(configurations())
        taken = rng.choice(list(other))
        content[taken] = other[taken]


def read_damaged(rng: random.Random) -> None:
    """Reads a damaged configuration and builds its graph, or accounts for it."""
    content = copy.deepcopy(rng.choice(configurations()))
    if rng.random() < 0.2:
        content["quantization_config"] = damage_json(rng, copy.deepcopy(rng.choice(QUANTIZED)))
    for _ in range(rng.randrange(4) if "quantization_config" in content else rng.randrange(1, 4)):
        if content:
            damage(rng, content)
    phase = rng.choice(["forward", "forward", "train", "decode"])
    if rng.random() < 0.3:
        graphacct.account(content, phase=phase, unknown="report")
    else:
        graphacct.build(content, phase=phase)


def test_damaged_configurations() -> None:
    """Whatever stands in their keys."""
    cases("config", read_damaged)
