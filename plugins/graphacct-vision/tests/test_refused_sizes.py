"""What files of image models are refused for: sizes that the library's class cannot build or run."""

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

SEGMENTS = ["MobileViTForSemanticSegmentation"]
CASES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {"model_type": "pvt", "image_size": 224, "sequence_reduction_ratios": [8, 4, 2, 2]},
        "the last stage's class token",
    ),
    ({"model_type": "pvt_v2", "depths": [2, 2]}, "depths has 2 stages, num_encoder_blocks is 4"),
    ({"model_type": "glpn", "head_in_index": 7}, "head_in_index is 7: an index of one of 4 stages"),
    ({"model_type": "donut-swin", "use_absolute_embeddings": True}, "one position more than an image has patches"),
    ({"model_type": "hgnet_v2", "stage_in_channels": [48, 64, 512, 1024]}, "stage_in_channels has 64 at 1, where 128"),
    ({"model_type": "efficientnet", "hidden_dim": 1280}, "hidden_dim is 1280, but 1280 scaled in width is 2560"),
    ({"model_type": "dpt", "is_hybrid": True}, "is_hybrid is true: DPT whose patches are a BiT's"),
    ({"model_type": "dpt", "reassemble_factors": [4, 2]}, "reassemble_factors has 2 numbers, but 4 maps arrive"),
    (
        {"model_type": "mobilevit", "architectures": ["MobileViTForSemanticSegmentation"], "atrous_rates": [6]},
        "has 1 num",
    ),
    ({"model_type": "upernet", "backbone_config": {"model_type": "bert"}}, "is 'bert', which is no backbone here"),
    ({"model_type": "vitpose_backbone", "num_experts": 6}, "num_experts is 6: ViTPose"),
    ({"model_type": "rt_detr_resnet", "layer_type": "basic"}, "the library's basic layer halves the shortcut there"),
    (
        {"model_type": "rt_detr", "d_model": 256, "learn_initial_query": True},
        "the library's class cannot run such a model",
    ),
    ({"model_type": "rt_detr_v2", "d_model": 256, "decoder_method": "discrete"}, "decoder_method is 'discrete'"),
    ({"model_type": "sam", "mask_decoder_config": {"hidden_size": 128}}, "both hidden_size are one width"),
    ({"model_type": "maskformer-swin", "architectures": ["MaskFormerSwinBackbone"], "out_indices": [0]}, "no stem"),
    ({"model_type": "d_fine", "d_model": 256, "eval_idx": 2}, "no head of boxes for the layers after it"),
    ({"model_type": "d_fine", "d_model": 256, "decoder_n_points": [4, 4]}, "decoder_n_points has 2 numbers"),
    ({"model_type": "deimv2", "d_model": 256, "encoder_fuse_op": "cat"}, "set it to 'sum'"),
    (
        {"model_type": "sam3_vision_model", "fpn_hidden_size": 256, "scale_factors": [3.0]},
        "a map grows by 4, 2, 1 or 0.5",
    ),
    ({"model_type": "pp_lcnet", "block_configs": [[[3, 16, 16, 1, False]]]}, "block_configs has 1 stages: 5"),
    ({"model_type": "pp_lcnet_v4", "stem_strides": [2, 1]}, "a list of 5 strides"),
    ({"model_type": "lw_detr_vit", "num_windows": 6}, "the square of how many there are a side"),
    ({"model_type": "superpoint", "keypoint_decoder_dim": 60}, "squares of 8x8 pixels and none, 65"),
    (
        {
            "model_type": "sam2_video",
            "prompt_encoder_config": {"hidden_size": 256},
            "architectures": ["Sam2VideoModel"],
        },
        "--set architectures=Sam2Model",
    ),
)


@pytest.mark.parametrize(("content", "message"), CASES)
def test_a_size_that_does_not_fit_is_named(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps(content if "d_model" in content else {"num_channels": 3, **content})
    )
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(tmp_path)


@pytest.mark.parametrize("kind", ["videomae", "vivit", "timesformer"])
def test_other_frames_than_the_files_are_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "num_frames": 8}))
    with pytest.raises(graphacct.GraphacctError, match="frames 4 is not num_frames 8"):
        graphacct.account(tmp_path, frames=4)
    assert graphacct.account(tmp_path).total["flops"] > 0


def test_points_make_a_prompt_longer(tmp_path: Path) -> None:
    """SAM's image encoder costs the same for any number of points."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam", "vision_config": {"num_hidden_layers": 1}}))
    few, many = (graphacct.account(tmp_path, points=count, convention="matmul") for count in (1, 9))
    assert few.total["params"] == many.total["params"]
    rows = [{row.path: row.values["matmul_flops"] for row in found.by_scope} for found in (few, many)]
    assert rows[0]["vision_encoder"] == rows[1]["vision_encoder"]
    assert rows[0]["mask_decoder"] < rows[1]["mask_decoder"]
