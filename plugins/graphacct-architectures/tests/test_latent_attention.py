"""DeepSeek's latent attention: what the cache holds, what a token uses, which keys are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import GraphacctError

GOLDENS = Path(__file__).parents[3] / "tests" / "goldens"
FAMILIES = GOLDENS / "families"
ABSORBED = json.loads((GOLDENS / "absorbed" / "truth.json").read_text())["runs"]
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


@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_the_librarys_step_expands_all_latents_again(attention: str) -> None:
    """Keys and values of 1,000 tokens from their latents in each of 61 layers: 2 · 1000 · 512 · 128 · 256 FLOPs."""
    sizes = {"phase": "decode", "cache_len": 999, "attention": attention}
    found = graphacct.account("deepseek-v3", convention="matmul", **sizes)
    expanded = found["model.layers.*.self_attn.kv_b_proj"].values["matmul_flops"]
    assert expanded == 61 * 2 * 1000 * 512 * (128 * (128 + 128))


@pytest.mark.parametrize("run", ABSORBED, ids=lambda run: "-".join(map(str, run.values())))
def test_both_ways_take_what_torch_counts(run: dict[str, Any]) -> None:
    """The library's model, and the same with its weights and no latent expanded, which gave equal results."""
    tokens = {"cache_len": run["cached_tokens"]} if run["phase"] == "decode" else {"seq_len": run["seq"]}
    quantity = "step_matmul_flops" if run["phase"] == "train" else "matmul_flops"
    for attention, expected in (("eager", "expanded"), ("fused", "expanded"), ("absorbed", "absorbed")):
        asked = {"phase": run["phase"], "batch": run["batch"], "attention": attention, **tokens}
        found = graphacct.account(FAMILIES / run["model"], convention="matmul", **asked)
        assert found.total[quantity] == run[expected]


def test_a_step_on_latents_is_the_sum_written_out() -> None:
    """DeepSeek-V3, 131,072 positions, 32 sequences: every weight that a token uses but the embedding's and the norms'
    once, and in each layer scores on 576 and values of 512 elements a position for 128 heads. Expanding takes 117 times
    as much."""
    sizes = {"phase": "decode", "cache_len": 131_071, "batch": 32, "convention": "matmul"}
    found = graphacct.account("deepseek-v3", **sizes)
    width, norms = 7168, 61 * (2 * 7168 + 1536 + 512) + 7168
    weights = 37_552_282_624 - 129_280 * width - norms
    assert found.total["matmul_flops"] == 32 * (2 * weights + 61 * 2 * 128 * (576 + 512) * 131_072)
    assert found.total["matmul_flops"] == 73_606_071_582_720
    assert graphacct.account("deepseek-v3", **sizes, attention="fused").total["matmul_flops"] == 8_608_224_706_035_712
    assert found.total["kv_cache_bytes"] == 61 * 32 * 131_072 * (512 + 64) * 2


@pytest.mark.parametrize("preset", ["deepseek-v2-lite", "deepseek-v2", "deepseek-v3", "deepseek-r1"])
def test_a_decoding_step_is_absorbed_unless_said(preset: str) -> None:
    """Other phases go the library's way, and every report says which it was. Parameters and cache are the same."""
    for phase in ("forward", "train", "prefill"):
        assert graphacct.build(preset, phase=phase, seq_len=8).workload["attention"] == "fused"
    found = graphacct.account(preset, phase="decode", cache_len=8)
    assert found.annotated.graph.workload["attention"] == "absorbed"
    assert "attention absorbed" in str(found)
    other = graphacct.account(preset, phase="decode", cache_len=8, attention="fused")
    same = ("params", "active_params", "param_bytes", "kv_cache_bytes", "kv_bytes_per_token")
    assert [found.total[name] for name in same] == [other.total[name] for name in same]
    assert sorted(row.parameter.name for row in found.by_parameter) == sorted(
        row.parameter.name for row in other.by_parameter
    )


