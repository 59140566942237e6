"""Descriptions in other words than a config.json's, with anything in them: the model, or an error."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from cases import cases, damage_json

import graphacct

DESCRIPTIONS: tuple[tuple[str, Any], ...] = (
    ("params.json", {"dim": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 64, "multiple_of": 8, "norm_eps": 1e-5}),
    (
        "params.json",
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "n_kv_heads": 2,
            "hidden_dim": 64,
            "head_dim": 8,
            "vocab_size": 64,
            "sliding_window": [16, 16],
            "moe": {"num_experts": 4, "num_experts_per_tok": 2},
        },
    ),
    ("params.json", {"dim": 32, "n_layers": 2, "vocab_size": 64, "n_groups": 1, "model_type": "mamba"}),
    ("hparams.json", {"n_vocab": 64, "n_ctx": 16, "n_embd": 32, "n_head": 4, "n_layer": 2}),
    ("config.json", {"d_model": 32, "n_layer": 2, "vocab_size": 63, "ssm_cfg": {"layer": "Mamba2", "headdim": 8}}),
    (
        "adapter_config.json",
        {"base_model_name_or_path": "gpt2", "peft_type": "LORA", "r": 8, "target_modules": ["c_fc"]},
    ),
)


def test_damaged_descriptions(quick: Path) -> None:
    """Whatever stands in the file; the code of a translation does not fail."""

    def read_damaged(rng: random.Random) -> None:
        name, content = rng.choice(DESCRIPTIONS)
        content = copy.deepcopy(content)
        for _ in range(rng.randrange(1, 3)):
            content = damage_json(rng, content)
        file = quick / name
        file.write_text(json.dumps(content))
        try:
            graphacct.account(file, batch=1, seq_len=4)
        except graphacct.GraphacctError as error:
            if "failed:" in str(error):
                raise RuntimeError(f"{name} {content}") from error
            raise

    cases("translations", read_damaged)
