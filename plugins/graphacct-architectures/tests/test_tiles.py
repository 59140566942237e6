"""Images in squares: how a picture of any size is cut, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphacct_architectures.multimodal.parts.anyres import Cut, chosen, cut, unpadded

import graphacct

CONFIGS = {case["name"]: case["config"] for case in json.loads(Path(__file__).with_name("multimodal.json").read_text())}
LISTED = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((336, 336), (336, 672)),
        ((336, 672), (336, 672)),
        ((500, 500), (672, 672)),
        ((1000, 300), (1008, 336)),
        ((200, 1000), (336, 1008)),
        ((4000, 3000), (672, 672)),
    ],
)
def test_the_size_that_a_picture_is_padded_to(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The one that keeps most pixels, and of equals the one with the least padding, as in LLaVA-NeXT's processor."""
    assert chosen(size, LISTED) == expected


def test_padding_is_whole_places_on_both_sides() -> None:
    """A picture of 1:2 in a grid of 48 by 48 fills 24 rows; 10:21 fills 22.86, of which 22 are counted, and the padding
    of 26 places is 13 on each side."""
    assert unpadded((100, 200), 48, 48) == (24, 48)
    assert unpadded((100, 210), 48, 48) == (48 - 2 * 13, 48)
    assert unpadded((210, 100), 48, 48) == (48, 48 - 2 * 13)


def test_tokens_of_a_picture() -> None:
    """LLaVA-1.6 for a picture of 672 × 672: 576 tokens of the whole, 48 rows of 48 of the grid and a newline each; for
    336 × 336, which is padded to 336 × 672, 24 rows of 24 and a newline."""
    assert cut((672, 672), LISTED, 336, 24) == Cut(2, 2, 48, 48)
    assert cut((336, 336), LISTED, 336, 24) == Cut(1, 2, 24, 24)
    for size, tokens in ((672, 576 + 48 * 49), (336, 576 + 24 * 25)):
        with pytest.raises(graphacct.ConfigError, match=f"the {tokens} placeholders of 1 images of {tokens} tokens"):
            graphacct.account("llava_next", image_size=size, seq_len=8)


def test_tiles_stand_for_a_picture_that_fills_them() -> None:
    """Five squares are four and the whole: the picture of 672 × 672."""
    tiles = graphacct.account("llava_next", tiles=5, seq_len=3000)
    picture = graphacct.account("llava_next", image_size=672, seq_len=3000)
    assert tiles.total == picture.total


