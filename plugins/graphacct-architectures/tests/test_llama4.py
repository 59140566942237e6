"""Llama 4 and Gemma 4 without towers: sizes on which the classes do not run are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, ReadError

FAMILIES = Path(__file__).parents[3] / "tests" / "goldens" / "families"
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("llama4", {"intermediate_size": 60}, {}, "intermediate_size is 60, and the adapter reads squares of tokens"),
    ("llama4", {"projector_input_dim": 24}, {}, "projector_input_dim is 24 and projector_output_dim 20"),
    ("llama4", {"vision_output_dim": 24}, {}, "vision_config.vision_output_dim is 24 and projector_output_dim 20"),
    ("llama4", {"pixel_shuffle_ratio": 0.3}, {}, "pixel_shuffle_ratio is 1 divided by a whole number, such as 0.5"),
    ("gemma4-unified", {"output_proj_dims": 24}, {}, "vision_config.output_proj_dims is 24 and mm_embed_dim 20"),
    ("gemma4-unified", {}, {"image_size": 6}, "image_size 6x6 is that after resizing: multiples of 4 pixels"),
]


@pytest.mark.parametrize(("name", "keys", "options", "message"), CASES)
def test_what_does_not_fit_is_named(
    name: str, keys: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """By its key or option."""
    content = json.loads((FAMILIES / f"small-{name}" / "config.json").read_text())
    content["vision_config"] = {**content["vision_config"], **keys}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises((ConfigError, ReadError), match=message):
        graphacct.account(tmp_path, **options)


def test_llama4_is_no_unknown_type(tmp_path: Path) -> None:
    """Its language model and its tower stand where the class has them."""
    found = graphacct.account(FAMILIES / "small-llama4")
    names = {row.parameter.name.partition(".")[0] for row in found.by_parameter}
    assert names == {"language_model", "vision_model", "multi_modal_projector"}


def test_a_tower_on_which_the_class_does_not_run_is_refused(tmp_path: Path) -> None:
    """Also alone, if a file describes it."""
    content = {"model_type": "llama4_vision_model", "hidden_size": 64, "num_attention_heads": 4}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises((ConfigError, ReadError), match="squares of tokens that are 256 wide"):
        graphacct.account(tmp_path)
