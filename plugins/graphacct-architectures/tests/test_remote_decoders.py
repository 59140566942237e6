"""Decoders whose class stands in the models' own repositories, as published files have them.

No library's class measures them. The parameters are the arithmetic of the shapes in the repositories' code, and agree
with the totals that the models' pages print.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest

import graphacct

OPENELM: dict[str, Any] = {
    **{"model_type": "openelm", "architectures": ["OpenELMForCausalLM"], "model_dim": 1280, "head_dim": 64},
    **{"num_transformer_layers": 16, "vocab_size": 32000, "activation_fn_name": "swish"},
    "num_query_heads": [12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 20, 20, 20, 20],
    "num_kv_heads": [3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5],
    "ffn_multipliers": [0.5, 0.73, 0.97, 1.2, 1.43, 1.67, 1.9, 2.13, 2.37, 2.6, 2.83, 3.07, 3.3, 3.53, 3.77, 4.0],
}
NETWORKS = [768, 1024, 1280, 1536, 1792, 2048, 2560, 2816, 3072, 3328, 3584, 3840, 4352, 4608, 4864, 5120]
"""The widths of OpenELM-270M's networks: 1,280 times each number, as the nearest multiple of 256."""
SOLAR: dict[str, Any] = {
    **{"model_type": "solar", "architectures": ["SolarForCausalLM"], "hidden_size": 5120, "intermediate_size": 17920},
    **{"num_hidden_layers": 64, "num_attention_heads": 40, "num_key_value_heads": 10, "vocab_size": 32128},
    **{"bskcn_1": [12, 20, 32, 44], "bskcn_2": [20, 32], "bskcn_3": [16, 24, 36, 48], "bskcn_4": [28, 40]},
    "bskcn_tv": [0.9, 0.8],
}
LLADA: dict[str, Any] = {
    **{"model_type": "llada", "architectures": ["LLaDAModelLM"], "d_model": 4096, "n_layers": 32, "n_heads": 32},
    **{"n_kv_heads": 32, "mlp_hidden_size": 12288, "vocab_size": 126464, "weight_tying": False, "rope": True},
}
ARCTIC: dict[str, Any] = {
    **{"model_type": "arctic", "architectures": ["ArcticForCausalLM"], "hidden_size": 7168, "num_hidden_layers": 35},
    **{"intermediate_size": 4864, "num_attention_heads": 56, "num_key_value_heads": 8, "num_local_experts": 128},
    **{"num_experts_per_tok": 2, "moe_layer_frequency": 1, "parallel_attn_mlp_res": True, "vocab_size": 32000},
}
TELECHAT: dict[str, Any] = {
    **{"model_type": "telechat2", "architectures": ["TeleChat2ForCausalLM"], "hidden_size": 64, "n_layer": 2},
    **{"n_head": 4, "num_key_value_heads": 2, "ffn_hidden_size": 48, "vocab_size": 30, "hidden_act": "fastgelu"},
}
LILLE: dict[str, Any] = {
    **{"model_type": "lille-130m", "n_embd": 640, "n_layer": 24, "n_head": 10, "n_kv_heads": 2, "vocab_size": 32768}
}
KLEAR: dict[str, Any] = {
    **{"model_type": "Klear", "hidden_size": 2048, "num_hidden_layers": 32, "num_attention_heads": 32},
    **{"num_key_value_heads": 4, "moe_intermediate_size": 896, "num_experts": 256, "vocab_size": 151936},
}
GROK: dict[str, Any] = {"model_type": "grok-1", "architectures": ["Grok1ForCausalLM"], "hidden_size": 6144}
CASES: list[tuple[dict[str, Any], int, str]] = [
    (
        OPENELM,
        32000 * 1280
        + sum(
            2 * (q + k) * 64 * 1280 + 2 * 64
            for q, k in zip(OPENELM["num_query_heads"], OPENELM["num_kv_heads"], strict=True)
        )
        + sum(3 * 1280 * width + 2 * 1280 for width in NETWORKS)
        + 1280,
        "0.27",
    ),
    (SOLAR, 2 * 32128 * 5120 + 64 * (5120 * 7680 + 5120**2 + 3 * 5120 * 17920 + 2 * 5120) + 5120, "22.14"),
    (LLADA, 2 * 126464 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 12288 + 2 * 4096) + 4096, "8.02"),
    (
        ARCTIC,
        2 * 32000 * 7168
        + 35 * (2 * 7168**2 + 2 * 7168 * 1024 + 3 * 7168**2 + 128 * 7168 + 128 * 3 * 7168 * 4864 + 3 * 7168)
        + 7168,
        "478.58",
    ),
    (TELECHAT, 2 * 30 * 64 + 2 * (64 * 64 + 64 * 64 + 64 * 64 + 64 + 3 * 64 * 48 + 64 + 2 * 64) + 64, "0.00"),
    (LILLE, 32768 * 640 + 24 * (640 * 14 * 64 + 640**2 + 3 * 640 * 1792 + 2 * 640) + 640, "0.13"),
    (
        KLEAR,
        2 * 151936 * 2048
        + 32 * (2048 * 2560 + 2048**2 + 2 * 64 + 256 * 2048 + 257 * 3 * 2048 * 896 + 2 * 2048 + 2 + 2 * 2048)
        + 2048,
        "46.21",
    ),
    (
        GROK,
        131072 * 6144 + 64 * (2 * 6144**2 + 2 * 6144 * 1024 + 8 * 6144 + 8 * 3 * 6144 * 32768 + 4 * 6144) + 6144,
        "315.68",
    ),
]


