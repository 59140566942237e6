"""DeepSeek's latent attention: what the cache holds, what a token uses, which keys are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import GraphacctError

FAMILIES = Path(__file__).parents[3] / "tests" / "goldens" / "families"
SMALL = ("small-deepseek-v2", "small-deepseek-v3")


def attention_params(heads: int, width: int, query_rank: int | None) -> int:
    """Projections to and from latents of 512 and 64 rotary dimensions, heads of 128 + 64 and values of 128."""
    turned, rank, head = 64, 512, 128
    wide = heads * (head + turned)
    queries = width * wide if query_rank is None else width * query_rank + query_rank + query_rank * wide
    return queries + width * (rank + turned) + rank + rank * heads * 2 * head + heads * head * width


def expert_params(experts: int, shared: int, width: int, inner: int) -> int:
    """Three products of each expert and of the shared ones, and the router over `experts` of them is left out."""
    return (experts + shared) * 3 * width * inner


def total_params(
    layers: int, dense: int, attention: int, width: int, wide: int, sparse: int, router: int, vocabulary: int
) -> int:
    """Layers with two norms each, the last norm, the embedding and the head."""
    rest = 2 * vocabulary * width + width + layers * (attention + 2 * width)
    return rest + dense * 3 * width * wide + (layers - dense) * (sparse + router)


@pytest.mark.parametrize(
    ("preset", "params", "active"),
    [
        ("deepseek-v3", 671_026_404_352, 37_552_282_624),
        ("deepseek-r1", 671_026_404_352, 37_552_282_624),
        ("deepseek-v2", 235_741_434_880, 21_375_800_320),
        ("deepseek-v2-lite", 15_706_484_224, 2_661_150_208),
    ],
)
def test_parameters_and_those_that_a_token_uses(preset: str, params: int, active: int) -> None:
    """The library's classes on the meta device have as many, and the sum written out; V3's buffer is no parameter."""
    found = graphacct.account(preset, seq_len=8).total
    lite, third = preset.endswith("lite"), preset in ("deepseek-v3", "deepseek-r1")
    layers, dense, heads, width, wide = (61, 3, 128, 7168, 18432) if third else (60, 1, 128, 5120, 12288)
    experts, shared, inner, chosen, vocabulary = (256, 1, 2048, 8, 129280) if third else (160, 2, 1536, 6, 102400)
    if lite:
        layers, heads, width, wide, experts, inner = 27, 16, 2048, 10944, 64, 1408
    attention = attention_params(heads, width, None if lite else 1536)

    def written_out(count: int) -> int:
        sparse = expert_params(count, shared, width, inner)
        return total_params(layers, dense, attention, width, wide, sparse, experts * width, vocabulary)

    assert (written_out(experts), written_out(chosen)) == (params, active)
    assert (found["params"], found["active_params"]) == (params, active)


@pytest.mark.parametrize(
    ("preset", "layers"), [("deepseek-v3", 61), ("deepseek-v2", 60), ("deepseek-v2-lite", 27)], ids=str
)
def test_the_cache_holds_latents(preset: str, layers: int) -> None:
    """A latent of 512 and a key of 64 that all heads share, in bf16: 70,272 bytes a token for V3."""
    per_token = layers * (512 + 64) * 2
    assert per_token == {61: 70_272, 60: 69_120, 27: 31_104}[layers]
    found = graphacct.account(preset, phase="decode", cache_len=999, dtype="bf16")
    assert found.total["kv_cache_bytes"] == 1000 * per_token


def test_a_step_expands_all_latents_again() -> None:
    """Keys and values of 1,000 tokens from their latents in each of 61 layers: 2 · 1000 · 512 · 128 · 256 FLOPs."""
    found = graphacct.account("deepseek-v3", phase="decode", cache_len=999, convention="matmul")
    expanded = found["model.layers.*.self_attn.kv_b_proj"].values["matmul_flops"]
    assert expanded == 61 * 2 * 1000 * 512 * (128 * (128 + 128))


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("case", SMALL)
def test_folded_layers_are_the_layers_themselves(case: str, attention: str, phase: str) -> None:
    """Every total is equal on the folded and on the unrolled graph, in which the first layers are dense."""
    size = {"cache_len": 30} if phase == "decode" else {"seq_len": 30}
    graph = graphacct.build(FAMILIES / case, attention=attention, phase=phase, **size)
    assert graphacct.account(graph).total == graphacct.account(graph.unroll()).total


def test_the_published_file_is_counted_dequantized(tmp_path: Path) -> None:
    """FP8 in the file changes nothing; another method is an error."""
    content = json.loads((FAMILIES / "small-deepseek-v3" / "config.json").read_text())
    plain = graphacct.account(FAMILIES / "small-deepseek-v3", seq_len=8).total
    content["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    content |= {"num_nextn_predict_layers": 1, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "ep_size": 1}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert graphacct.account(tmp_path, seq_len=8).total == plain


@pytest.mark.parametrize(
    ("case", "keys", "message"),
    [
        ("small-deepseek-v3", {"num_key_value_heads": 3}, "num_key_value_heads is 3, num_attention_heads 6"),
        ("small-deepseek-v3", {"num_experts_per_tok": 17}, "a token cannot run through 17 of 16 experts"),
        ("small-deepseek-v2", {"num_experts_per_tok": None}, "num_experts_per_tok is missing: how many of 16"),
        ("small-deepseek-v3", {"n_group": 3}, "n_routed_experts / n_group: 16 is not divisible by 3"),
        ("small-deepseek-v3", {"n_group": 16, "topk_group": 2}, "k is 2, but dimension n of x has 1"),
        (
            "small-deepseek-v3",
            {"topk_group": 5},
            "topk_group is 5, n_group 4: no more groups are chosen than there are",
        ),
        ("small-deepseek-v3", {"quantization_config": {"quant_method": "awq"}}, "whose quant_method is 'fp8', not"),
        ("small-deepseek-v3", {"moe_layer_freq": 2}, "moe_layer_freq is 2, which deepseek_v3 does not know"),
        ("small-deepseek-v2", {"topk_group": None}, "group_limited_greedy needs n_group and topk_group"),
        ("small-deepseek-v2", {"topk_method": "greedly"}, "topk_method cannot be 'greedly'"),
    ],
)
def test_what_cannot_be_names_its_key(tmp_path: Path, case: str, keys: dict[str, Any], message: str) -> None:
    """A configuration that no model can have is an error that says why."""
    content = json.loads((FAMILIES / case / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | keys))
    with pytest.raises(GraphacctError) as error:
        graphacct.account(tmp_path, seq_len=8)
    assert message in str(error.value)
