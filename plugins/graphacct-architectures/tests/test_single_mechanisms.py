"""Decoders and encoder-decoders of single mechanisms, held to what torch's counter sees of the library's classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

BASE = {
    **{"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3, "pad_token_id": 0},
    "max_position_embeddings": 64,
}
STACK = {
    **{**BASE, "num_hidden_layers": 2, "num_key_value_heads": 2, "head_dim": 12, "intermediate_size": 20},
    **{"sliding_window": 5, "bos_token_id": 1, "eos_token_id": 2},
}
FSMT = {
    **{"architectures": ["FSMTForConditionalGeneration"], "src_vocab_size": 50, "tgt_vocab_size": 64, "d_model": 32},
    **{"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 20, "decoder_ffn_dim": 24, "pad_token_id": 1},
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 40},
}
SMALL: tuple[tuple[str, dict[str, Any], int, int], ...] = (
    (
        "kolibri1",
        {
            **BASE,
            "architectures": ["Kolibri1ForCausalLM"],
            "num_key_value_heads": 2,
            "head_dim": 8,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "num_experts": 8,
            "num_experts_per_tok": 2,
        },
        47952,
        839680,
    ),
    (
        "flint",
        {
            **BASE,
            "architectures": ["FlintForCausalLM"],
            "num_key_value_heads": 2,
            "head_dim": 8,
            "sliding_window": 5,
            "intermediate_size": 20,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "num_experts": 8,
            "num_experts_per_tok": 2,
        },
        28828,
        675840,
    ),
    (
        "lfm3",
        {
            **BASE,
            "architectures": ["Lfm3ForCausalLM"],
            "num_key_value_heads": 2,
            "head_dim": 8,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "conv", "full_attention"],
            "intermediate_size": 20,
        },
        18976,
        631040,
    ),
    (
        "modernbert-decoder",
        {**BASE, "architectures": ["ModernBertDecoderForCausalLM"], "intermediate_size": 20, "local_attention": 10},
        21440,
        724992,
    ),
    (
        "recurrent_gemma",
        {
            **BASE,
            "architectures": ["RecurrentGemmaForCausalLM"],
            "intermediate_size": 40,
            "num_key_value_heads": 1,
            "attention_window_size": 20,
            "lru_width": 48,
        },
        23384,
        733696,
    ),
    (
        "jetmoe",
        {
            "architectures": ["JetMoeForCausalLM"],
            "vocab_size": 64,
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "kv_channels": 8,
            "intermediate_size": 12,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "pad_token_id": 0,
        },
        16728,
        352256,
    ),
    (
        "t5gemma",
        {
            "encoder": STACK,
            "decoder": {**STACK, "hidden_size": 48},
            "pad_token_id": 0,
            "architectures": ["T5GemmaForConditionalGeneration"],
        },
        50960,
        1852416,
    ),
    ("fsmt", FSMT, 40216, 1275904),
)
"""Type, keys, parameters and FLOPs of two sequences of 8 tokens (10 in an encoder), of transformers 5.23 on a CPU."""


@pytest.mark.parametrize(("name", "content", "params", "flops"), SMALL, ids=[row[0] for row in SMALL])
def test_it_is_the_librarys_class(tmp_path: Path, name: str, content: dict[str, Any], params: int, flops: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**content, "model_type": name}))
    encoder = {"encoder_seq_len": 10} if "encoder" in content or "encoder_layers" in content else {}
    options: dict[str, Any] = {"batch": 2, "seq_len": 8, "attention": "eager", "dtype": "float32", **encoder}
    found = graphacct.account(tmp_path, convention="matmul", **options)
    assert found.total["params"] == params
    assert found.total["flops"] == flops
    step = graphacct.account(tmp_path, phase="decode", batch=2, cache_len=9, **encoder)
    assert step.total["params"] == params


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model_type": "recurrent_gemma", "block_types": []}, "block_types is a list of recurrent and attention"),
        ({"model_type": "lfm3", "layer_types": ["linear"]}, "layer_types has 'linear'"),
        ({"model_type": "jetmoe", "num_experts_per_tok": 9}, "a token cannot run through 9 of 8 experts"),
        ({"model_type": "kolibri1", "layer_types": ["full_attention"]}, "layer_types names 1 layers"),
        (
            {"model_type": "t5gemma", "encoder": STACK, "architectures": ["T5GemmaForMaskedLM"]},
            "T5GemmaForMaskedLM",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(content if "encoder" in content else {**BASE, **content}))
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(tmp_path)