@pytest.mark.parametrize(("model", "expected", "billions"), CASES, ids=[case[0]["model_type"] for case in CASES])
def test_parameters(model: dict[str, Any], expected: int, billions: str) -> None:
    found = graphacct.account(model, seq_len=8).total["params"]
    assert found == expected
    assert f"{found / 1e9:.2f}" == billions


@pytest.mark.parametrize("model", [OPENELM, SOLAR, LLADA, TELECHAT, LILLE], ids=lambda model: model["model_type"])
def test_products(model: dict[str, Any]) -> None:
    """2 FLOPs for each weight that a token is multiplied with, and two products with each of 8 positions per head."""
    found = graphacct.account(model, seq_len=8, attention="eager", convention="matmul")
    rows = [row for row in found.by_parameter if len(row.parameter.spec.shape) == 2]
    weights = sum(prod(row.parameter.spec.shape) * row.count for row in rows)
    embedding = next(row for row in rows if "emb" in row.parameter.name or "wte" in row.parameter.name)
    weights -= prod(embedding.parameter.spec.shape)
    heads = {
        "openelm": sum(model.get("num_query_heads", ())) * 64,
        "solar": 64 * 5120,
        "llada": 32 * 4096,
        "telechat2": 2 * 64,
        "lille-130m": 24 * 640,
    }[model["model_type"]]
    assert found.total["matmul_flops"] == 8 * 2 * weights + 2 * 2 * 8 * 8 * heads


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("model", [OPENELM, TELECHAT, LILLE], ids=lambda model: model["model_type"])
def test_folded_equals_unrolled(model: dict[str, Any], phase: str) -> None:
    graph = graphacct.build(model, seq_len=9, phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


def test_solar_mixes_in_the_stream_of_earlier_layers() -> None:
    """Six layers are given a part of what entered an earlier one: two products with constants and a sum for each
    element of 8 tokens, which Llama's layers do not have."""
    own = graphacct.account(SOLAR, seq_len=8).total["vector_flops"]
    keys = {key: value for key, value in SOLAR.items() if not key.startswith("bskcn")}
    llama = graphacct.account({**keys, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}, seq_len=8)
    assert own - llama.total["vector_flops"] == 6 * 3 * 8 * 5120


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**OPENELM, "num_kv_heads": [3]}, "num_kv_heads has 1 numbers, num_transformer_layers is 16"),
        ({**OPENELM, "ffn_multipliers": [0]}, "ffn_multipliers is a list of positive numbers"),
        ({**SOLAR, "bskcn_1": []}, "layer 16 mixes in a stream that no earlier layer remembers"),
        ({**SOLAR, "bskcn_tv": 1}, "bskcn_tv is two numbers"),
        ({**LLADA, "alibi": True}, "alibi is always false"),
        ({**TELECHAT, "embed_layernorm": True}, "embed_layernorm is always false"),
        ({"model_type": "hrm_text", "hidden_size": 32, "L_bp_cycles": 2}, "L_bp_cycles is a list of numbers of runs"),
        (
            {"model_type": "hrm_text", "hidden_size": 32, "num_layers_per_stack": 3, "num_hidden_layers": 16},
            "num_layers_per_stack is 3, num_hidden_layers 16: 8 runs of the stacks have 24 layers together",
        ),
    ],
)
def test_refusals(model: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(model, seq_len=8)


def test_openelm_without_lists() -> None:
    """Every layer has 16 heads of 128 and a network of four times the width, as the class's defaults say."""
    found = graphacct.account({"model_type": "openelm"}, seq_len=8).total["params"]
    assert found == 32000 * 2048 + 12 * (4 * 2048**2 + 2 * 128 + 3 * 2048 * 8192 + 2 * 2048) + 2048
    with pytest.raises(graphacct.GraphacctError, match="num_query_heads is left out: list it"):
        graphacct.account({"model_type": "openelm", "qkv_multipliers": [0.5, 1.0]}, seq_len=8)
