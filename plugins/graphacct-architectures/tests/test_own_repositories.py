"""Further decoders whose class stands in the models' own repositories.

No library's class measures them: the parameters are the arithmetic of the shapes in the repositories' code. The sizes
of LLaDA-MoE, PLM, RND1 and SmallThinker were compared with copies of their files (named beside them). A published total
was found for RND1 alone, whose sizes are Qwen3-30B-A3B's: 30,532,122,624. Two more are known less finely: LLaDA-MoE's
weights take 14,032 MiB in bfloat16, and GroveMoE's paper says 33 billion. For the others no total was found that is
finer than the model's name, and no copy of a file for Refact, Jais, GroveMoE and Phixtral.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest

import graphacct

REFACT: dict[str, Any] = {  # huggingface.co/smallcloudai/Refact-1_6B-fim
    **{"model_type": "gpt_refact", "architectures": ["GPTRefactForCausalLM"], "n_embd": 2048, "n_layer": 32},
    **{"n_head": 32, "n_inner": None, "vocab_size": 49216, "n_positions": 4096, "multi_query": True},
}
JAIS: dict[str, Any] = {  # huggingface.co/inceptionai/jais-13b
    **{"model_type": "jais", "architectures": ["JAISLMHeadModel"], "n_embd": 5120, "n_layer": 40, "n_head": 40},
    **{"n_inner": 13653, "vocab_size": 84992, "activation_function": "swiglu", "position_embedding_type": "alibi"},
    **{"n_positions": 2048, "embeddings_scale": 14.6, "width_scale": 0.11, "scale_qk_dot_by_d": True},
}
PLM: dict[str, Any] = {  # PLM-Team/PLM-1.8B-Base, as the defaults of its authors' PLMConfig
    **{"model_type": "plm", "architectures": ["PLMForCausalLM"], "hidden_size": 2048, "num_hidden_layers": 32},
    **{"intermediate_size": 8192, "num_attention_heads": 16, "kv_lora_rank": 512, "hidden_act": "relu2"},
}
SMALL: dict[str, Any] = {  # PowerInfer/SmallThinker-4BA0.6B-Instruct, as a public copy of its config.json says
    **{"model_type": "smallthinker", "architectures": ["SmallThinkerForCausalLM"], "hidden_size": 1536},
    **{"head_dim": 128, "moe_ffn_hidden_size": 768, "moe_num_active_primary_experts": 4, "num_attention_heads": 12},
    **{"moe_num_primary_experts": 32, "num_hidden_layers": 32, "num_key_value_heads": 2, "rope_layout": [1] * 32},
    **{"sliding_window_layout": [0] * 32, "sliding_window_size": 4096, "tie_word_embeddings": True},
    **{"vocab_size": 151936, "norm_topk_prob": True, "model_name": "smallthinker_4b_instruct"},
}
GROVE: dict[str, Any] = {  # huggingface.co/inclusionAI/GroveMoE-Inst: Qwen3-30B-A3B's sizes
    **{"model_type": "grove_moe", "architectures": ["GroveMoeForCausalLM"], "vocab_size": 151936},
    **{"hidden_size": 2048, "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8},
    **{"norm_topk_prob": True, "mlp_only_layers": [], "decoder_sparse_step": 1},
}
LLADA: dict[str, Any] = {  # inclusionAI/LLaDA-MoE-7B-A1B-Base; null as in configuration_lladamoe.py's defaults
    **{"model_type": "llada", "architectures": ["LLaDAMoEModelLM"], "vocab_size": 157184, "hidden_size": 2048},
    **{"num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 16, "num_experts": 64},
    **{"num_experts_per_tok": 8, "expert_intermediate_size": 1024, "dense_intermediate_size": 8192},
    **{"moe_layer_freq": [1] * 16, "qk_layernorm": True, "norm_topk_prob": None, "rope_theta": 50000},
    **{"shared_expert_intermediate_size": None, "router_num_group": None, "partial_rotary_factor": 1},
}
PHIXTRAL: dict[str, Any] = {  # huggingface.co/mlabonne/phixtral-2x2_8
    **{"model_type": "phi-msft", "architectures": ["PhiForCausalLM"], "n_embd": 2560, "n_layer": 32, "n_head": 32},
    **{"rotary_dim": 32, "num_local_experts": 2, "num_experts_per_tok": 2, "n_inner": None, "n_positions": 2048},
}
RND1: dict[str, Any] = {  # rnd/configuration_rnd.py of github.com/RadicalNumerics/RND1
    **{"model_type": "rnd1", "architectures": ["RND1LM"], "vocab_size": 151936, "hidden_size": 2048, "head_dim": 128},
    **{"num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "intermediate_size": 6144},
    **{"moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": True},
    **{"decoder_sparse_step": 1, "mlp_only_layers": [], "tie_word_embeddings": False, "sliding_window": False},
    **{"mask_token_id": 151669, "num_diffusion_steps": 256, "use_cache": False, "is_causal": False},
}
CASES: list[tuple[dict[str, Any], int]] = [
    (REFACT, 2 * 49216 * 2048 + 32 * (2 * 2048**2 + 2 * 2048 * 64 + 3 * 2048 * 5632 + 2 * 2048) + 2048),
    (
        JAIS,
        84992 * 5120 + 40 * (4 * 5120**2 + 4 * 5120 + 3 * 5120 * 13653 + 2 * 13653 + 5120 + 4 * 5120) + 2 * 5120 + 40,
    ),
    (
        PLM,
        151936 * 2048
        + 32 * (2048 * 16 * 192 + 2048 * 576 + 512 + 512 * 16 * 256 + 2048**2 + 2 * 2048 * 8192 + 2 * 2048)
        + 2048,
    ),
    (
        SMALL,
        151936 * 1536 + 32 * (1536 * 128 * (12 + 4 + 12) + 32 * 1536 + 32 * 3 * 1536 * 768 + 2 * 1536) + 1536,
    ),
    (
        GROVE,
        2 * 151936 * 2048
        + 48
        * (2048 * 128 * (32 + 8 + 32) + 2 * 128 + 128 * 2048 + 128 * 3 * 2048 * 768 + 64 * 3 * 2048 * 128 + 2 * 2048)
        + 2048,
    ),
    (
        LLADA,
        2 * 157184 * 2048 + 16 * (4 * 2048**2 + 2 * 128 + 64 * 2048 + 64 * 3 * 2048 * 1024 + 2 * 2048) + 2048,
    ),
    (
        PHIXTRAL,
        51200 * 2560
        + 32 * (4 * 2560**2 + 4 * 2560 + 2 * (2 * 2560 * 10240 + 10240 + 2560) + 2 * 2560 + 2 * 2560)
        + 2 * 2560
        + 51200 * 2561,
    ),
    (
        RND1,
        2 * 151936 * 2048
        + 48 * (2048 * 128 * (32 + 8 + 32) + 2 * 128 + 128 * 2048 + 128 * 3 * 2048 * 768 + 2 * 2048)
        + 2048,
    ),
]


@pytest.mark.parametrize(("model", "expected"), CASES, ids=[case[0]["model_type"] for case in CASES])
def test_parameters(model: dict[str, Any], expected: int) -> None:
    assert graphacct.account(model, seq_len=8, phase="decode").total["params"] == expected


def test_published_totals() -> None:
    """RND1's to the unit, as Qwen3-30B-A3B's checkpoint has it; LLaDA-MoE's to half a MiB of bfloat16, of which the
    experts have 12,288; a file that leaves RND1's sizes out has those of its class."""
    assert graphacct.account(RND1, seq_len=8).total["params"] == 30_532_122_624
    assert graphacct.account({"model_type": "rnd1"}, seq_len=8).total["params"] == 30_532_122_624
    found = graphacct.account(LLADA, seq_len=8)
    assert round(found.total["params"] * 2 / 2**20) == 14032
    experts = [row for row in found.by_parameter if ".experts." in row.parameter.name]
    assert sum(prod(row.parameter.spec.shape) * row.count for row in experts) * 2 == 12288 * 2**20


