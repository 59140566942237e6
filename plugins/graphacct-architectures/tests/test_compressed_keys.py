"""DeepSeek-V4: what a step saves, what the cache holds, what a file may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.footprint.activations import Activations
from graphacct.hooks.manager import default
from graphacct.training.recompute import find_policy, recompute_plan

WINDOW, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"
SMALL: dict[str, Any] = {
    **{"architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "vocab_size": 64, "hidden_size": 32},
    **{"moe_intermediate_size": 16, "num_hidden_layers": 5, "num_attention_heads": 4, "head_dim": 16},
    **{"q_lora_rank": 24, "num_experts_per_tok": 2, "n_routed_experts": 4, "hc_mult": 3, "hc_sinkhorn_iters": 4},
    **{"layer_types": [WINDOW, HEAVY, SPARSE, SPARSE, HEAVY], "compress_rates": {SPARSE: 4, HEAVY: 8}},
    **{"mlp_layer_types": ["hash_moe", "hash_moe", "moe", "moe", "moe"], "sliding_window": 8, "o_groups": 2},
    **{"o_lora_rank": 12, "index_n_heads": 2, "index_head_dim": 8, "index_topk": 3, "partial_rotary_factor": 0.25},
}


def written(folder: Path, **changes: Any) -> Path:
    """A folder with the small file, changed."""
    (folder / "config.json").write_text(json.dumps(SMALL | changes))
    return folder


@pytest.mark.parametrize(
    ("dtype", "batch", "seq_len", "saved"),
    [
        ("float32", 1, 8, 299048),
        ("float32", 2, 20, 1629504),
        ("bfloat16", 1, 8, 259768),
        ("bfloat16", 2, 20, 1408176),
    ],
)
def test_a_step_saves_what_torch_saves(dtype: str, batch: int, seq_len: int, saved: int, tmp_path: Path) -> None:
    """Measured on a CPU with transformers 5.23 and torch 2.13: the storages that autograd has packed and that are alive
    when the forward pass is over; in bfloat16 with the parameters in float32 that 5.24 keeps so. What the indexer packs
    is freed with it, as nothing depends on indices."""
    options: dict[str, Any] = {"phase": "train", "loss": "sum", "attention": "eager"}
    graph = graphacct.build(written(tmp_path), dtype=dtype, batch=batch, seq_len=seq_len, **options)
    plugins = default()
    plan = recompute_plan(graph, find_policy("none", plugins.recompute_policies), plugins.operators)
    profile = plugins.profiles["torch-eager-cpu"]
    step = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable, plan)
    assert step.saved_bytes == saved


CACHED = {1: 1408, 7: 8512, 8: 5120, 20: 6848, 33: 7680}
"""The bytes of the library's cache in float32 after so many tokens, without its counters, and with as many tokens in a
window as it has, of which the library keeps one less."""


@pytest.mark.parametrize(("tokens", "held"), CACHED.items())
def test_the_cache_has_windows_entries_and_what_is_not_an_entry_yet(tokens: int, held: int, tmp_path: Path) -> None:
    """The same after a prompt and after a step to the same length."""
    folder = written(tmp_path)
    for batch in (1, 2):
        options: dict[str, Any] = {"batch": batch, "dtype": "float32"}
        prompt = graphacct.account(folder, phase="prefill", seq_len=tokens, **options).total
        assert prompt["kv_cache_bytes"] == batch * held
        if tokens > 1:
            step = graphacct.account(folder, phase="decode", cache_len=tokens - 1, **options).total
            assert step["kv_cache_bytes"] == batch * held


def test_a_token_adds_its_share_of_an_entry() -> None:
    """DeepSeek-V4-Flash: 43 windows, of which 2 have keys and values apart; 21 layers with entries of 512 and of 128 in
    the indexer for 4 tokens, 20 with entries of 512 for 128 tokens; in bfloat16."""
    total = graphacct.account("deepseek-v4-flash", phase="decode", cache_len=1000).total
    assert total["kv_bytes_per_token"] == 2 * (45 * 512 + 21 * (512 + 128) // 4 + 20 * 512 // 128)


def test_a_length_may_be_a_symbol(tmp_path: Path) -> None:
    """Whole windows of it become entries."""
    sympy = pytest.importorskip("sympy")
    s = sympy.Symbol("s", integer=True, positive=True)
    folder = written(tmp_path)
    options: dict[str, Any] = {"convention": "matmul", "attention": "eager"}
    found = graphacct.account(folder, seq_len=s, **options).total["matmul_flops"]
    assert found.subs(s, 19) == graphacct.account(folder, seq_len=19, **options).total["matmul_flops"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"layer_types": ["full_attention"]},
            "layer_types has 'full_attention'; known: sliding_attention, compressed_",
        ),
        ({"layer_types": [WINDOW]}, "layer_types names 1 layers, num_hidden_layers is 5: they have to agree"),
        ({"mlp_layer_types": ["moe"]}, "mlp_layer_types names 1 layers, num_hidden_layers is 5: they have to agree"),
        ({"compress_rates": {SPARSE: 4}}, f"compress_rates has no {HEAVY}, which layers of this model have"),
        ({"compress_rates": {SPARSE: 0}}, f"compress_rates has {SPARSE} 0, which is no number of tokens"),
        ({"partial_rotary_factor": 0.75}, "12 dimensions of a head are rotated, by partial_rotary_factor or qk_rope"),
        ({"scoring_func": "softmax"}, "scoring_func"),
        ({"num_experts_per_tok": 5}, "num_experts_per_tok, n_routed_experts: a token cannot run through 5 of 4"),
    ],
)
def test_a_refusal_names_the_key(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account(written(tmp_path, **keys), seq_len=4)
    assert message in str(error.value)


def test_older_files_say_the_same(tmp_path: Path) -> None:
    """Numbers for kinds of attention, one more for a layer that predicts a second token, and a rate for each kind."""
    older = {"layer_types": None, "compress_ratios": [0, 128, 4, 4, 128, 0], "compress_rates": None}
    older |= {"compress_rate_csa": 4, "compress_rate_hca": 8, "mlp_layer_types": None, "num_hash_layers": 2}
    older |= {"partial_rotary_factor": None, "qk_rope_head_dim": 4}
    new = graphacct.account(written(tmp_path), seq_len=9).total
    assert graphacct.account(written(tmp_path, **older), seq_len=9).total == new
