"""Sparse decoders and mixtures whose layers have a shape of their own: what they count, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

LATENT: dict[str, Any] = {
    **{"vocab_size": 96, "hidden_size": 64, "num_attention_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 24},
    **{"qk_nope_head_dim": 12, "qk_rope_head_dim": 8, "v_head_dim": 20, "n_routed_experts": 6},
}
LONGCAT: dict[str, Any] = {
    **LATENT,
    **{"model_type": "longcat_flash", "architectures": ["LongcatFlashForCausalLM"], "num_layers": 2, "head_dim": 8},
    **{"ffn_hidden_size": 40, "expert_ffn_hidden_size": 24, "moe_topk": 3, "zero_expert_num": 3},
}
PANGU: dict[str, Any] = {
    **{"model_type": "pangu_ultra_moe", "architectures": ["PanguUltraMoEForCausalLM"], "hidden_size": 7680},
    **{"vocab_size": 153600, "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_hidden_layers": 61},
    **{"num_attention_heads": 128, "num_shared_experts": 1, "num_routed_experts": 256, "num_experts_per_tok": 8},
    **{"attention_kv_lora_dim": 512, "attention_q_lora_dim": 1536, "attention_qk_rope_dim": 64},
    **{"attention_v_dim": 128, "attention_qk_dim": 128, "num_dense_layers": 3, "sandwich_norm": True},
}


def total(config: dict[str, Any], **options: Any) -> Any:
    return graphacct.account(config, **{"seq_len": 6, "convention": "matmul", **options}).total


def test_idle_experts_compute_their_share_of_nothing() -> None:
    """2 layers of 3 choices among 6 experts and 3 idle ones: of 18 choices of 6 tokens 12 are computed."""
    found = graphacct.account(LONGCAT, seq_len=6, convention="matmul")
    experts = {row.path: row.values["matmul_flops"] for row in found.by_scope if row.path.endswith("mlp.experts")}
    assert set(experts.values()) == {2 * 12 * 3 * 64 * 24 * 2}
    assert total(LONGCAT)["params"] - total({**LONGCAT, "zero_expert_num": 0})["params"] == 2 * 3 * (2 * 24 * 64 + 64)


def test_a_layer_of_two_attentions_has_two_caches() -> None:
    """`num_hidden_layers` counts attentions: 4 latents of 16 and 8 a token, in float32."""
    kept = total({**LONGCAT, "num_layers": 9, "num_hidden_layers": 4}, phase="prefill", dtype="float32")
    assert kept["kv_bytes_per_token"] == 4 * 4 * (16 + 8)


def test_pangu_is_the_arithmetic_of_its_repository() -> None:
    """719 billion parameters in 61 layers with four norms each, the first three with one network; its page says 718."""
    attention = 1536 * 7680 + 1536 + 128 * 192 * 1536 + (512 + 64) * 7680 + 512 + 128 * 256 * 512 + 7680 * 128 * 128
    experts = 257 * 3 * 7680 * 2048 + 256 * 7680
    expected = 61 * (attention + 4 * 7680) + 3 * 3 * 7680 * 18432 + 58 * experts + 2 * 153600 * 7680 + 7680
    found = total(PANGU, seq_len=8)
    assert found["params"] == expected
    theirs = {"attention_kv_lora_dim": "kv_lora_rank", "attention_q_lora_dim": "q_lora_rank"}
    theirs |= {"attention_qk_rope_dim": "qk_rope_head_dim", "attention_v_dim": "v_head_dim"}
    theirs |= {"attention_qk_dim": "qk_nope_head_dim", "num_dense_layers": "first_k_dense_replace"}
    theirs |= {"num_shared_experts": "n_shared_experts", "num_routed_experts": "n_routed_experts"}
    assert total({theirs.get(key, key): value for key, value in PANGU.items()}, seq_len=8) == found


def test_older_settings_of_the_indexer_win() -> None:
    """MiniMax-M3's published file has them in an object of their own, and a 0 or 1 of each layer."""
    new: dict[str, Any] = {
        **{"model_type": "minimax_m3_vl_text", "vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 2},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_local_experts": 4},
        **{"intermediate_size": 24, "dense_intermediate_size": 40, "shared_intermediate_size": 20},
        **{"index_n_heads": 2, "index_head_dim": 16, "index_block_size": 4, "index_topk_blocks": 3},
        **{"layer_types": ["full_attention", "minimax_m3_sparse"], "mlp_layer_types": ["dense", "sparse"]},
    }
    names = {"index_n_heads": "sparse_num_index_heads", "index_head_dim": "sparse_index_dim"}
    names |= {"index_block_size": "sparse_block_size", "index_topk_blocks": "sparse_topk_blocks"}
    settings = {older: new[key] for key, older in names.items()} | {"sparse_attention_freq": [0, 1]}
    old = {key: value for key, value in new.items() if key not in (*names, "layer_types", "mlp_layer_types")}
    old |= {"model_type": "minimax_m3", "sparse_attention_config": settings, "moe_layer_freq": [0, 1]}
    assert total(old, seq_len=9) == total(new, seq_len=9)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**LATENT, "model_type": "axk2", "n_group": 2}, "n_group is 2, topk_group None: give both, or none"),
        ({**LONGCAT, "head_dim": 16}, "head_dim is 16, qk_rope_head_dim 8: both are how many dimensions of a head are"),
        ({**LONGCAT, "num_hidden_layers": 1}, "num_hidden_layers is 1: a layer has two of these attentions"),
        ({**LONGCAT, "moe_topk": 10}, "num_experts_per_tok, all experts: a token cannot run through 10 of 9 experts"),
        (
            {**LATENT, "model_type": "mistral4", "rope_parameters": {"rope_type": "yarn", "factor": 2.0}},
            "rope_parameters has no llama_4_scaling_beta",
        ),
        (
            {**LATENT, "model_type": "hy_v4", "num_hidden_layers": 2, "indexer_types": ["shared", "full"]},
            "indexer_types begins with shared: no layer before the first one chose keys",
        ),
        (
            {"model_type": "minimax_m3", "hidden_size": 64, "head_dim": 16, "index_head_dim": 8},
            "index_head_dim is 8, and 16 dimensions of a head are rotated: at most as many as an indexer's head has",
        ),
        (
            {"model_type": "minimax_m3", "hidden_size": 64, "sparse_attention_config": {"sparse_block_size": 0}},
            "sparse_attention_config has sparse_block_size 0, which is no size",
        ),
    ],
)
def test_a_refusal_names_the_key(config: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError) as error:
        total(config)
    assert message in str(error.value)
