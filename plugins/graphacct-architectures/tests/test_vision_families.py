"""What ViT and CLIP configurations may say, and what is kept and alive, against torch's figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

TINY_VIT = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
    "id2label": {str(label): "" for label in range(5)},
}
TINY_CLIP = {
    "model_type": "clip",
    "architectures": ["CLIPModel"],
    "projection_dim": 24,
    "text_config": {
        "hidden_size": 16,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 20,
        "vocab_size": 99,
    },
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    },
}


def account(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(content))
    return graphacct.account(folder, **options)


@pytest.mark.parametrize(
    ("dropout", "attention", "saved_bytes", "peak_bytes"),
    [
        (0, "eager", 124304, 124348),
        (0, "fused", 106896, 106940),
        (0.1, "eager", 183056, 183100),
        (0.1, "fused", 183056, 183100),
    ],
)
def test_a_tiny_vit_keeps_what_torch_keeps(
    tmp_path: Path, dropout: float, attention: str, saved_bytes: int, peak_bytes: int
) -> None:
    """2 images, float32 on a CPU: measured with torch 2.13.0 and transformers 5.23.0, to the sum of the logits.

    With dropout torch's CPU runs fused attention written out, so that both kinds keep the same.
    """
    content = {**TINY_VIT, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    found = account(
        tmp_path, content, batch=2, attention=attention, phase="train", loss="sum", profile="torch-eager-cpu"
    )
    assert (found.total["saved_bytes"], found.total["peak_bytes"]) == (saved_bytes, peak_bytes)


@pytest.mark.parametrize(("attention", "saved_bytes"), [("eager", 257524), ("fused", 227188)])
def test_a_tiny_clip_keeps_what_torch_keeps(tmp_path: Path, attention: str, saved_bytes: int) -> None:
    """2 images and 2 texts of 12 tokens, measured likewise, to the sum of logits_per_image."""
    sizes = {"batch": 2, "seq_len": 12, "attention": attention}
    found = account(tmp_path, TINY_CLIP, **sizes, phase="train", loss="sum", profile="torch-eager-cpu")
    assert found.total["saved_bytes"] == saved_bytes


def test_vit_of_another_class_has_a_pooler(tmp_path: Path) -> None:
    """ViTModel has a dense layer of 32 x 32 + 32 on the class token where the classifier has 5 x 32 + 5."""
    classified = account(tmp_path, TINY_VIT).total["params"]
    pooled = account(tmp_path, {**TINY_VIT, "architectures": ["ViTModel"]}).total["params"]
    assert pooled - classified == 32 * 32 + 32 - (5 * 32 + 5)


def test_sides_may_differ(tmp_path: Path) -> None:
    """32 x 16 pixels in patches of 8 x 4 are 4 x 4 tokens and a class token: a position of 32 each."""
    content = {**TINY_VIT, "image_size": [32, 16], "patch_size": [8, 4]}
    (row,) = (
        row for row in account(tmp_path, content).by_parameter if row.parameter.name.endswith("position_embeddings")
    )
    assert row.parameter.spec.shape == (1, 17, 32)


def test_the_older_keys_of_clip_count(tmp_path: Path) -> None:
    """`text_config_dict` replaces `text_config` as a whole, as the transformers library reads older files."""
    older = {**TINY_CLIP, "text_config": {}, "text_config_dict": TINY_CLIP["text_config"]}
    assert account(tmp_path, older).total == account(tmp_path, TINY_CLIP).total


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"image_size": 64}, "image_size 64x64 is not image_size 32x32.*add --set image_size=64,64"),
        ({"architectures": ["ViTForSpeech"]}, {}, "architectures has 'ViTForSpeech'"),
        (
            {"architectures": ["ViTForMaskedImageModeling"], "image_size": [32, 16]},
            {},
            "reads its 8 patches as a square",
        ),
        ({"patch_size": [8, 8, 8]}, {}, "patch_size is a height and a width, or one number for both"),
        ({"patch_size": 64}, {}, "^/.*: node .*the kernel spans 64"),
        ({"id2label": -1}, {}, "id2label must be"),
        ({"num_attention_heads": 5}, {}, "hidden_size / num_attention_heads"),
    ],
)
def test_what_does_not_fit_vit_is_named(
    tmp_path: Path, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """The key, the value and the way out."""
    with pytest.raises(graphacct.GraphacctError, match=message):
        account(tmp_path, {**TINY_VIT, **change}, **options)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"seq_len": 21}, "seq_len 21 is beyond the 20 positions"),
        ({"text_config": 3}, {}, "text_config is an object with the keys of a configuration, not 3"),
        ({"vision_config": {"hidden_size": -1}}, {}, "in vision_config: hidden_size"),
        ({"vision_config": {"hidden_act": "gleu"}}, {}, "did you mean 'gelu'"),
    ],
)
def test_what_does_not_fit_clip_is_named(
    tmp_path: Path, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """Keys of a tower are named with the tower."""
    with pytest.raises(graphacct.GraphacctError, match=message):
        account(tmp_path, {**TINY_CLIP, **change}, **options)


def test_a_contrastive_loss_has_a_target_for_each_side() -> None:
    """Two cross-entropies over the same similarities."""
    graph = graphacct.build("clip-vit-base-patch32", batch=4, phase="train", loss="cross_entropy")
    assert [node.operator for node in graph.nodes if getattr(node, "operator", "") == "cross_entropy"] == [
        "cross_entropy"
    ] * 2


def test_a_key_of_a_tower_can_be_set(tmp_path: Path) -> None:
    """The error for an image of another size says what to set, by the name that the file has; setting it helps."""
    vision = {"image_size": 32, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    for key in ("vision_config", "vision_config_dict"):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", key: vision}))
        with pytest.raises(graphacct.ConfigError, match=f"add --set {key}.image_size=64,64"):
            graphacct.account(tmp_path, image_size=64)
        wider = graphacct.account(tmp_path, image_size=64, set={f"{key}.image_size": "64,64"})
        # 8 x 8 patches and the class token for 4 x 4 and one
        rows = wider.total["params"] - graphacct.account(tmp_path).total["params"]
        assert rows == (64 - 16) * 16
    wrong = r"no configuration key 'vision_config_dict.image'; did you mean 'image_size'"
    with pytest.raises(graphacct.ConfigError, match=wrong):
        graphacct.account(tmp_path, set={"vision_config_dict.image": 3})


def test_keys_of_a_tower_that_the_model_leaves_to_its_class() -> None:
    """Several at once; one that the tower has not is an error, as at the top, and so is a key within a number."""
    sizes = {"vision_config.image_size": 64, "vision_config.patch_size": 16}
    wider = graphacct.account("clip", image_size=64, set=sizes)
    plain = graphacct.account("clip")
    # 4 x 4 patches in place of 7 x 7 rows of positions, and kernels of 16 x 16 in place of 32 x 32, 768 wide
    assert wider.total["params"] - plain.total["params"] == (4 * 4 - 7 * 7) * 768 + (16**2 - 32**2) * 3 * 768
    for key in ("vision_config.foo", "projection_dim.foo"):
        with pytest.raises(graphacct.ConfigError, match=f"there is no configuration key '{key}'"):
            graphacct.account("clip", set={key: 3})
