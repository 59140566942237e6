"""A decoding step: one new token per sequence on a cache of earlier ones."""

import json
from pathlib import Path

import pytest

import graphacct
from graphacct.errors import ConfigError

GOLDENS = Path(__file__).parents[1] / "goldens"
MODELS = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
STEPS = [
    pytest.param(model, row, id=f"{model}-{row['batch']}x{row['cached_tokens']}")
    for model in MODELS
    for row in json.loads((GOLDENS / model / "truth.json").read_text())["decode"]
]


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize(("model", "row"), STEPS)
def test_a_step_is_what_torchs_counter_measures(model, row, attention):
    """Contractions to the unit, and by module where they were measured so; one row lies one position beyond the
    published model's table of positions, which is made longer for it."""
    overrides = {} if row["within_position_limit"] else {"n_positions": row["cached_tokens"] + 1}
    options = {"batch": row["batch"], "cache_len": row["cached_tokens"], "attention": attention, "set": overrides}
    report = graphacct.account(model, phase="decode", convention="matmul", **options)
    assert report.total["matmul_flops"] == row["total"]
    for path, (flops, count) in row.get("by_module", {}).items():
        if path != "(root)":
            assert (report[path].values["matmul_flops"], report[path].repeat) == (flops, count)


def test_the_cache_has_two_tensors_a_layer():
    """Keys and values of 1,000 earlier tokens and the new one: 2 · layers · tokens · width · 2 bytes in bf16."""
    report = graphacct.account("gpt2-xl", phase="decode", cache_len=1000, dtype="bf16")
    assert report.total["kv_cache_bytes"] == 2 * 48 * 1001 * 1600 * 2
    assert "kv_cache_bytes" not in graphacct.account("gpt2").total


def test_the_cache_is_there_already():
    """It is no new storage; putting the new token behind it copies it, as the library's cache does."""
    report = graphacct.account("gpt2", phase="decode", cache_len=99, dtype="fp32")
    assert report["transformer.h.*.attn.k_cache"].values["activation_bytes"] == 0
    assert report["transformer.h.*.attn.k_cached"].values["activation_bytes"] == 12 * 100 * 768 * 4


def test_decoding_the_worksheets_model():
    """Attention's share is two products of the new token with 1,024 keys; all else is 2 FLOPs per weight it uses."""
    report = graphacct.account("transformer-lm-xl", phase="decode", cache_len=1023, convention="matmul")
    weights = 48 * (4 * 1600 * 1600 + 3 * 1600 * 6400) + 1600 * 50257
    assert report.total["matmul_flops"] == 2 * weights + 48 * 2 * (2 * 1600 * 1024)


def test_sizes_that_do_not_fit_are_refused():
    """A cache without decoding, a model without a cache, positions that were not learned."""
    with pytest.raises(ConfigError, match="cache_len is the size of a decoding step"):
        graphacct.account("gpt2", cache_len=10)
    with pytest.raises(ConfigError, match="resnet has no phase 'decode': it has forward, train"):
        graphacct.account("resnet18", phase="decode")
    with pytest.raises(ConfigError, match="seq_len 1025 is beyond n_positions 1024"):
        graphacct.account("gpt2", phase="decode", cache_len=1024)