@pytest.mark.parametrize(
    ("name", "changes", "options", "message"),
    [
        ("llava_next", {}, {"tiles": 2}, "tiles is 2; an image of these sizes (image_grid_pinpoints) has 3 or 4 or 5"),
        (
            "llava_next",
            {},
            {"tiles": 4, "image_size": (64, 64)},
            "tiles is 4, and an image of 64x64 is 5: leave tiles out, or image_size",
        ),
        (
            "llava_next",
            {"image_grid_pinpoints": [[32, "64"]]},
            {},
            "image_grid_pinpoints is a list of heights and widths in pixels, not [[32, '64']]",
        ),
        (
            "llava_next",
            {"image_grid_pinpoints": [[8, 64]]},
            {},
            "image_grid_pinpoints has a size below the 32 pixels of vision_config.image_size",
        ),
        (
            "llava_next",
            {"vision_feature_select_strategy": "full"},
            {},
            "a square of an image has 17 tokens and not 4x4: vision_feature_select_strategy is 'default' for a tower",
        ),
        (
            "llava_onevision",
            {"vision_aspect_ratio": "anyres_max_many"},
            {},
            "vision_aspect_ratio is anyres_max_N with a number N, as anyres_max_9, not 'anyres_max_many'",
        ),
        (
            "llava_onevision",
            {},
            {"images": 2, "tiles": 5},
            "tiles is 5: a picture is cut if it is the only one of a sequence",
        ),
        (
            "aria",
            {},
            {"image_size": 24},
            "an image has 9 patches, and projector_patch_to_query_dict knows how many queries ask 16 or 36",
        ),
        ("aria", {"projector_patch_to_query_dict": {"16": 0}}, {}, "projector_patch_to_query_dict has 0, which is no"),
        ("aria", {"vision_feature_layer": [-1, -2]}, {}, "vision_feature_layer is [-1, -2]: Aria reads one layer"),
    ],
)
def test_what_is_refused(name: str, changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    """An error names the key or the size, its value and the way out."""
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account({**CONFIGS[name], **changes}, **{"seq_len": 400, **options})
    assert message in str(error.value)


CHAT = {
    "model_type": "internvl_chat",
    "architectures": ["InternVLChatModel"],
    "llm_config": {**CONFIGS["llava_next"]["text_config"], "architectures": ["LlamaForCausalLM"]},
    "vision_config": {
        **{"model_type": "intern_vit_6b", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3},
        **{"num_attention_heads": 3, "image_size": 32, "patch_size": 8, "qkv_bias": True, "norm_type": "layer_norm"},
        "qk_normalization": False,
    },
    "downsample_ratio": 0.5,
}


def test_the_authors_file_of_internvl_is_the_librarys() -> None:
    """The same tower with queries, keys and values in one projection, the same projector and decoder: the sums of
    their sizes and FLOPs are those of the library's class, which goldens and `verify --torch` hold."""
    vision = {"attention_bias": True, "norm_type": "layer_norm", "use_qk_norm": False}
    own = {key: value for key, value in CHAT["vision_config"].items() if key not in ("qkv_bias", "qk_normalization")}
    theirs = {
        "model_type": "internvl",
        "text_config": CHAT["llm_config"],
        "vision_config": {**own, **vision, "model_type": "internvl_vision"},
        "tie_word_embeddings": False,
    }
    found = graphacct.account(CHAT, seq_len=20, tiles=3, convention="matmul").total
    known = graphacct.account(theirs, seq_len=20, tiles=3, convention="matmul").total
    assert found["params"] == known["params"]
    assert found["matmul_flops"] == known["matmul_flops"]


def test_names_of_the_authors_tensors() -> None:
    """As in the checkpoints of InternVL2 and NVLM-D, whose projector is as wide as the text's network and unbiased."""
    names = {row.parameter.name for row in graphacct.account(CHAT, seq_len=20).by_parameter}
    assert {"vision_model.encoder.layers.*.attn.qkv.weight", "vision_model.encoder.layers.*.ls1"} <= names
    assert {"mlp1.0.weight", "mlp1.1.bias", "mlp1.3.weight", "language_model.lm_head.weight"} <= names
    wide = {**CHAT, "model_type": "NVLM_D", "architectures": ["NVLM_D_Model"]}
    shapes = {row.parameter.name: row.parameter.spec.shape for row in graphacct.account(wide, seq_len=20).by_parameter}
    assert shapes["mlp1.1.weight"] == (40, 96)
    assert "mlp1.1.bias" not in shapes


def test_images_are_padded_to_all_tiles() -> None:
    """Llama 3.2 Vision pads each image, so that another number of tiles is none."""
    with pytest.raises(graphacct.ConfigError, match=r"tiles is 2: images are padded to vision_config.max_num_tiles, 4"):
        graphacct.account(CONFIGS["mllama"], tiles=2, seq_len=8)
    vision = {**CONFIGS["mllama"]["vision_config"], "intermediate_layers_indices": [0, 3]}
    with pytest.raises(graphacct.ConfigError, match="intermediate_layers_indices has 3, of 3 layers"):
        graphacct.account({**CONFIGS["mllama"], "vision_config": vision}, seq_len=8)


def test_cached_images_do_not_grow() -> None:
    """A cross layer's cache has the images' 4 · 17 tokens, of 2 heads of 8, keys and values in bfloat16, in 2 layers;
    the others' have one more token a step."""
    images = 2 * 2 * (4 * 17) * 2 * 8 * 2
    for earlier in (10, 30):
        step = graphacct.memory(CONFIGS["mllama"], phase="decode", cache_len=earlier)
        text = graphacct.memory(CONFIGS["mllama"], phase="decode", cache_len=earlier, images=0)
        assert step.kv_cache_bytes - text.kv_cache_bytes == images


def test_a_projector_as_wide_as_four_texts() -> None:
    """Bee's: 24 wide tokens, a norm, 4 · 32 in the middle."""
    model = {**CONFIGS["llava_onevision"], "model_type": "bee", "architectures": ["BeeForConditionalGeneration"]}
    shapes = {row.parameter.name: row.parameter.spec.shape for row in graphacct.account(model, seq_len=99).by_parameter}
    assert shapes["model.multi_modal_projector.pre_norm.weight"] == (24,)
    assert shapes["model.multi_modal_projector.linear_1.weight"] == (128, 24)
    assert shapes["model.multi_modal_projector.linear_2.weight"] == (32, 128)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"downsample_rate": "half"}, "downsample_rate is a fraction of two whole numbers, as '1/4', not 'half'"),
        ({"downsample_rate": "1/3"}, "downsample_rate cuts 4 tokens of a side into windows of 3"),
        ({"deepstack_layer_map": [[1]]}, "deepstack_layer_map is a list of pairs of layers, of the tower and the text"),
        ({"spatial_target_layers": [1, 2, 3, 4, 5]}, "spatial_target_layers is a list of up to 4 layers of the text"),
        ({"spatial_vision_layer": 9}, "vision_feature_layer is 9, and vision_config has 4 layers"),
    ],
)
def test_windowed_queries_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    """Granite 4 Vision's keys."""
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account({**CONFIGS["granite4_vision"], **changes}, seq_len=200)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("chameleon", {"base_channels": 48}, "vq_config has 48 channels at a place, which 32 groups do not divide"),
        ("chameleon", {"channel_multiplier": [1, 0]}, "channel_multiplier is a list of positive whole numbers"),
        ("chameleon", {"attn_resolutions": "all"}, "attn_resolutions is a list of numbers of pixels, not 'all'"),
    ],
)
def test_a_code_that_does_not_fit(name: str, changes: dict[str, Any], message: str) -> None:
    """The encoder's keys."""
    code = {**CONFIGS[name]["vq_config"], **changes}
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account({**CONFIGS[name], "vq_config": code}, seq_len=400)
    assert message in str(error.value)


