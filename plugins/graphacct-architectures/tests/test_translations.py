"""Descriptions of models in other words than a config.json's: what each is, is the preset that it describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

LLAMA_3 = {
    "dim": 4096,
    "n_layers": 32,
    "n_heads": 32,
    "n_kv_heads": 8,
    "vocab_size": 128256,
    "multiple_of": 1024,
    "ffn_dim_multiplier": 1.3,
    "norm_eps": 1e-05,
    "rope_theta": 500000.0,
}
LLAMA_2 = {"dim": 4096, "multiple_of": 256, "n_heads": 32, "n_layers": 32, "norm_eps": 1e-05, "vocab_size": -1}
MISTRAL = {
    "dim": 4096,
    "n_layers": 32,
    "head_dim": 128,
    "hidden_dim": 14336,
    "n_heads": 32,
    "n_kv_heads": 8,
    "norm_eps": 1e-05,
    "sliding_window": 4096,
    "vocab_size": 32000,
}
MOE = {"num_experts_per_tok": 2, "num_experts": 8}
GPT2 = {"n_vocab": 50257, "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12}
MAMBA = {
    "d_model": 768,
    "n_layer": 24,
    "vocab_size": 50277,
    "ssm_cfg": {},
    "rms_norm": True,
    "residual_in_fp32": True,
    "fused_add_norm": True,
    "pad_vocab_size_multiple": 8,
}
MAMBA_2 = {
    **MAMBA,
    "pad_vocab_size_multiple": 16,
    "ssm_cfg": {"layer": "Mamba2"},
    "d_intermediate": 0,
    "attn_layer_idx": [],
    "tie_embeddings": True,
}
CODESTRAL = {
    "dim": 4096,
    "n_layers": 64,
    "vocab_size": 32768,
    "n_groups": 8,
    "rms_norm": True,
    "pad_vocab_size_multiple": 1,
    "tie_embeddings": False,
    "model_type": "mamba",
}


@pytest.mark.parametrize(
    ("file", "content", "preset", "set"),
    [
        ("params.json", LLAMA_3, "llama-3-8b", {}),
        ("params.json", LLAMA_2, "llama-2-7b", {"vocab_size": 32000}),
        ("params.json", MISTRAL, "mistral-7b", {}),
        ("params.json", {**MISTRAL, "model_type": "transformer"}, "mistral-7b", {}),
        ("params.json", {**MISTRAL, "sliding_window": None, "moe": MOE}, "mixtral-8x7b", {}),
        ("params.json", CODESTRAL, "mamba-codestral-7b", {}),
        ("hparams.json", GPT2, "gpt2", {}),
        ("config.json", MAMBA, "mamba-130m", {}),
        ("config.json", MAMBA_2, "mamba2-130m", {}),
    ],
)
def test_it_is_the_preset(tmp_path: Path, file: str, content: Any, preset: str, set: dict[str, Any]) -> None:
    """By its folder and by its path; nothing is left that is not understood."""
    (tmp_path / file).write_text(json.dumps(content))
    expected = graphacct.account(preset, batch=1, seq_len=64)
    for model in (tmp_path, tmp_path / file):
        report = graphacct.account(model, batch=1, seq_len=64, set=set)
        for quantity in ("params", "matmul_flops", "vector_flops"):
            assert report.total[quantity] == expected.total[quantity]
        keys = report.annotated.graph.config_keys
        assert keys is not None
        assert keys.not_understood == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LLAMA_2, "vocab_size is -1: the tokenizer has it\nset=vocab_size=32000"),
        ({**MISTRAL, "vision_encoder": {"hidden_size": 8}}, "has vision_encoder, which is not translated"),
        ({**MISTRAL, "moe": 8}, "moe is 8, not an object"),
        ({**MISTRAL, "moe": {"num_experts": 8}}, "moe has no num_experts_per_tok"),
        ({**MISTRAL, "moe": {**MOE, "shared": 1}}, "moe has shared, which is not translated"),
        ({**MISTRAL, "sliding_window": [4096, 1]}, "layers that differ are not translated"),
        ({**LLAMA_3, "multiple_of": 0}, "multiple_of, by which it is known, is 0"),
        ({**LLAMA_3, "dim": "wide"}, "dim is 'wide', not a width"),
        ({**LLAMA_3, "ffn_dim_multiplier": -1}, "ffn_dim_multiplier is -1, not a factor"),
        ({**MAMBA, "attn_layer_idx": [3]}, r"attn_layer_idx is \[3\], which is not translated"),
        ({**MAMBA, "rms_norm": False}, "rms_norm is False, which is not translated: it is true"),
        ({**MAMBA, "tie_embeddings": None}, "tie_embeddings is None, not true or false"),
        ({**MAMBA, "d_intermediate": []}, r"d_intermediate is \[\], which is not translated"),
        ({**MAMBA, "ssm_cfg": 3}, "ssm_cfg is 3, not an object"),
        ({**MAMBA, "ssm_cfg": {"layer": "Mamba3"}}, "ssm_cfg has layer 'Mamba3'"),
        ({**MAMBA, "vocab_size": None}, "vocab_size and pad_vocab_size_multiple are 768, None and 8"),
        ({**MAMBA_2, "ssm_cfg": {"layer": "Mamba2", "headdim": 0}}, "headdim is 0, not a size"),
    ],
)
def test_what_is_not_translated_is_named(tmp_path: Path, content: Any, message: str) -> None:
    """One or two lines."""
    (tmp_path / "params.json").write_text(json.dumps(content))
    with pytest.raises(graphacct.ReadError, match=message) as caught:
        graphacct.account(tmp_path, batch=1, seq_len=64)
    assert str(caught.value).count("\n") < 2


def test_an_unknown_key_is_said(tmp_path: Path) -> None:
    """It may change the cost."""
    (tmp_path / "params.json").write_text(json.dumps({**LLAMA_3, "halves": 2}))
    keys = graphacct.account(tmp_path, batch=1, seq_len=8).annotated.graph.config_keys
    assert keys is not None
    assert keys.not_understood == ("halves",)


def test_a_translation_that_fails_is_named(tmp_path: Path) -> None:
    """With what it was."""
    plugin = tmp_path / "odd.py"
    plugin.write_text(
        "import graphacct\n\n\n@graphacct.hookimpl\ndef graphacct_register_translations():\n"
        "    odd = ('odd', 'x', lambda content: 'odd' in content, lambda content: content['odd'])\n"
        "    return [graphacct.Translation(*odd)]\n"
    )
    from graphacct.hooks.manager import load

    plugins = load(files=[plugin])
    for value, message in ((3, "translation 'odd' returned 3"), ({}, "model_type is None")):
        (tmp_path / "params.json").write_text(json.dumps({"odd": value}))
        with pytest.raises(graphacct.GraphacctError, match=message):
            graphacct.account(tmp_path / "params.json", plugins=plugins)
