"""Random small configurations of decoders whose attention is sparse, or whose layers have a shape of their own: what
they have beside the keys of all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

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


SPARSE_FAMILIES: dict[str, Callable[..., dict[str, Any]]] = {
    "deepseek_v4": deepseek_v4,
}
