"""Models of text and images: a tower, a projector and any decoder, put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ReadError

TEXT = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 24,
    "patch_size": 8,
}
LLAVA = {
    "model_type": "llava",
    "architectures": ["LlavaForConditionalGeneration"],
    "text_config": TEXT,
    "vision_config": TOWER,
}
GRID = {
    "model_type": "qwen3_vl",
    "text_config": {key: value for key, value in TEXT.items() if key != "model_type"} | {"head_dim": 8},
    "vision_config": {
        "depth": 3,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_heads": 3,
        "patch_size": 4,
        "out_hidden_size": 16,
        "deepstack_visual_indexes": [0, 1],
        "num_position_embeddings": 16,
    },
}


def matmul(model: Any, **options: Any) -> graphacct.Report:
    """A report of products alone."""
    return graphacct.account(model, convention="matmul", **options)


def names(report: graphacct.Report) -> dict[str, Any]:
    """Each parameter's elements by name."""
    found: dict[str, Any] = {}
    for row in report.by_parameter:
        found[row.parameter.name] = found.get(row.parameter.name, 0) + row.count
    return found


def test_a_text_is_its_own_family_and_what_is_beside_it() -> None:
    """The text model costs what its family's does; a sequence has 9 patches of an image, 24 wide, in two layers:
    2 · 9 · (24 · 16 + 16 · 16) FLOPs."""
    whole = matmul(LLAVA, seq_len=20)
    text = matmul({**TEXT, "architectures": ["LlamaForCausalLM"]}, seq_len=20)
    assert whole["model.language_model"].values["matmul_flops"] == text["model"].values["matmul_flops"]
    assert whole["lm_head"].values["matmul_flops"] == text["lm_head"].values["matmul_flops"]
    assert whole["model.multi_modal_projector"].values["matmul_flops"] == 2 * 9 * (24 * 16 + 16 * 16)


def test_images_of_a_sequence() -> None:
    """Each costs the same tower; none leaves the text alone, with the tower's parameters in memory."""
    one, two, none = (matmul(LLAVA, seq_len=30, images=count) for count in (1, 2, 0))
    tower = one["model.vision_tower"].values["matmul_flops"]
    assert two["model.vision_tower"].values["matmul_flops"] == 2 * tower
    assert none.total["matmul_flops"] == none["model.language_model"].values["matmul_flops"] + 2 * 30 * 16 * 50
    assert one.total["params"] == none.total["params"]
    assert names(one) == names(none)


@pytest.mark.parametrize("model", [LLAVA, GRID], ids=["llava", "qwen3_vl"])
def test_a_decoding_step_runs_the_text_alone(model: dict[str, Any]) -> None:
    """Its cache has text and placeholders, so that it costs what the text's own step does."""
    step = matmul(model, phase="decode", cache_len=30)
    text = {**model["text_config"], "model_type": {"llava": "llama", "qwen3_vl": "qwen3"}[model["model_type"]]}
    assert step.total["matmul_flops"] == matmul(text, phase="decode", cache_len=30).total["matmul_flops"]
    assert step.total["params"] == matmul(model, seq_len=30, image_size=24).total["params"]
    prefill = matmul(model, phase="prefill", seq_len=30, image_size=24)
    assert prefill.total["matmul_flops"] == matmul(model, seq_len=30, image_size=24).total["matmul_flops"]


def test_a_generation_looks_once() -> None:
    """The prompt has the images; each further token is the text's alone."""
    whole = matmul(LLAVA, phase="generate", prompt_len=30, new_tokens=4).total["matmul_flops"]
    prompt = matmul(LLAVA, phase="prefill", seq_len=30, logits="last").total["matmul_flops"]
    steps = [matmul(TEXT, phase="decode", cache_len=30 + step).total["matmul_flops"] for step in range(3)]
    assert whole == prompt + sum(steps)


