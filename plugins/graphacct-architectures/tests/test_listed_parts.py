"""Layers of which a file removes or replaces parts (Llama-Nemotron), by arithmetic: the library has no such class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphacct

WIDTH, HEADS, VOCAB, SEQ = 256, 4, 128, 16


def block(attention: dict[str, Any], ffn: dict[str, Any]) -> dict[str, Any]:
    return {"attention": {"sparsify": None, **attention}, "ffn": {"sparsify": None, **ffn}}


BLOCKS = [
    block({"n_heads_in_group": 2}, {"ffn_mult": 5.25}),
    block({"no_op": True, "n_heads_in_group": None}, {"ffn_mult": 1.3125}),
    block({"replace_with_linear": True}, {"replace_with_linear": True}),
    block({"n_heads_in_group": 4}, {"no_op": True, "ffn_mult": None}),
]


def test_parts_that_are_not_there_cost_nothing(tmp_path: Path) -> None:
    """Widths are 2/3 of ffn_mult times the stream, rounded up to 256; a missing part has no norm either."""
    config = {"model_type": "nemotron-nas", "vocab_size": VOCAB, "hidden_size": WIDTH, "num_attention_heads": HEADS}
    config |= {"num_hidden_layers": 4, "block_configs": BLOCKS, "intermediate_size": None, "num_key_value_heads": None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = graphacct.account(tmp_path, seq_len=SEQ, convention="matmul")
    square = WIDTH * WIDTH
    attention = [2 * square + 2 * square // 2, 0, square, 2 * square + 2 * square // 4]
    network = [3 * WIDTH * 1024, 3 * WIDTH * 256, square, 0]  # 896 and 224 are rounded up
    norms = (3 + 3 + 1) * WIDTH
    assert found.total["params"] == sum(attention) + sum(network) + norms + 2 * VOCAB * WIDTH
    scores = 2 * 4 * SEQ * SEQ * WIDTH  # two layers have attention
    assert found.total["matmul_flops"] == 2 * SEQ * (sum(attention) + sum(network) + VOCAB * WIDTH) + scores
    replaced = {row.parameter.name for row in found.by_parameter if ".linear_" in row.parameter.name}
    assert len(replaced) == 2


def test_a_cache_holds_the_layers_that_attend(tmp_path: Path) -> None:
    """Keys and values of two layers: 2 and 1 heads of 64."""
    config = {"model_type": "nemotron-nas", "vocab_size": VOCAB, "hidden_size": WIDTH, "num_attention_heads": HEADS}
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4, "block_configs": BLOCKS}))
    found = graphacct.account(tmp_path, phase="decode", cache_len=SEQ, dtype="bfloat16")
    assert found.total["kv_cache_bytes"] == 2 * 2 * (2 + 1) * 64 * (SEQ + 1)
