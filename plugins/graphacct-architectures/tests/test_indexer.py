"""Sparse attention with an indexer: what a step computes, what the cache holds, what a file may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

FOLDER = Path(__file__).parents[3] / "tests" / "goldens" / "families" / "small-glm-moe-dsa"


def changed(folder: Path, **changes: Any) -> Path:
    """A folder with the small GLM-5's file, changed."""
    content = json.loads((FOLDER / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in content.items() if value != "none"}))
    return folder


def test_the_cache_has_latents_and_the_keys_of_each_indexer() -> None:
    """GLM-5.2: 78 layers of latents of 512 + 64, and 21 indexers with keys of 128, in bfloat16."""
    total = graphacct.account("glm-5.2", phase="decode", cache_len=1000, seq_len=1).total
    assert total["kv_bytes_per_token"] == 2 * (78 * (512 + 64) + 21 * 128)
    assert total["kv_cache_bytes"] == 1001 * total["kv_bytes_per_token"]


def test_every_score_is_computed_however_many_keys_are_chosen() -> None:
    """The published class masks the scores of keys that were not chosen, in a decoding step too."""

    def step(top: int) -> int:
        options = {"phase": "decode", "cache_len": 4000, "convention": "matmul"}
        return int(graphacct.account("deepseek-v3.2", set={"index_topk": top}, **options).total["flops"])

    assert step(64) == step(2048)


def test_an_indexer_is_not_trained() -> None:
    """It runs without gradients, so that a step adds its forward pass alone."""
    options = {"convention": "matmul", "seq_len": 12, "phase": "train", "loss": "sum", "attention": "eager"}
    rows = {row.path: row.values for row in graphacct.account(FOLDER, **options).by_scope}
    found = [values for path, values in rows.items() if path.endswith("self_attn.indexer")]
    assert found
    assert all(values["step_matmul_flops"] == values["matmul_flops"] for values in found)


def test_three_ways_to_say_which_layers_share(tmp_path: Path) -> None:
    """The list, its letters, and one of so many after the first ones."""
    ways = (
        {"indexer_types": ["full", "full", "shared"]},
        {"indexer_types": "none", "index_topk_pattern": "FFS"},
        {"indexer_types": "none", "index_topk_freq": 2, "index_skip_topk_offset": 2},
    )
    totals = [graphacct.account(changed(tmp_path, **way), seq_len=12).total for way in ways]
    assert totals[0] == totals[1] == totals[2]
    assert totals[0] != graphacct.account(changed(tmp_path, indexer_types=["full"] * 3), seq_len=12).total


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indexer_types": ["shared", "full", "full"]}, "no layer before the first one chose keys"),
        ({"indexer_types": ["full"]}, "indexer_types names 1 layers, num_hidden_layers is 3"),
        ({"indexer_types": ["full", "half", "full"]}, "indexer_types is a list of full and shared"),
        ({"layer_types": ["full_attention"] * 3}, "layer_types is a list of indexed_attention"),
        ({"index_head_dim": 4}, "the rotated dimensions are a part of an indexer's head"),
        ({"q_lora_rank": None}, "q_lora_rank"),
    ],
)
def test_what_a_file_may_not_say(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(changed(tmp_path, **changes), seq_len=12)