def test_layers_behind_the_one_that_is_read_get_no_gradient() -> None:
    """They run all the same: the step of a model that reads the first layer's output has the two others' forward pass
    and no gradients of theirs."""
    found = {
        layer: matmul({**LLAVA, "vision_feature_layer": layer}, seq_len=20, phase="train", loss="sum")
        for layer in (-1, 1)
    }
    forward = [report.total["matmul_flops"] for report in found.values()]
    assert forward[0] == forward[1]
    one_layer = matmul(LLAVA, seq_len=20)["model.vision_tower.encoder.layers.*"].values["matmul_flops"] // 3
    saved = found[-1].total["step_matmul_flops"] - found[1].total["step_matmul_flops"]
    assert saved == 2 * 2 * one_layer


def test_a_flat_file_is_todays(tmp_path: Path) -> None:
    """Qwen2-VL's published files have the text's keys outside; `text_config` holds them today."""
    text = {key: value for key, value in TEXT.items() if key != "model_type"}
    vision = {"depth": 2, "embed_dim": 24, "hidden_size": 16, "mlp_ratio": 2, "num_heads": 3, "patch_size": 4}
    rope = {"rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]}, "rope_theta": 1e6}
    outer = {"model_type": "qwen2_vl", "tie_word_embeddings": True, "image_token_id": 3}
    flat = {**outer, **text, **rope, "vision_config": {**vision, "model_type": "qwen2_vl", "in_chans": 3}}
    nested = {**outer, "text_config": {**text, **rope}, "vision_config": vision}
    (tmp_path / "config.json").write_text(json.dumps(flat))
    old, new = matmul(tmp_path, seq_len=30, image_size=16), matmul(nested, seq_len=30, image_size=16)
    assert old.total == new.total
    assert not old.annotated.graph.config_keys.not_understood
    smaller = matmul(tmp_path, seq_len=30, image_size=16, set={"num_hidden_layers": 1})
    assert smaller.total["params"] < old.total["params"]


def test_windows_see_less() -> None:
    """An image of 6 by 10 patches, windows of 4 by 4: two whole ones, one of 4 by 2, two of 2 by 4 and one of 2 by 2;
    2 · 2 · width · length² FLOPs in each."""
    vision = {
        "depth": 2,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_heads": 3,
        "patch_size": 4,
        "window_size": 16,
        "out_hidden_size": 16,
        "fullatt_block_indexes": [1],
    }
    model = {"model_type": "qwen2_5_vl", "text_config": GRID["text_config"], "vision_config": vision}
    found = matmul(model, seq_len=30, image_size=(24, 40), attention="eager")
    lengths = [16, 16, 8, 8, 8, 4]
    windows = sum(2 * 2 * 24 * length**2 for length in lengths)
    whole = 2 * 2 * 24 * 60**2
    projections = 2 * (2 * 60 * 24 * 24 * 4)
    assert found["model.visual.blocks.*.attn"].values["matmul_flops"] == windows + whole + projections


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {},
            {"seq_len": 15, "images": 2},
            "seq_len 15 is shorter than the 18 placeholders of 2 images of 9 tokens: seq_len counts text and "
            "placeholders together, give 18 or more, or fewer images",
        ),
        (
            {"vision_config": {**TOWER, "model_type": "vit"}},
            {},
            "the configuration: vision_config.model_type is 'vit', which is not read as a tower: ",
        ),
        (
            {"vision_config": {**TOWER, "model_type": "clip_vision"}},
            {},
            "the configuration: vision_config.model_type is 'clip_vision', which no architecture reads",
        ),
        (
            {"text_config": {**TEXT, "model_type": "bert"}},
            {},
            "the configuration: text_config.model_type is 'bert', which is not read inside another model: decoders are",
        ),
        ({"vision_feature_layer": 7}, {}, "vision_feature_layer is 7, and vision_config has 3 layers"),
        (
            {"vision_feature_layer": "last"},
            {},
            "the configuration: vision_feature_layer is the index of a layer, or a list of them, not 'last'",
        ),
        ({"text_config": {**TEXT, "num_hidden_layers": 0}}, {}, "the configuration: in text_config: num_hidden_layers"),
        ({}, {"tiles": 2}, "llava has no tiles: its workload is batch, seq_len, images, image_size"),
        (
            {},
            {"image_size": 32},
            "image_size 32x32 is not vision_config.image_size 24x24, whose patches the model has learned positions for",
        ),
        (
            {"text_config": {"model_type": "llama", "hidden_size": 16, "n_layers": 4}},
            {},
            "the configuration: llava has no text_config.n_layers (for num_hidden_layers)",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    """An error names the key, its value and the way out."""
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account({**LLAVA, **changes}, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (20, "image_size 20x20 is that after resizing: multiples of 8 and 8, 2 patches of 4 pixels"),
        ((16, 12), "image_size 16x12 is that after resizing"),
    ],
)
def test_a_grid_has_whole_squares(size: Any, message: str) -> None:
    """The size of an image is that after resizing."""
    with pytest.raises(graphacct.ConfigError, match=message):
        graphacct.account(GRID, image_size=size, seq_len=40)


