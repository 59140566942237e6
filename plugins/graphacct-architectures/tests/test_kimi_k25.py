"""Kimi K2.5: a tower and DeepSeek-V3's layers, equal to what torch counted on the library's class (transformers 5.23,
torch 2.13, `graphacct verify --torch`); files of the model's repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = json.loads("""
{
 "architectures": [
  "Kimi_K25ForConditionalGeneration"
 ],
 "dtype": "bfloat16",
 "model_type": "kimi_k25",
 "projection_hidden_size": 48,
 "text_config": {
  "architectures": [
   "DeepseekV3ForCausalLM"
  ],
  "first_k_dense_replace": 1,
  "hidden_size": 48,
  "intermediate_size": 40,
  "kv_lora_rank": 16,
  "max_position_embeddings": 64,
  "model_type": "deepseek_v3",
  "moe_intermediate_size": 24,
  "n_group": 2,
  "n_routed_experts": 8,
  "n_shared_experts": 1,
  "num_attention_heads": 4,
  "num_experts_per_tok": 2,
  "num_hidden_layers": 3,
  "num_key_value_heads": 4,
  "q_lora_rank": 24,
  "qk_nope_head_dim": 16,
  "qk_rope_head_dim": 8,
  "topk_group": 1,
  "v_head_dim": 12,
  "vocab_size": 163842
 },
 "tie_word_embeddings": false,
 "vision_config": {
  "hidden_size": 48,
  "intermediate_size": 40,
  "model_type": "kimi_k25_vision",
  "num_attention_heads": 3,
  "num_hidden_layers": 2,
  "pos_emb_height": 8,
  "pos_emb_width": 8
 }
}
""")


def file(folder: Path, **changes: Any) -> Path:
    """A folder with the small model's file, changed."""
    (folder / "config.json").write_text(json.dumps({**SMALL, **changes}))
    return folder


def test_parameters_and_flops_of_a_text_with_an_image(tmp_path: Path) -> None:
    """80 tokens, of which 64 are an image of 224 pixels."""
    given: dict[str, Any] = {"seq_len": 80, "convention": "matmul", "attention": "eager"}
    total = graphacct.account(file(tmp_path), **given).total
    assert (total["params"], total["matmul_flops"]) == (15_929_048, 1_331_260_416)
    step = graphacct.account(file(tmp_path), **given, phase="train", loss="sum").total
    assert step["step_matmul_flops"] == 3_979_330_560


def test_a_file_of_the_repository_is_the_same_model(tmp_path: Path) -> None:
    """Its class, its text's type and the tower's keys have other names; the text alone is packed."""
    names = {"hidden_size": "vt_hidden_size", "intermediate_size": "vt_intermediate_size"}
    names |= {"num_attention_heads": "vt_num_attention_heads", "num_hidden_layers": "vt_num_hidden_layers"}
    names |= {"pos_emb_height": "init_pos_emb_height", "pos_emb_width": "init_pos_emb_width"}
    vision = {names.get(key, key): value for key, value in SMALL["vision_config"].items() if key != "model_type"}
    text = {**SMALL["text_config"], "model_type": "kimi_k2"}
    older = {"architectures": ["KimiK25ForConditionalGeneration"], "text_config": text, "vision_config": vision}
    today = graphacct.account(file(tmp_path), seq_len=80).total
    assert graphacct.account(file(tmp_path, **older), seq_len=80).total == today
    text["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    packed = graphacct.account(file(tmp_path, **older), seq_len=80).total
    assert packed["params"] == today["params"]
    assert packed["param_bytes"] < today["param_bytes"]


def test_the_projector_normalizes_what_the_tower_gives(tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match="projection_hidden_size is 32, the tower's hidden_size 48"):
        graphacct.account(file(tmp_path, projection_hidden_size=32), seq_len=80)


def test_films_are_seen_as_a_whole() -> None:
    """All frames see one another, and the tokens are means over them: torch's counter on the class's tower and
    projector, given the grid of 3 times (its own model splits the tokens wrongly, and does not run)."""
    report = graphacct.account(SMALL, frames=3, image_size=56, seq_len=40, attention="eager")
    found = [report[f"model.{name}"].values["matmul_flops"] for name in ("vision_tower", "mm_projector")]
    assert sum(found) == 6_469_632
    with pytest.raises(graphacct.ConfigError, match="frames is 5, and the tower has positions for 4: give fewer"):
        graphacct.account(SMALL, frames=5, image_size=56, seq_len=40)
