"""Families of vision read from a config.json: small ones against what torch counts, and what they refuse.

The figures are those of the transformers library's classes (5.23) on meta tensors, in float32, with attention written
out: parameters, and matmul FLOPs of a training step from the sum of the outputs, and of its forward pass alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

FIGURES = json.loads((Path(__file__).parent / "families.json").read_text())


def account(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(content))
    return graphacct.account(folder, convention="matmul", **options)


@pytest.mark.parametrize("name", FIGURES)
def test_a_small_model_is_the_librarys(name: str, tmp_path: Path) -> None:
    """Parameters, and FLOPs forward and of a step."""
    case = FIGURES[name]
    sizes = {key: tuple(value) if isinstance(value, list) else value for key, value in case["sizes"].items()}
    names = ("params", "matmul_flops", "step_matmul_flops")
    found = account(tmp_path, case["config"], **sizes, phase="train", loss="sum", quantities=names)
    figures = tuple(found.total[name] for name in names)
    assert figures == (case["params"], case["forward"], case["step"])


RESNET = {"model_type": "resnet", "depths": [1, 1], "hidden_sizes": [8, 12], "embedding_size": 6}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model_type": "deformable_detr", "d_model": 256, "two_stage": True},
            "two_stage is true, but with_box_refine false",
        ),
        (
            {
                "model_type": "deformable_detr",
                "architectures": ["DeformableDetrForObjectDetection"],
                "decoder_layers": 1,
            },
            "decoder_layers is 1: the library's class cannot tie one layer's head",
        ),
        (
            {
                "model_type": "detr",
                "architectures": ["DetrForSegmentation"],
                "backbone_config": {**RESNET, "out_features": ["stage1", "stage2"]},
            },
            "the backbone hands on 2 maps: DetrForSegmentation reads 3",
        ),
        (
            {"model_type": "owlvit", "architectures": ["OwlViTForObjectDetection"], "projection_dim": 256},
            "text_config.hidden_size is 512, but projection_dim 256",
        ),
        (
            {"model_type": "clipseg", "projection_dim": 512, "extract_layers": [3, 12]},
            "extract_layers are indices of 12 layers",
        ),
        ({"model_type": "cvt", "depth": [1, 2, 2]}, "depth 2 of stage 2 is too small"),
        ({"model_type": "cvt", "num_heads": [1, 2]}, "num_heads has 2 values for 3 stages: one for each"),
        (
            {"model_type": "bit", "embedding_size": 64, "global_padding": "VALID"},
            "the library's class cannot add maps of other sizes",
        ),
        ({"model_type": "levit", "image_size": 230}, "the stem hands on 15x15 places, but image_size 230"),
        ({"model_type": "hiera", "num_query_pool": 4}, "num_query_pool is 4, but depths has 4 stages"),
        (
            {"model_type": "hiera", "embed_dim": 96, "architectures": ["HieraForPreTraining"]},
            "which is not modelled: it masks by chance",
        ),
        ({"model_type": "focalnet", "focal_windows": [3, 3, 4, 3]}, "focal_windows are odd"),
        ({"model_type": "swin2sr", "patch_size": 2}, "the library's class runs patches of 1 pixel alone"),
        ({"model_type": "swin2sr", "image_size": 60}, "image_size 60x60 is not whole windows of window_size 8"),
        ({"model_type": "textnet", "stem_out_channels": 8}, "stem_out_channels is 8, but hidden_sizes begins with 64"),
        (
            {
                "model_type": "maskformer",
                "architectures": ["MaskFormerForInstanceSegmentation"],
                "use_auxiliary_loss": True,
                "fpn_feature_size": 256,
            },
            "use_auxiliary_loss is true: the library's class reads what it then does not hand on",
        ),
    ],
    ids=str,
)
def test_what_a_class_cannot_be_is_named(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Which key, its value, and why."""
    with pytest.raises(graphacct.GraphacctError, match=message):
        account(tmp_path, content)


def test_layers_that_chance_leaves_out_are_refused_in_training(tmp_path: Path) -> None:
    """Mask2Former's class skips layers in training as often as its dropout says."""
    content = {"model_type": "mask2former", "hidden_dim": 256, "dropout": 0.1}
    with pytest.raises(graphacct.GraphacctError, match="in training the class leaves layers out by chance"):
        account(tmp_path, content, phase="train", loss="sum")
