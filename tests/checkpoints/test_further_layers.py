"""Multi-token-prediction layers in a checkpoint: named as such, and no difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors_files import save

import graphacct
from graphacct.checkpoints.further_layers import further_layers
from graphacct.cli import cli
from graphacct.render.checkpoint import expanded

CONFIG: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "moe_intermediate_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "first_k_dense_replace": 1,
    "num_nextn_predict_layers": 1,
}
FURTHER = {
    "embed_tokens.weight": [64, 16],
    "enorm.weight": [16],
    "hnorm.weight": [16],
    "eh_proj.weight": [16, 32],
    "shared_head.norm.weight": [16],
    "shared_head.head.weight": [64, 16],
    "input_layernorm.weight": [16],
    "mlp.experts.0.gate_proj.weight": [8, 16],
}
"""The tensors of DeepSeek-V3's layer 61, some of them."""


@pytest.mark.parametrize("place", ["model.layers.2.", "mtp.", "model.mtp_layers.0."])
def test_they_are_named_and_left_out(tmp_path: Path, place: str) -> None:
    """After the last layer, as DeepSeek saves them, or under a name of their own: the exit status is 0."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    report = expanded(graphacct.account(tmp_path, seq_len=4))
    entries = {
        row.parameter.name: {"dtype": "BF16", "shape": list(row.parameter.spec.shape), "data_offsets": [0, 0]}
        for row in report.by_parameter
    }
    entries |= {
        place + name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, 0]} for name, shape in FURTHER.items()
    }
    save(tmp_path / "model.safetensors", entries)
    result = CliRunner().invoke(cli, ["verify", str(tmp_path)])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "8 tensors are of multi-token-prediction layers, which the model's class leaves out" in said
    assert "names and shapes are equal" in said
    found = json.loads(CliRunner().invoke(cli, ["verify", str(tmp_path), "--format", "json"]).output)
    assert found["equal"]
    assert {item["kind"] for item in found["differences"] if item["name"].startswith(place)} == {"mtp"}


def test_another_layer_too_many_is_unknown() -> None:
    """A layer after the last one that has nothing of theirs, and one that the model has."""
    own = ["layers.0.norm.weight", "layers.1.norm.weight"]
    assert further_layers(["layers.2.norm.weight"], own) == frozenset()
    assert further_layers(["layers.1.enorm.weight"], own) == frozenset()
    assert further_layers(["layers.2.enorm.weight", "layers.2.x", "layers.3.x"], own) == {
        "layers.2.enorm.weight",
        "layers.2.x",
    }
