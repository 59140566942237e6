"""Decoders that have another family's layers under another type, most of them of remote code.

No library's class measures those: the parameters are the arithmetic of the shapes in the models' own repositories, and
agree with the totals that the models' pages print, or with the total of the class that transformers 5.24 reads the type
with.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.hooks.manager import default

DEEPSEEK_MOE: dict[str, Any] = {
    **{"model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408},
    **{"n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1},
    **{"num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 28, "vocab_size": 102400},
}
LING_LITE: dict[str, Any] = {
    **{"model_type": "bailing_moe", "architectures": ["BailingMoeForCausalLM"], "hidden_size": 2048},
    **{"moe_intermediate_size": 1408, "num_attention_heads": 16, "num_experts": 64, "num_experts_per_tok": 6},
    **{"num_hidden_layers": 28, "num_key_value_heads": 4, "num_shared_experts": 2, "vocab_size": 126464},
    **{"use_bias": False, "intermediate_size": 5632},
}
ATTENTION_OF_LING = 2048 * 24 * 128 + 2048**2
TOTALS: list[tuple[dict[str, Any], int, str]] = [
    ({"model_type": "internlm3", "hidden_size": 4096}, 8_804_241_408, "transformers 5.24"),
    ({"model_type": "iquestcoder", "hidden_size": 5120}, 39_794_283_520, "transformers 5.24"),
    ({"model_type": "helium", "hidden_size": 2560}, 2_172_643_840, "transformers 5.24"),
    ({"model_type": "exaone", "hidden_size": 4096}, 7_818_448_896, "transformers 5.24"),
    ({"model_type": "sarvam_mla", "hidden_size": 4096}, 106_031_763_456, "transformers 5.24"),
    ({"model_type": "sarvam_moe", "hidden_size": 4096}, 32_152_648_064, "transformers 5.24"),
    ({"model_type": "granite_swa", "hidden_size": 2560}, 2_144_463_840, "transformers 5.24"),
    (
        DEEPSEEK_MOE,  # 16.4B
        2 * 102400 * 2048
        + 28 * (4 * 2048**2 + 2 * 2048)
        + 3 * 2048 * 10944
        + 27 * (64 * 2048 + 66 * 3 * 2048 * 1408)
        + 2048,
        "deepseek-ai/deepseek-moe-16b-base",
    ),
    (
        LING_LITE,  # 16.8B
        2 * 126464 * 2048 + 28 * (ATTENTION_OF_LING + 2 * 2048 + 64 * 2048 + 66 * 3 * 2048 * 1408) + 2048,
        "inclusionAI/Ling-lite",
    ),
    (
        {"model_type": "bailing_moe_v2", "hidden_size": 2048},  # 16.26B, norms of queries and keys among them
        2 * 157184 * 2048
        + 20 * (ATTENTION_OF_LING + 2 * 128 + 2 * 2048)
        + 3 * 2048 * 5120
        + 19 * (256 * 2048 + 257 * 3 * 2048 * 512)
        + 2048,
        "inclusionAI/Ling-mini-2.0",
    ),
    (
        {"model_type": "orion", "hidden_size": 5120},  # 14.5B, norms with biases
        2 * 84608 * 5120 + 40 * (4 * 5120**2 + 3 * 5120 * 15360 + 4 * 5120) + 2 * 5120,
        "OrionStarAI/Orion-14B-Base",
    ),
    (
        {"model_type": "xverse", "hidden_size": 5120},
        2 * 100278 * 5120 + 40 * (4 * 5120**2 + 3 * 5120 * 13824 + 2 * 5120) + 5120,
        "xverse/XVERSE-13B",
    ),
    (
        {"model_type": "maincoder", "hidden_size": 1536},
        151936 * 1536 + 32 * (1536 * 24 * 96 + 1536**2 + 3 * 1536 * 4096 + 2 * 96 + 2 * 1536) + 1536,
        "Maincode/Maincoder-1B",
    ),
    (
        {"model_type": "PanguEmbedded", "hidden_size": 4096},  # biases of all four projections
        2 * 153376 * 4096 + 34 * (4096 * 6144 + 6144 + 4096**2 + 4096 + 3 * 4096 * 12800 + 2 * 4096) + 4096,
        "openPangu-Embedded-7B",
    ),
]


@pytest.mark.parametrize(("model", "expected", "source"), TOTALS, ids=[item[0]["model_type"] for item in TOTALS])
def test_parameters(model: dict[str, Any], expected: int, source: str) -> None:
    """`expected` is of the source that stands beside it."""
    found = graphacct.account(model, seq_len=8)
    assert found.total["params"] == expected


NAMES = {
    "exaone": ({"architectures": ["ExaoneForCausalLM"]}, "transformer.h.*.attn.attention.q_proj.weight"),
    "kormo": ({}, "model.layers.*.pre_attention_layernorm.weight"),
    "maincoder": ({}, "model.layers.*.feed_forward.gate_proj.weight"),
    "bailing_moe_v2": ({}, "model.layers.*.mlp.gate.expert_bias"),
    "sarvam_moe": ({"architectures": ["SarvamMoEForCausalLM"]}, "model.layers.*.attention.query_key_value.weight"),
    "param2moe": ({}, "model.layers.*.attention.query_layernorm.weight"),
    "plamo": ({}, "model.layers.layers.*.norm.weight"),
    "plamo3": ({}, "model.layers.layers.*.mixer.qkv_proj.weight"),
    "llama_bidirec": ({"architectures": ["LlamaBidirectionalModel"]}, "layers.*.self_attn.q_proj.weight"),
    "Dream": ({"architectures": ["DreamModel"]}, "lm_head.weight"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names(kind: str) -> None:
    """A layer's tensors are called as in the published files."""
    keys, name = NAMES[kind]
    found = graphacct.account({"model_type": kind, "hidden_size": 4096, "num_attention_heads": 32, **keys}, seq_len=8)
    assert any(_same(row.parameter.name, name) for row in found.by_parameter)


