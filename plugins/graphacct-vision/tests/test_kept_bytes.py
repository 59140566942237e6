"""Bytes that autograd keeps of small image encoders, as torch 2.13 and the transformers library's classes keep them.

Measured by autograd's saved-tensor hooks up to the sum of the outputs, with attention written out; the image, which
the caller holds, is not counted.
"""

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

CASES: dict[str, tuple[dict[str, Any], tuple[int, int, int], int]] = {
    "dinov2": (
        {
            "model_type": "dinov2",
            "hidden_size": 12,
            "num_attention_heads": 3,
            "num_hidden_layers": 2,
            "patch_size": 2,
            "image_size": 4,
            "qkv_bias": False,
            "num_channels": 1,
            "mlp_ratio": 2,
            "use_mask_token": True,
            "use_swiglu_ffn": False,
            "drop_path_rate": 0.0,
            "out_features": ["stem", "stage1"],
            "apply_layernorm": False,
            "reshape_hidden_states": True,
            "architectures": ["Dinov2Model"],
        },
        (2, 8, 8),
        62560,
    ),
    "dinov3_vit": (
        {
            "model_type": "dinov3_vit",
            "hidden_size": 24,
            "num_attention_heads": 3,
            "num_hidden_layers": 2,
            "intermediate_size": 28,
            "patch_size": 2,
            "query_bias": False,
            "key_bias": False,
            "proj_bias": True,
            "use_gated_mlp": True,
            "num_register_tokens": 2,
            "drop_path_rate": 0.0,
            "pos_embed_jitter": 1.1,
            "out_indices": [0, 2],
            "apply_layernorm": False,
            "reshape_hidden_states": True,
            "architectures": ["DINOv3ViTModel"],
        },
        (2, 8, 8),
        130528,
    ),
    "swin": (
        {
            "model_type": "swin",
            "embed_dim": 12,
            "depths": [5, 1, 4],
            "num_heads": [2, 3, 2],
            "window_size": 2,
            "patch_size": 2,
            "image_size": 24,
            "mlp_ratio": 1.5,
            "hidden_act": "gelu_new",
            "num_channels": 1,
            "encoder_stride": 3,
            "use_absolute_embeddings": True,
            "out_features": ["stem", "stage1", "stage2", "stage3"],
            "architectures": ["SwinForImageClassification"],
            "drop_path_rate": 0.0,
        },
        (1, 24, 24),
        793904,
    ),
    "swinv2": (
        {
            "model_type": "swinv2",
            "embed_dim": 12,
            "depths": [5, 1, 4],
            "num_heads": [2, 3, 2],
            "window_size": 3,
            "patch_size": 2,
            "image_size": 24,
            "mlp_ratio": 1.5,
            "hidden_act": "gelu_new",
            "num_channels": 1,
            "encoder_stride": 3,
            "out_features": ["stem", "stage1", "stage2", "stage3"],
            "pretrained_window_sizes": [0, 0, 0, 0],
            "architectures": ["Swinv2ForImageClassification"],
            "drop_path_rate": 0.0,
        },
        (1, 24, 24),
        1486328,
    ),
    "segformer": (
        {
            "model_type": "segformer",
            "num_encoder_blocks": 3,
            "num_attention_heads": [2, 3, 2],
            "hidden_sizes": [8, 12, 8],
            "depths": [3, 3, 3],
            "sr_ratios": [1, 2, 1],
            "patch_sizes": [3, 3, 3],
            "strides": [2, 2, 2],
            "mlp_ratios": [3, 1, 1],
            "hidden_act": "gelu_new",
            "decoder_hidden_size": 6,
            "drop_path_rate": 0.0,
            "architectures": ["SegformerForSemanticSegmentation"],
            "id2label": {"0": "class 0"},
            "classifier_dropout_prob": 0.0,
        },
        (2, 33, 40),
        8074208,
    ),
    "convnextv2": (
        {
            "model_type": "convnextv2",
            "hidden_sizes": [8, 12, 8],
            "depths": [1, 3, 1],
            "patch_size": 2,
            "layer_scale_init_value": 0.0,
            "num_stages": 3,
            "out_features": ["stem", "stage1", "stage2", "stage3"],
            "architectures": ["ConvNextV2ForImageClassification"],
            "drop_path_rate": 0.0,
        },
        (2, 70, 65),
        3271096,
    ),
    "mobilenet_v2": (
        {
            "model_type": "mobilenet_v2",
            "depth_multiplier": 1.3,
            "image_size": 40,
            "expand_ratio": 2.0,
            "first_layer_is_expansion": False,
            "finegrained_output": False,
            "architectures": ["MobileNetV2ForImageClassification"],
            "id2label": {"0": "class 0"},
            "drop_path_rate": 0.0,
            "classifier_dropout_prob": 0.0,
        },
        (2, 64, 64),
        9417688,
    ),
}
"""A file's content, the batch and the image's sides, and the bytes."""


@pytest.mark.parametrize("family", CASES)
def test_kept_bytes(family: str, tmp_path: Path) -> None:
    """Equal to the byte."""
    content, (batch, *image), kept = CASES[family]
    (tmp_path / "config.json").write_text(json.dumps(content))
    options = {} if family in ("convnextv2", "mobilenet_v2") else {"attention": "eager"}
    found = graphacct.account(tmp_path, batch=batch, image_size=image, phase="train", loss="sum", **options)
    assert found.total["saved_bytes"] == kept
