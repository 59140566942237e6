"""DeepSeek-OCR's published file, whose class is its repository's own."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

TEXT: dict[str, Any] = {
    **{"architectures": ["DeepseekV2ForCausalLM"], "auto_map": {"AutoConfig": "configuration_deepseekv2.Config"}},
    **{"bos_token_id": 0, "eos_token_id": 1, "first_k_dense_replace": 1, "hidden_size": 1280},
    **{"intermediate_size": 6848, "kv_lora_rank": None, "lm_head": True, "max_position_embeddings": 8192},
    **{"moe_intermediate_size": 896, "n_group": 1, "n_routed_experts": 64, "n_shared_experts": 2},
    **{"num_attention_heads": 10, "num_experts_per_tok": 6, "num_hidden_layers": 12, "num_key_value_heads": 10},
    **{"q_lora_rank": None, "qk_nope_head_dim": 0, "qk_rope_head_dim": 0, "rm_head": False, "topk_group": 1},
    **{"topk_method": "greedy", "torch_dtype": "bfloat16", "use_mla": False, "v_head_dim": 0, "vocab_size": 129280},
}
SAM = {"downsample_channels": [512, 1024], "global_attn_indexes": [2, 5, 8, 11], "heads": 12, "layers": 12}
CLIP = {"heads": 16, "image_size": 224, "layers": 24, "patch_size": 14, "width": 1024}
PUBLISHED: dict[str, Any] = {
    **{key: value for key, value in TEXT.items() if key != "architectures"},
    "model_type": "deepseek_vl_v2",
    "architectures": ["DeepseekOCRForCausalLM"],
    **{"candidate_resolutions": [[1024, 1024]], "global_view_pos": "head", "tile_tag": "2D"},
    "language_config": TEXT,
    "projector_config": {
        **{"input_dim": 2048, "model_type": "mlp_projector", "n_embed": 1280, "projector_type": "linear"},
    },
    "vision_config": {
        **{"image_size": 1024, "mlp_ratio": 3.7362, "model_name": "deeplip_b_l", "model_type": "vision"},
        "width": {"clip-l-14-224": CLIP, "sam_vit_b": {**SAM, "width": 768}},
    },
}


def test_the_published_file() -> None:
    """The index of the repository's checkpoint states a total_size of 6,672,212,480 bytes, two for each element: as a
    whole, and in the file's other form. An image is 16 rows of 16 tokens with one behind each, and one at the end."""
    report = graphacct.account(PUBLISHED, seq_len=300, convention="matmul")
    assert report.total["params"] * 2 == 6_672_212_480
    assert not report.config_keys.not_understood
    other = graphacct.account({**PUBLISHED, "model_type": "deepseekocr"}, seq_len=300, convention="matmul")
    assert other.total == report.total
    projector = report["model.multi_modal_projector"].values["matmul_flops"]
    assert projector == 2 * 256 * 2048 * 1280
    with pytest.raises(graphacct.ConfigError, match="the 273 placeholders of 1 images of 273 tokens"):
        graphacct.account(PUBLISHED, seq_len=8)


def test_a_smaller_one() -> None:
    """The tables' sizes are those of the file."""
    small = {**PUBLISHED, "language_config": {**TEXT, "num_hidden_layers": 2, "vocab_size": 100}}
    fewer = graphacct.account(small, seq_len=300, convention="matmul")
    assert fewer.total["params"] < 900_000_000
    assert fewer["lm_head"].values["params"] == 100 * 1280


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"projector_config": {"projector_type": "downsample_mlp_gelu"}},
            "projector_type is 'downsample_mlp_gelu': DeepSeek-OCR's is linear",
        ),
        ({"language_config": {**TEXT, "use_mla": True}}, "language_config.use_mla is True: DeepSeek-OCR's is false"),
        ({"vision_config": {"width": {"sam_vit_b": 768}}}, "vision_config.width.sam_vit_b is an object with a width"),
        (
            {"architectures": ["DeepseekVLV2ForCausalLM"]},
            "of this model_type DeepseekOCRForCausalLM is read, DeepSeek-VL2 is not",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**PUBLISHED, **changes}, seq_len=300)
