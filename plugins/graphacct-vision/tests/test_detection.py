"""DETR read from a config.json: what it refuses, and what its backbone leaves to chance."""

import json
from pathlib import Path

import pytest

import graphacct


def test_a_backbone_of_timm_is_refused_by_name(tmp_path: Path) -> None:
    """Its modules have other names, and only timm has its sizes."""
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "detr", "backbone": "tf_mobilenetv3", "d_model": 16})
    )
    with pytest.raises(graphacct.GraphacctError, match="backbone 'tf_mobilenetv3' is timm's, which is not modelled"):
        graphacct.account(tmp_path)


def test_the_backbone_is_not_trained(tmp_path: Path) -> None:
    """The library freezes a ResNet's weights, and its norms are buffers."""
    backbone = {"model_type": "resnet", "depths": [1], "hidden_sizes": [8], "out_features": ["stage1"]}
    content = {"model_type": "detr", "backbone_config": backbone, "d_model": 16, "encoder_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps(content))
    rows = graphacct.account(tmp_path, image_size=64, phase="train", loss="sum").by_parameter
    inside = [row.parameter for row in rows if row.parameter.name.startswith("backbone.")]
    assert inside
    assert all(parameter.frozen or parameter.buffer for parameter in inside)
    assert not any(row.parameter.frozen for row in rows if row.parameter.name.startswith("encoder."))


def test_a_window_larger_than_a_map_is_named(tmp_path: Path) -> None:
    """Swin's numbers of pairs are for whole windows."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "swin", "image_size": 64}))
    with pytest.raises(graphacct.GraphacctError, match="less than window_size 7: take a larger image_size"):
        graphacct.account(tmp_path)