def test_keys_inside_are_accounted_for_and_overridden() -> None:
    """A key that the inner family does not read is named, and `set` reaches inside."""
    known = {**LLAVA, "text_config": {**TEXT, "sparsity": 8, "rms_norm_eps": 1e-5}}
    graph = graphacct.build(known, seq_len=20)
    assert graph.config_keys.not_understood == ("text_config.sparsity",)
    one = graphacct.account(LLAVA, seq_len=20, set={"text_config.num_hidden_layers": 1}).total["params"]
    layer = graphacct.account(LLAVA, seq_len=20).total["params"] - one
    assert layer == 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24 + 2 * 16
    with pytest.raises(graphacct.ConfigError, match="in text_config: llama has no configuration key 'num_layerz'"):
        graphacct.account(LLAVA, set={"text_config.num_layerz": 1})


def test_a_dtype_may_stand_inside() -> None:
    """Where the file has none outside, the text's counts."""
    inside = {**LLAVA, "text_config": {**TEXT, "torch_dtype": "float16"}}
    assert graphacct.build(inside, seq_len=20).workload["dtype"] == "float16"


def test_a_folder_whose_tower_is_unknown_names_it(tmp_path: Path) -> None:
    """The message says the file, the key and its value."""
    (tmp_path / "config.json").write_text(json.dumps({**LLAVA, "vision_config": {"model_type": "eva_clip"}}))
    with pytest.raises(ReadError, match=r"config.json: vision_config.model_type is 'eva_clip', which no architecture"):
        graphacct.account(tmp_path)


def test_a_sound_is_as_long_as_the_class_pads_it() -> None:
    """Qwen2-Audio's spectra have two frames for each position; half as many tokens as positions stand for a sound."""
    audio = {
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 24,
        "d_model": 16,
        "num_mel_bins": 8,
        "max_source_positions": 20,
    }
    model = {"model_type": "qwen2_audio", "audio_config": audio, "text_config": {**TEXT, "model_type": "qwen2"}}
    two = matmul(model, seq_len=30, audios=2)
    assert two["model.multi_modal_projector"].values["matmul_flops"] == 2 * 2 * 10 * 16 * 16
    with pytest.raises(graphacct.ConfigError, match="shorter than the 20 placeholders of 2 audios of 10 tokens"):
        graphacct.account(model, seq_len=15, audios=2)
    with pytest.raises(graphacct.ConfigError, match="frames 30 is not 40: the class pads every spectrum to that"):
        graphacct.account(model, seq_len=30, frames=30)


def test_queries_stand_for_an_image() -> None:
    """BLIP-2's Q-Former makes as many tokens of every image as it has queries, and the head is the text model's own."""
    vision = {key: value for key, value in TOWER.items() if key != "model_type"}
    model = {
        "model_type": "blip-2",
        "text_config": {**TEXT, "tie_word_embeddings": False},
        "vision_config": vision,
        "qformer_config": {"hidden_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2},
        "num_query_tokens": 5,
    }
    found = matmul(model, seq_len=30)
    assert found["language_projection"].values["matmul_flops"] == 2 * 5 * 20 * 16
    assert found["language_model.lm_head"].values["matmul_flops"] == 2 * 30 * 16 * 50
    with pytest.raises(graphacct.ConfigError, match="shorter than the 5 placeholders"):
        graphacct.account(model, seq_len=4)
