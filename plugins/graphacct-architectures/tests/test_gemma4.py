"""Gemma 4 with images and sounds: what it has no tower for, sizes that do not fit, and layers that share a cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, ReadError

FAMILIES = Path(__file__).parents[3] / "tests" / "goldens" / "families"
SMALL = json.loads((FAMILIES / "small-gemma4" / "config.json").read_text())


def account(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(content))
    return graphacct.account(folder, **options)


CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"vision_config": None, "audio_config": None},
        {"images": 2},
        "images is 2: the file describes no tower for images, leave images out or give 0",
    ),
    ({"audio_config": None}, {"audios": 1}, "audios is 1: the file describes no tower for audios"),
    ({}, {"image_size": 20}, "image_size 20x20 is that after resizing: multiples of 8, 2 patches of 4 pixels"),
    ({}, {"seq_len": 8, "image_size": 24}, "seq_len 8 is shorter than the 759 placeholders"),
    (
        {"vision_config": {**SMALL["vision_config"], "head_dim": 6}},
        {"image_size": 24},
        "head_dim / 4, a pair for each side",
    ),
    (
        {"audio_config": {**SMALL["audio_config"], "subsampling_conv_channels": [8]}},
        {},
        "subsampling_conv_channels are 2 counts",
    ),
]


@pytest.mark.parametrize(("keys", "options", "message"), CASES)
def test_what_does_not_fit_is_named(
    keys: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """By its key or option, with the way out."""
    with pytest.raises((ConfigError, ReadError), match=message.replace("(", r"\(").replace("*", r"\*")):
        account(tmp_path, {**SMALL, **keys}, **options)


def test_a_file_without_towers_is_a_text_model(tmp_path: Path) -> None:
    """No images or sounds by default, and no parameters of theirs."""
    found = account(tmp_path, {**SMALL, "vision_config": None, "audio_config": None}, seq_len=12)
    assert found.workload["images"] == found.workload["audios"] == 0
    assert not any("tower" in row.parameter.name for row in found.by_parameter)


def test_shared_keys_and_values_are_cached_once(tmp_path: Path) -> None:
    """Of six layers, two with a window of 5 and two without keep keys and values; the last two read theirs."""
    text = {**SMALL["text_config"], "architectures": ["Gemma4ForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(text))
    found = graphacct.memory(tmp_path, phase="decode", cache_len=39)
    cached = 2 * 2 * (2 * 5 * 8 + 2 * 40 * 16) * 2  # layers, k and v, heads × positions × width of both kinds, bytes
    assert found.kv_cache_bytes == cached


def test_the_last_logit_alone_needs_one_position_of_the_sharing_layers(tmp_path: Path) -> None:
    """As the library's class, which runs them on the last position (measured with logits_to_keep=1)."""
    text = {**SMALL["text_config"], "architectures": ["Gemma4ForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(text))
    for attention in ("eager", "fused"):
        found = graphacct.account(
            tmp_path, batch=2, seq_len=40, phase="prefill", logits="last", convention="matmul", attention=attention
        )
        assert found.total["matmul_flops"] == 8930304
