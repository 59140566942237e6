"""What a family of decoders does not have is refused by its key, in one sentence that says the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ConfigError
from graphacct.errors import ReadError

WINDOWED = {"num_hidden_layers": 2, "layer_types": ["full_attention"]}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("gemma3n_text", {"altup_active_idx": 4}, "altup_active_idx is 4, of altup_num_inputs 4 streams: give less"),
    (
        "gemma3n_text",
        {"intermediate_size": [8, 8]},
        "intermediate_size has 2 entries for num_hidden_layers 35: each layer needs one",
    ),
    (
        "gemma3n_text",
        {"intermediate_size": "wide"},
        "intermediate_size is a positive number, or a list with one for each layer: 'wide'",
    ),
    ("gemma3n_text", {"activation_sparsity_pattern": [2.0]}, "activation_sparsity_pattern is a list of shares from 0"),
    ("gemma4_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention is 'all', 'vision' or null"),
    (
        "gemma4_text",
        {"enable_moe_block": True},
        "num_experts is not there, and enable_moe_block is true: give a number",
    ),
    (
        "gemma4_text",
        {"num_hidden_layers": 6, "num_kv_shared_layers": 5},
        "num_kv_shared_layers is 5 of 6 layers: each kind of attention needs a layer before them",
    ),
    (
        "gemma4_text",
        {"per_layer_config": {"0": {"hidden_size": 8}}},
        "per_layer_config has 'hidden_size': of their own layers have head_dim, num_key_value_heads",
    ),
    (
        "gemma4_text",
        {"per_layer_config": {"0": {"head_dim": 8}}},
        "layer 1 has head_dim 256, and others of its kind 8: one width",
    ),
    ("gemma4_text", {"per_layer_config": [8]}, "per_layer_config is an object of layers' indices and their keys"),
    ("gemma4_text", {"per_layer_config": {"x": {}}}, "per_layer_config has 'x', which is no index of a layer"),
    (
        "ministral3",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        "rope_parameters has no llama_4_scaling_beta, from which this class makes the factor of each query",
    ),
    ("exaone4", {"sliding_window_pattern": "LXG"}, "sliding_window_pattern is a number of layers, or letters L and G"),
    (
        "exaone4",
        {"sliding_window_pattern": "LLLG"},
        "sliding_window_pattern is 'LLLG', from which the class makes no layers: add layer_types",
    ),
    ("olmo3", WINDOWED, "layer_types names 1 layers, num_hidden_layers is 2: they have to agree"),
    ("dots1", {"n_shared_experts": 1}, "n_routed_experts is missing: the class has no number of experts of its own"),
    ("phimoe", {"num_experts_per_tok": 3}, "num_experts_per_tok is 3: this router chooses 2"),
    (
        "olmoe",
        {"num_experts": 4, "num_experts_per_tok": 5},
        "num_experts_per_tok, num_experts: a token cannot run through 5 of 4 experts",
    ),
    (
        "hunyuan_v1_moe",
        {"num_experts": 4, "moe_topk": [1], "num_hidden_layers": 2},
        "moe_topk has 1 numbers, num_hidden_layers is 2: each layer needs one",
    ),
    (
        "hunyuan_v1_moe",
        {"moe_topk": "all"},
        "moe_topk is a positive number, or a list with one for each layer, not 'all'",
    ),
    ("glm4_moe_lite", {"mlp_layer_types": ["wide"]}, "mlp_layer_types is a list of dense and sparse, not ['wide']"),
    (
        "mellum",
        {"num_hidden_layers": 2, "mlp_layer_types": ["dense"]},
        "mlp_layer_types names 1 layers, num_hidden_layers is 2: they have to agree",
    ),
    (
        "llama4_text",
        {"attention_chunk_size": None},
        "layer 0 has chunked_attention, but attention_chunk_size is not there",
    ),
    (
        "llama4_text",
        {"layer_types": ["sliding_attention"]},
        "layer_types is a list of full_attention and chunked_attent",
    ),
    ("llama4_text", {"moe_layers": "all"}, "moe_layers is a list of layers' indices, not 'all'"),
    (
        "llama4_text",
        {"no_rope_layers": [1], "num_hidden_layers": 2},
        "no_rope_layers has 1 entries for num_hidden_layers 2",
    ),
    ("mpt", {"attn_config": {"alibi": False}}, "in attn_config: alibi"),
    ("mpt", {"attn_config": {"attn_type": "multiquery_attention"}}, "in attn_config: attn_type"),
    ("nemotron-nas", {"block_configs": 3}, "block_configs is a list with the parts of each layer, not 3"),
    (
        "nemotron-nas",
        {"block_configs": [{"ffn": {}}]},
        "block_configs[0] has no attention: each layer has attention and",
    ),
    (
        "nemotron-nas",
        {"block_configs": [{"attention": {"window_length": 8}, "ffn": {}}]},
        "block_configs[0].attention has window_length, which is not modelled",
    ),
    (
        "nemotron-nas",
        {"num_hidden_layers": 1, "block_configs": [{"attention": {"no_op": True}, "ffn": {"ffn_mult": "wide"}}]},
        "block_configs[0].ffn.ffn_mult is a positive number, not 'wide'",
    ),
    (
        "dbrx",
        {"ffn_config": {"moe_top_k": 5}},
        "moe_top_k, ffn_config.moe_num_experts: a token cannot run through 5 of 4",
    ),
    (
        "mimo_v2_flash",
        {"num_hidden_layers": 2, "moe_layer_freq": [1, 1]},
        "moe_layer_freq is (1, 1), but the class makes (0, 1)",
    ),
    ("gpt_bigcode", {"add_cross_attention": True}, "add_cross_attention"),
    ("apertus", {"hidden_act": "xeluu"}, "hidden_act cannot be 'xeluu'"),
    ("ctrl", {"n_positions": 16, "seq_len": 17}, "seq_len 17 is beyond n_positions 16"),
    ("xglm", {"architectures": ["XGLMForTokenClassification"]}, "architectures has 'XGLMForTokenClassification'"),
]


@pytest.mark.parametrize(("family", "keys", "message"), CASES)
def test_a_refusal_names_the_key(family: str, keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    workload = {key: keys[key] for key in ("seq_len",) if key in keys}
    content = {"model_type": family, "hidden_size": 4096, **{key: keys[key] for key in keys if key != "seq_len"}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises((ConfigError, ReadError)) as error:
        graphacct.build(tmp_path, **workload)
    assert message in str(error.value)