def test_memory_of_a_step_on_latents() -> None:
    """Beside the cache, the old rows of one layer: 32 · 131,071 · 576 · 2 bytes, and little more than a token needs.
    Expanded, the keys and values of one layer alone are 32 · 131,072 · 128 · (192 + 128) · 2 bytes."""
    sizes = {"phase": "decode", "cache_len": 131_071, "batch": 32}
    found = graphacct.memory("deepseek-v3", **sizes)
    assert 0 <= found.peak - found.kv_cache_bytes - 32 * 131_071 * 576 * 2 < 32 * 61 * 576 * 2 + 10**7
    expanded = graphacct.memory("deepseek-v3", **sizes, attention="fused")
    assert expanded.peak - expanded.kv_cache_bytes > 32 * 131_072 * 128 * 320 * 2
    assert found.kv_cache_bytes == expanded.kv_cache_bytes
    assert found.parameters == expanded.parameters


def test_an_absorbed_weight_is_stored_as_in_other_phases() -> None:
    """In fp8 as asked. The products of its halves read it in bfloat16, 2 bytes an element, with the queries (128 · 128
    elements) and what attention gives (128 · 512) of each layer."""
    sizes = {"phase": "decode", "cache_len": 8, "weights": "fp8:block=128"}
    found, other = (graphacct.account("deepseek-v3", **sizes, attention=kind) for kind in ("absorbed", "fused"))
    assert found.total["param_bytes"] == other.total["param_bytes"]
    read = found["model.layers.*.self_attn.kv_b_proj"].values["read_bytes"]
    assert read == 61 * 2 * (32_768 * 512 + 128 * 128 + 128 * 512)


@pytest.mark.parametrize("model", ["llama-3-8b", "gpt2", "t5-small", "bert-base-uncased"])
def test_absorbed_is_for_latent_attention(model: str) -> None:
    """Other families say that they have none."""
    with pytest.raises(graphacct.ConfigError, match="absorbed is for latent attention, which it does not have"):
        graphacct.account(model, attention="absorbed")


@pytest.mark.parametrize("glob", ["*.kv_b_proj", "*_proj", "*.kv_b_proj.weight"])
def test_adapters_of_an_absorbed_weight_are_refused(glob: str) -> None:
    """The weight is applied in two parts, beside which peft's adapter of the whole does not fit."""
    with pytest.raises(graphacct.ConfigError, match=r"kv_b_proj\.weight' is applied in parts") as error:
        graphacct.build("deepseek-v2-lite", phase="decode", cache_len=8, lora=[f"4:{glob}"])
    assert 'attention="fused"' in str(error.value)
    graphacct.build("deepseek-v2-lite", phase="decode", cache_len=8, attention="fused", lora=[f"4:{glob}"])
    graphacct.build("deepseek-v2-lite", phase="decode", cache_len=8, lora=["4:*.o_proj"])


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("attention", ["eager", "fused", "absorbed"])
@pytest.mark.parametrize("case", SMALL)
def test_folded_layers_are_the_layers_themselves(case: str, attention: str, phase: str) -> None:
    """Every total is equal on the folded and on the unrolled graph, in which the first layers are dense."""
    size = {"cache_len": 30} if phase == "decode" else {"seq_len": 30}
    graph = graphacct.build(FAMILIES / case, attention=attention, phase=phase, **size)
    assert graphacct.account(graph).total == graphacct.account(graph.unroll()).total


def test_the_published_file_is_counted_as_stored(tmp_path: Path) -> None:
    """FP8 in the file changes what weights take and what is read of them; every other key changes nothing."""
    content = json.loads((FAMILIES / "small-deepseek-v3" / "config.json").read_text())
    plain = graphacct.account(FAMILIES / "small-deepseek-v3", seq_len=8).total
    content["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    content |= {"moe_layer_freq": 2}  # the library's classes read no such key: measured (DeepSeek-V2 with 2)
    content |= {"num_nextn_predict_layers": 1, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "ep_size": 1}
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = graphacct.account(tmp_path, seq_len=8).total
    assert {name for name, value in found.items() if value != plain[name]} == {"param_bytes", "read_bytes"}
    expected = graphacct.account(FAMILIES / "small-deepseek-v3", seq_len=8, weights="fp8:block=128").total
    assert found == expected


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
        (
            "small-deepseek-v3",
            {"quantization_config": {"quant_method": "vptq"}},
            "quant_method is 'vptq', which is not known",
        ),
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
