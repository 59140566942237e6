"""Random small configurations of decoders whose attention is sparse, or whose layers have a shape of their own: what
they have beside the keys of all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

ALONE = {"mistral4": "Mistral4ForCausalLM"}
"""Classes that the library's automatic ones do not have."""
WINDOW, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"


def deepseek_v4(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "head_dim": 16,
        "q_lora_rank": 10,
        "moe_intermediate_size": 9,
        "hc_mult": random.randint(1, 4),
    }
    sizes |= {"n_routed_experts": random.choice((3, 4)), "num_experts_per_tok": random.choice((1, 2))}
    sizes |= {"sliding_window": random.choice((5, 20)), "o_groups": random.choice((1, 2)), "o_lora_rank": 6}
    sizes |= {"index_n_heads": random.randint(1, 3), "index_head_dim": random.choice((8, 12)), "index_topk": 3}
    sizes |= {"hc_sinkhorn_iters": random.choice((1, 2, 5)), "scoring_func": random.choice(("sqrtsoftplus", "sigmoid"))}
    sizes |= random.choice(({"partial_rotary_factor": 0.25}, {"qk_rope_head_dim": 8}, {"partial_rotary_factor": 0.5}))
    kinds = {"layer_types": random.choices((WINDOW, SPARSE, HEAVY), k=layers)}
    sizes |= random.choice((kinds, {}, {"compress_ratios": random.choices((0, 4, 128), k=layers + 1)}))
    rates = {"compress_rates": {SPARSE: random.choice((2, 4)), HEAVY: random.choice((8, 16))}}
    sizes |= random.choice((rates, {}, {"compress_rate_csa": 3, "compress_rate_hca": 10}))
    networks = {"mlp_layer_types": random.choices(("hash_moe", "moe"), k=layers)}
    return {**sizes, **random.choice((networks, {}, {"num_hash_layers": random.randint(0, layers)}))}


def latent(random: Random, heads: int) -> dict[str, Any]:
    sizes = {"kv_lora_rank": 12, "q_lora_rank": 10, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 10}
    return {**sizes, "num_key_value_heads": heads}


def routed(random: Random) -> dict[str, Any]:
    groups = random.choice((1, 2, 4))
    sizes = {"n_group": groups, "topk_group": random.randint(1, groups), "num_experts_per_tok": random.choice((1, 2))}
    routed = {"n_routed_experts": 3 * groups, "n_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    return {**sizes, **routed}


def indexed(random: Random, layers: int) -> dict[str, Any]:
    sizes = {"index_n_heads": random.randint(1, 3), "index_head_dim": random.choice((4, 8))}
    kinds = {"mlp_layer_types": random.choices(("dense", "sparse"), k=layers)}
    return {**sizes, "index_topk": random.choice((3, 20, 2048)), **random.choice(({}, kinds))}


def mistral4(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    scaling = {"type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
    scaling |= {"llama_4_scaling_beta": 0.1, "mscale": 1.0}
    found = {**latent(random, heads), **routed(random), "first_k_dense_replace": random.randint(0, layers)}
    found |= {"q_lora_rank": random.choice((None, 10))}
    return found | {"rope_parameters": random.choice((None, scaling))}


def axk2(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    found = {**latent(random, heads), **routed(random), **indexed(random, layers), "gated_norm_rank": 5}
    older = {"first_k_dense_replace": random.randint(0, layers), "moe_layer_freq": random.choice((1, 2))}
    groups = random.choice(({}, {"n_group": None, "topk_group": None}))
    return {**found, **groups, **random.choice(({}, older))}


def hy_v4(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    words = {"indexer_types": ["full", *random.choices(("full", "shared"), k=layers - 1)]}
    found = {**latent(random, heads), **routed(random), **indexed(random, layers), **random.choice(({}, words))}
    return {**found, "hc_mult": random.randint(1, 4)}


def minimax_m3(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    groups = random.choice((1, 2))
    sizes = {"index_n_heads": groups, "index_head_dim": 16, "index_block_size": random.choice((4, 16))}
    sizes |= {"index_topk_blocks": random.choice((2, 9)), "index_local_blocks": random.randint(0, 2)}
    sizes |= {"dense_intermediate_size": 14, "shared_intermediate_size": 9, "num_local_experts": 4, "head_dim": 16}
    sizes |= {"num_experts_per_tok": random.choice((1, 2)), "num_key_value_heads": groups}
    flags = random.choices((0, 1), k=layers)
    sizes |= random.choice(({}, {"layer_types": [("full_attention", "minimax_m3_sparse")[flag] for flag in flags]}))
    sizes |= random.choice(({}, {"moe_layer_freq": random.choices((0, 1), k=layers)}))
    older = {"sparse_attention_freq": flags, "sparse_num_index_heads": 2, "sparse_block_size": 8}
    return sizes | random.choice(({}, {"sparse_attention_config": older}))


def longcat_flash(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    sizes = {"n_routed_experts": 6, "moe_topk": random.choice((1, 3)), "zero_expert_num": 0, "num_layers": layers}
    sizes |= {"expert_ffn_hidden_size": 9, "ffn_hidden_size": random.choice((20, 33))}
    return {**latent(random, heads), **sizes, "head_dim": 4, "num_hidden_layers": 2 * layers}


SPARSE_FAMILIES: dict[str, Callable[..., dict[str, Any]]] = {
    "deepseek_v4": deepseek_v4,
    "mistral4": mistral4,
    "axk2": axk2,
    "hy_v4": hy_v4,
    "minimax_m3_vl_text": minimax_m3,
}