def _same(found: str, pattern: str) -> bool:
    parts, wanted = found.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(
        want == part or (want == "*" and not part.isalpha()) for part, want in zip(parts, wanted, strict=True)
    )


def test_exaone_has_llamas_names_in_transformers() -> None:
    found = graphacct.account(
        {"model_type": "exaone", "architectures": ["LlamaForCausalLM"], "num_layers": 2, "hidden_size": 4096}, seq_len=8
    )
    assert any(row.parameter.name == "model.embed_tokens.weight" for row in found.by_parameter)


def test_a_model_that_fills_in_sees_the_whole_sequence() -> None:
    """Dream's attention has no mask, fused or written out: a diffusion model reads both ways."""
    sizes = {
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 1,
        "intermediate_size": 16,
    }
    graph = graphacct.build({"model_type": "Dream", "architectures": ["DreamModel"], **sizes}, seq_len=8)
    core = next(node for node in graph.unroll().nodes if node.operator == "scaled_dot_product_attention")
    assert core.attributes["causal"] is False
    assert len(core.values) == 3


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"model_type": "orion", "architectures": ["OrionForVision"]},
            "architectures has 'OrionForVision': the classes of orion",
        ),
        ({"model_type": "iquestcoder", "clip_qkv": 8.0}, "clip_qkv"),
        ({"model_type": "Dream", "use_sliding_window": True}, "use_sliding_window"),
        ({"model_type": "helium", "head_dim": 64}, "all heads are 1280 wide and hidden_size is 2560"),
        (
            {"model_type": "granite_swa", "layer_rope_theta": [1e4]},
            "layer_rope_theta has 1 numbers, num_hidden_layers is 24",
        ),
        ({**DEEPSEEK_MOE, "num_experts_per_tok": None}, "num_experts_per_tok is missing: how many of 64 experts"),
        ({**LING_LITE, "score_function": "sigmoid"}, "published models have a bias with sigmoids alone"),
        ({**LING_LITE, "first_k_dense_replace": 1, "intermediate_size": None}, "intermediate_size is missing"),
        ({"model_type": "plamo3", "sliding_window": [8, 16]}, "sliding_window is one window"),
    ],
)
def test_refusals(model: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({"hidden_size": 2560 if model["model_type"] == "helium" else 2048, **model}, seq_len=8)


def test_every_row_is_known_by_its_type() -> None:
    from graphacct_architectures.relatives import RELATIVES

    known = {kind for item in default().architectures.values() for kind in item.model_types}
    assert {kind for row in RELATIVES for kind in row.model_types} <= known


STEP: dict[str, Any] = {
    **{"model_type": "step3p5", "architectures": ["Step3p5ForCausalLM"], "hidden_size": 32, "num_attention_heads": 4},
    **{"num_attention_groups": 2, "head_dim": 8, "num_hidden_layers": 5, "num_nextn_predict_layers": 1},
    **{"intermediate_size": 20, "moe_intermediate_size": 12, "share_expert_dim": 10, "moe_num_experts": 8},
    **{"moe_top_k": 2, "vocab_size": 64, "sliding_window": 6, "moe_layers_enum": "2,3,4"},
    "layer_types": [
        *("full_attention" if index % 3 == 0 else "sliding_attention" for index in range(5)),
        "full_attention",
    ],
    "partial_rotary_factors": [0.5, 1.0, 1.0, 0.5, 1.0, 0.5],
    "rope_theta": [1e4, 1e3, 1e3, 1e4, 1e3, 1e4],
    "attention_other_setting": {"num_attention_heads": 6, "num_attention_groups": 2, "head_dim": 8},
}


def test_step_as_its_text_model_measures() -> None:
    """4,190,208 FLOPs of 2 x 24 tokens, by torch's counter of transformers' Step3p7TextModel (5.23), and its head; the
    lists have an entry more, of the layer that predicts a further token."""
    found = graphacct.account(STEP, batch=2, seq_len=24, attention="eager", convention="matmul")
    assert found.total["matmul_flops"] == 4_190_208 + 2 * 2 * 24 * 32 * 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries, num_hidden_layers is 5"),
        ({"sliding_window": None}, "layer 1 has sliding_attention, but sliding_window is not there"),
        ({"moe_layers_enum": "2,x"}, "moe_layers_enum is a list of layers' indices, not '2,x'"),
        ({"rope_theta": [0]}, "rope_theta is a positive number, or one for each layer"),
        ({"use_head_wise_attn_gate": False}, "use_head_wise_attn_gate is always true"),
    ],
)
def test_what_step_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**STEP, **change}, seq_len=8)


def test_differential_attention_drops_nothing() -> None:
    with pytest.raises(graphacct.GraphacctError, match="differential attention drops no weights"):
        graphacct.account({"model_type": "diffllama", "hidden_size": 2048, "attention_dropout": 0.1}, seq_len=8)