def test_what_draws_is_in_memory_alone() -> None:
    """Janus's code has parameters and no work, and no gradients."""
    report = graphacct.account(CONFIGS["janus"], seq_len=30, phase="train", loss="sum", convention="matmul")
    assert report["model.vqmodel"].values["params"] > 0
    assert report["model.vqmodel"].values["step_matmul_flops"] == 0
    vision = {**CONFIGS["janus"]["vision_config"], "hidden_dropout_rate": 0.1}
    with pytest.raises(graphacct.GraphacctError, match=r"hidden_dropout_rate is 0\.1"):
        graphacct.account({**CONFIGS["janus"], "vision_config": vision}, seq_len=30)


PHI = {
    **{"model_type": "phi3_v", "architectures": ["Phi3VForCausalLM"], "vocab_size": 64, "hidden_size": 32},
    **{"intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4},
    **{"img_processor": {"layer_idx": -2, "type_feature": "patch"}, "max_position_embeddings": 4096},
}


@pytest.mark.parametrize(
    ("size", "crops", "tokens"),
    [((336, 336), 16, 2509), ((336, 336), 4, 757), ((500, 1000), 16, (3 * 5 + 1) * 144 + 1 + (3 + 1) * 12)],
)
def test_crops_of_phi_3_vision(size: tuple[int, int], crops: int, tokens: int) -> None:
    """2,509 tokens for a square picture in 16 crops and 757 in 4, as the model's page says: 144 for each crop and the
    whole, a separator behind each row and one between the two."""
    model = {**PHI, "num_crops": crops}
    with pytest.raises(graphacct.ConfigError, match=f"the {tokens} placeholders"):
        graphacct.account(model, image_size=size, seq_len=8)
    report = graphacct.account(model, image_size=size, seq_len=tokens, convention="matmul")
    projection = report["model.vision_embed_tokens.img_projection.*"].values["matmul_flops"]
    assert projection == 2 * tokens * (4096 + 32) * 32


def test_size_of_phi_3_vision() -> None:
    """The defaults are Phi-3-vision-128k-instruct's sizes: 4.15 B parameters, with all 24 of CLIP's layers."""
    total = graphacct.account("phi3_v", images=0, seq_len=8).total["params"]
    clip = graphacct.account("clip-vit-large-patch14-vision", image_size=336, set={"image_size": 336}).total["params"]
    text = graphacct.account("phi3", seq_len=8).total["params"]
    assert total == text + clip + (4096 + 1) * 3072 + (3072 + 1) * 3072 + 2 * 4096


def test_eagle_reads_all_tokens_of_siglip() -> None:
    """16 patches of a tile, four as one, and no class token."""
    model = {
        **{"model_type": "eagle_2_5_vl", "text_config": {**CHAT["llm_config"], "model_type": "qwen2"}},
        "vision_config": CONFIGS["cohere2_vision"]["vision_config"],
    }
    report = graphacct.account(model, seq_len=20, tiles=2, convention="matmul")
    assert report["mlp1.*"].values["matmul_flops"] == 2 * 2 * 4 * (4 * 24 + 32) * 32
    names = {row.parameter.name for row in report.by_parameter}
    assert "vision_model.vision_model.embeddings.patch_embedding.weight" in names
    assert "vision_model.vision_model.head.probe" not in names


def test_a_family_whose_keys_have_no_defaults_asks_for_a_preset() -> None:
    with pytest.raises(graphacct.ReadError, match="granite4_vision has no default sizes, since downsample_rate and"):
        graphacct.account("granite4_vision")


def test_a_file_without_keys_that_have_no_defaults_names_them() -> None:
    with pytest.raises(
        graphacct.ReadError, match="downsample_rate and deepstack_layer_map must be given: the class has no default"
    ):
        graphacct.account({"model_type": "granite4_vision"})