def test_experts_of_llada() -> None:
    """Its class never divides the chosen weights by their sum, and a shared expert is the layer's own; a part of each
    head's dimensions may be turned."""
    small = {**LLADA, "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "moe_layer_freq": [0, 1]}
    small |= {"expert_intermediate_size": 8, "dense_intermediate_size": 24, "num_attention_heads": 4}
    small |= {"num_key_value_heads": 2, "shared_expert_intermediate_size": 12}
    plain = graphacct.account(small, seq_len=8)
    assert graphacct.account({**small, "norm_topk_prob": True}, seq_len=8).total == plain.total
    shared = {row.parameter.name for row in plain.by_parameter if "shared" in row.parameter.name}
    names = ("gate_proj", "up_proj", "down_proj")
    assert shared == {f"model.layers.*.shared_expert.{name}.weight" for name in names}
    half = graphacct.account({**small, "partial_rotary_factor": 0.5}, seq_len=8).total
    assert half["params"] == plain.total["params"]
    assert half["flops"] < plain.total["flops"]


@pytest.mark.parametrize("model", [REFACT, JAIS], ids=lambda model: model["model_type"])
def test_products(model: dict[str, Any]) -> None:
    """2 FLOPs for each weight that a token is multiplied with, and two products with each of 8 positions per head."""
    found = graphacct.account(model, seq_len=8, attention="eager", convention="matmul")
    rows = [row for row in found.by_parameter if len(row.parameter.spec.shape) == 2]
    apart = ("transformer.wte.weight", "transformer.relative_pe.slopes")  # a tied head is a row of its own
    rows = [row for row in rows if row.parameter.name not in apart]
    weights = sum(prod(row.parameter.spec.shape) * row.count for row in rows)
    width, layers = model["n_embd"], model["n_layer"]
    assert found.total["matmul_flops"] == 8 * 2 * weights + 2 * 2 * 8 * 8 * width * layers


def test_experts_beside_pairs_and_before_attention() -> None:
    """GroveMoE adds 8 small experts of 128 to each token's 8 of 768; SmallThinker's router reads the layer's input."""
    grove = graphacct.account(GROVE, seq_len=8, convention="matmul").total["matmul_flops"]
    plain = {key: value for key, value in GROVE.items() if key not in ("model_type", "architectures")}
    plain |= {"model_type": "qwen3_moe", "num_hidden_layers": 48, "head_dim": 128, "num_key_value_heads": 4}
    assert grove - graphacct.account(plain, seq_len=8, convention="matmul").total["matmul_flops"] == (
        48 * 8 * 8 * 2 * 3 * 2048 * 128
    )
    nodes = {node.name: node for node in graphacct.build(SMALL, seq_len=8).walk()}
    router = next(node for name, node in nodes.items() if name.endswith("block_sparse_moe.router_input"))
    assert "attn_residual" not in router.inputs[0].name


def test_two_lists_say_each_layer_of_mimo() -> None:
    """MiMo-V2.5's sizes with two layers: which has a window and which has experts is listed, with sizes for each."""
    sizes = {
        **{"model_type": "mimo_v2", "architectures": ["MiMoV2ForCausalLM"], "vocab_size": 64, "hidden_size": 6144},
        **{"num_hidden_layers": 2, "num_attention_heads": 128, "num_key_value_heads": 8, "head_dim": 192},
        **{"v_head_dim": 128, "swa_num_attention_heads": 128, "swa_num_key_value_heads": 8, "swa_head_dim": 192},
        **{"swa_v_head_dim": 128, "partial_rotary_factor": 0.334, "rope_theta": 10000000, "swa_rope_theta": 10000},
        **{"sliding_window": 128, "sliding_window_size": 128, "hybrid_layer_pattern": [0, 1]},
        **{"moe_layer_freq": [0, 1], "add_swa_attention_sink_bias": True, "add_full_attention_sink_bias": False},
        **{
            "intermediate_size": 16384,
            "n_routed_experts": 384,
            "num_experts_per_tok": 8,
            "routed_scaling_factor": None,
        },
        **{"moe_intermediate_size": 2048, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 1},
        **{"attention_value_scale": 0.612, "attention_projection_layout": "fused_qkv", "layernorm_epsilon": 1e-5},
    }
    report = graphacct.account(sizes, seq_len=8)
    joint = 6144 * 27136  # 128 heads and 8 of 192, and 8 of 128: as the published files' tensors
    each = joint + 128 * 128 * 6144 + 2 * 6144
    expected = 2 * 64 * 6144 + 2 * each + 3 * 6144 * 16384 + 128 + 384 * 6144 + 384 * 3 * 6144 * 2048 + 6144
    assert report.total["params"] == expected
    with pytest.raises(
        graphacct.GraphacctError, match="vision_config is there: towers of this family are not modelled"
    ):
        graphacct.account({**sizes, "vision_config": {"depth": 28}}, seq_len=8)
    with pytest.raises(graphacct.GraphacctError, match="num_hidden_layers is 2: each layer needs one"):
        graphacct.account({**sizes, "moe_layer_freq": [0]}, seq_len=8)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**REFACT, "multi_query": False}, "multi_query is always true"),
        ({**JAIS, "activation_function": "no_such"}, "activation_function cannot be 'no_such': it is swiglu or"),
        ({**SMALL, "rope_layout": [1]}, "rope_layout is .* num_hidden_layers is 32: each layer needs one"),
        ({**GROVE, "mlp_only_layers": [0]}, "leave layers without experts, not modelled: set 1 and"),
        ({**LLADA, "moe_layer_freq": [1]}, "moe_layer_freq names 1 layers, num_hidden_layers is 16"),
    ],
)
def test_refusals(model: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(model, seq_len=8)
