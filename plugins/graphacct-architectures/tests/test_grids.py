"""Small models with towers that read a grid of patches, held to what was measured on the library's own classes: their
parameters, FLOPs of a forward pass and of a step, and the bytes that a step saves (grids.json: `graphacct verify
--torch`; HunyuanOCR, ERNIE 4.5 VL and Step 3.7, whose classes look at data, with tensors of zeros)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

READ = json.loads(Path(__file__).with_name("grids.json").read_text())
MODELS: dict[str, dict[str, Any]] = READ["models"]
FILMS: list[dict[str, Any]] = READ["films"]


def options(model: dict[str, Any]) -> dict[str, Any]:
    sizes = {key: tuple(value) if isinstance(value, list) else value for key, value in model["workload"].items()}
    return {"attention": "eager", **sizes}


@pytest.mark.parametrize("name", MODELS)
def test_a_tower_of_a_grid_is_the_librarys(name: str) -> None:
    model = MODELS[name]
    truth, config, sizes = model["truth"], model["config"], options(model)
    forward = graphacct.account(config, **sizes).total
    found = {"params": int(forward["params"]), "forward": int(forward["matmul_flops"])}
    if "step" in truth:
        step = graphacct.account(config, phase="train", loss="sum", profile="torch-eager-cpu", **sizes).total
        found |= {"step": int(step["step_matmul_flops"]), "saved_bytes": int(step["saved_bytes"])}
    assert {key: found[key] for key in truth} == truth


@pytest.mark.parametrize("film", FILMS, ids=[film["model"] for film in FILMS])
def test_films_are_the_librarys(film: dict[str, Any]) -> None:
    """The class given pixel_values_videos and the grid of its times, rows and columns; an odd frame is a pair with
    itself."""
    config, truth, sizes = MODELS[film["model"]]["config"], film["truth"], options(film)
    forward = graphacct.account(config, **sizes).total
    found = {"params": int(forward["params"]), "forward": int(forward["matmul_flops"])}
    if "step" in truth:
        step = graphacct.account(config, phase="train", loss="sum", profile="torch-eager-cpu", **sizes).total
        found |= {"step": int(step["step_matmul_flops"]), "saved_bytes": int(step["saved_bytes"])}
    assert {key: found[key] for key in truth} == truth


def test_placeholders_of_a_film() -> None:
    """Two frames are one time; a square of 2 × 2 patches is a token: 16 / 4 = 4 patches on a side, 3 times."""
    with pytest.raises(graphacct.ConfigError, match="the 12 placeholders of 1 images of 12 tokens"):
        graphacct.account(MODELS["qwen2_vl"]["config"], image_size=16, frames=6, seq_len=8)


def test_a_model_without_films_says_so() -> None:
    with pytest.raises(graphacct.ConfigError, match=r"hunyuan_vl has no frames: .*; it takes no films, so give their"):
        graphacct.account(MODELS["hunyuan"]["config"], image_size=16, frames=6, seq_len=32)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model["workload"].get("images") != 0])
def test_fused_attention_has_the_same_products(name: str) -> None:
    model = MODELS[name]
    sizes = options(model)
    flops = [
        graphacct.account(model["config"], **{**sizes, "attention": kind}).total["matmul_flops"]
        for kind in ("eager", "fused")
    ]
    assert flops[0] == flops[1]


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("glm4v", 18, "image_size 18x18 is that after resizing: multiples of 8 and 8, 2 patches of 4 pixels"),
        ("minicpm-b", 20, "image_size 20x20 is that after resizing: multiples of 32 and 32"),
        ("lfm2_vl", 12, "image_size has 3 x 3 patches, and 2 x 2 become one token: give multiples of 8"),
    ],
)
def test_an_image_that_is_no_whole_squares_is_refused(name: str, size: int, message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(MODELS[name]["config"], seq_len=64, image_size=size)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("muse", {"out_hidden_size": 100}, "out_hidden_size is 100, and the tower's tokens are 128 wide"),
        ("minicpm", {"insert_layer_id": 3}, "insert_layer_id is 3, and vision_config has 3 layers"),
        ("minicpm", {"insert_layer_id": -2}, "insert_layer_id is the index of a layer, or -1 for none, not -2"),
        ("minicpm", {"downsample_mode": "8x"}, "downsample_mode"),
    ],
)
def test_what_the_class_does_not_do_is_refused(name: str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**MODELS[name]["config"], **changed}, seq_len=32, image_size=16)


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("ernie", "mlp_layer_types", ["dense"], "mlp_layer_types names 1 layers, num_hidden_layers is 3"),
        ("ernie", "mlp_layer_types", "dense", "mlp_layer_types is a list of dense and sparse"),
        ("muse", "layer_rope_theta", [1, 0], "layer_rope_theta names 2 layers, num_hidden_layers is 5"),
        ("muse", "layer_rope_theta", [-1] * 5, "layer_rope_theta is a list of numbers"),
    ],
)
def test_lists_of_layers_agree(name: str, key: str, value: Any, message: str) -> None:
    config = MODELS[name]["config"]
    changed = {**config, "text_config": {**config["text_config"], key: value}}
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(changed, seq_len=32, image_size=16)


def test_many_images_are_one_batch_and_said_to_be() -> None:
    """Up to 64 images a tower is described as its class runs it, each image apart."""
    config = MODELS["qwen2_vl"]["config"]
    few, many = (graphacct.memory(config, seq_len=5000, image_size=16, images=count) for count in (64, 65))
    assert not few.inexact
    assert any("up to 64 images and windows" in line for line in many.inexact)


def test_minicpm_ocr_is_minicpm_v_with_other_defaults() -> None:
    """All tokens of the tower are read, and the head is tied, unless the file says otherwise."""
    small = {**MODELS["minicpm"]["config"], "downsample_mode": "4x", "tie_word_embeddings": True}
    rest = {key: value for key, value in small.items() if key not in ("downsample_mode", "tie_word_embeddings")}
    other = {**rest, "model_type": "minicpm_ocr", "architectures": ["MiniCPMOcrForConditionalGeneration"]}
    found, own = (graphacct.account(model, seq_len=60, image_size=(16, 24)).total for model in (other, small))
    assert found == own
