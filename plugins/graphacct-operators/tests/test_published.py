"""Conventions of papers and tools: the very figures that they print."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

GPT2 = 124_439_808
POSITIONS, TABLE = 1024 * 768, 50_257 * 768
LAYERS, WIDTH, TOKENS = 12, 768, 1024
LLAMA, LLAMA_TABLE, LLAMA_TOKENS = 8_030_261_248, 128_256 * 4096, 8192
CORE = 12 * LAYERS * WIDTH * TOKENS**2
"""12 L H Q T a token, of T tokens."""
LLAMA_CORE = 12 * 32 * 4096 * LLAMA_TOKENS**2


def step(model: str, convention: str, **options: Any) -> Any:
    report = graphacct.account(model, convention=convention, phase="train", quantities=["step_flops"], **options)
    return report.total["step_flops"]


@pytest.mark.parametrize(
    ("convention", "flops"),
    [
        ("6nd", 6 * GPT2 * TOKENS),
        ("palm-mfu", 6 * GPT2 * TOKENS + CORE),  # 880,522,297,344
        ("nanogpt", 6 * (GPT2 - POSITIONS) * TOKENS + CORE),  # 875,690,459,136
        ("torchtitan", 6 * (GPT2 - POSITIONS) * TOKENS + CORE),  # the head shares the other table
        ("hf-trainer", 6 * (GPT2 - POSITIONS - TABLE) * TOKENS),
        ("kaplan", 6 * (GPT2 - POSITIONS - TABLE) * TOKENS),
        # nanoGPT's notebook on sizes counts the products: 874,944,921,600
        ("megatron", 72 * TOKENS * LAYERS * WIDTH**2 + CORE + 6 * TOKENS * TABLE),
        ("megatron-2025", 72 * TOKENS * LAYERS * WIDTH**2 + CORE // 2 + 6 * TOKENS * TABLE),
        # 96 B s l h² (1 + s/6h + V/16lh)
        ("megatron-recompute", 96 * TOKENS * LAYERS * WIDTH**2 + CORE * 4 // 3 + 6 * TOKENS * TABLE),
        # three times 24 s d² + 4 s² d + 3 H s² a layer, and 2 s V d of lookup and logits each; a table of positions too
        (
            "chinchilla",
            3 * LAYERS * (24 * TOKENS * WIDTH**2 + 4 * TOKENS**2 * WIDTH + 3 * 12 * TOKENS**2)
            + 3 * (2 * 2 * TOKENS * TABLE + 2 * TOKENS * POSITIONS),
        ),
        ("chinchilla-a4", 3 * LAYERS * (24 * TOKENS * WIDTH**2 + 4 * TOKENS**2 * WIDTH + 3 * 12 * TOKENS**2)),
        ("macs", 874_944_921_600 // 2),
    ],
)
def test_gpt2_at_1024_tokens(convention: str, flops: int) -> None:
    assert step("gpt2", convention, seq_len=TOKENS) == flops


@pytest.mark.parametrize(
    ("convention", "flops"),
    [
        ("torchtitan", 6 * (LLAMA - LLAMA_TABLE) * LLAMA_TOKENS + LLAMA_CORE),  # 474,435,173,744,640
        ("hf-trainer", 6 * (LLAMA - LLAMA_TABLE) * LLAMA_TOKENS),  # 368,882,057,478,144
        ("megatron", 474_422_087_516_160),  # the products, as the matmul convention has them
        ("megatron-2025", 474_422_087_516_160 - LLAMA_CORE // 2),  # 421,645,529,382,912
        ("palm-mfu", 6 * LLAMA * LLAMA_TOKENS + LLAMA_CORE),
    ],
)
def test_llama_3_8b_at_8192_tokens(convention: str, flops: int) -> None:
    assert step("llama-3-8b", convention, seq_len=LLAMA_TOKENS) == flops


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("convention", ["palm-mfu", "chinchilla", "megatron-2025"])
def test_how_attention_runs_changes_nothing(convention: str, attention: str) -> None:
    assert step("gpt2", convention, seq_len=64, attention=attention) == step("gpt2", convention, seq_len=64)


def test_the_batch_and_the_layers_written_out_change_nothing_else() -> None:
    """A figure is of batch · seq_len tokens, and the parts of layers written out sum to it too."""
    assert step("gpt2", "6nd", seq_len=8, batch=3) == 6 * GPT2 * 24
    graph = graphacct.build("gpt2", seq_len=8, phase="train").unroll()
    assert step(graph, "megatron-recompute") == step("gpt2", "megatron-recompute", seq_len=8)  # type: ignore[arg-type]


def test_mt_nlg_and_palm() -> None:
    """PaLM (appendix B) prints 46.2 % of 6,144 chips of 275 TFLOP/s at 238.3 K tokens/s, from 540.35 · 10⁹ parameters,
    118 layers, 48 heads of 256 and 2,048 tokens. The formula of a token from those gives the same."""
    of_token = 6 * 540.35e9 + 12 * 118 * 48 * 256 * 2048
    assert round(238_300 * of_token / (6144 * 275e12) * 100, 1) == 46.2


def test_kaplan_counts_half_of_the_pairs_in_a_forward_pass_alone() -> None:
    """2 N + 2 L n_ctx d_attn a token (section 2.1); their training compute is 6 N."""
    forward = graphacct.account("gpt2", convention="kaplan", seq_len=TOKENS).total["flops"]
    assert forward == (2 * (GPT2 - POSITIONS - TABLE) + 2 * LAYERS * TOKENS * WIDTH) * TOKENS


def test_fvcore_sees_products_and_norms_of_the_forward_pass() -> None:
    """Multiply-adds; fused attention is unseen, and LayerNorm is 5 an element."""
    products = LAYERS * 12 * TOKENS * WIDTH**2 + TOKENS * TABLE
    norms = 5 * 25 * TOKENS * WIDTH
    assert step("gpt2", "fvcore", seq_len=TOKENS) == products + norms
    assert step("gpt2", "fvcore", seq_len=TOKENS, attention="eager") == products + norms + CORE // 6


def test_xla_has_transcendentals_in_a_column_of_their_own() -> None:
    exact = graphacct.account("gpt2", seq_len=64).total
    xla = graphacct.account("gpt2", seq_len=64, convention="xla").total
    assert xla["flops"] == exact["flops"] - exact["transcendentals"]


def test_experts_that_a_token_is_not_sent_to_are_no_work_for_torchtitan() -> None:
    """Mixtral: 2 of 8 experts, so torchtitan differs from PaLM by the table and 6 experts of three matrices a layer."""
    sizes: dict[str, Any] = {"seq_len": 16}
    unused = 6 * 16 * (32_000 * 4096 + 32 * 6 * 3 * 4096 * 14_336)
    assert step("mixtral-8x7b", "palm-mfu", **sizes) - step("mixtral-8x7b", "torchtitan", **sizes) == unused


def test_a_model_without_tokens_has_no_such_figure() -> None:
    with pytest.raises(graphacct.ConfigError, match=r"'6nd' counts tokens, batch · seq_len, and .* has no seq_len"):
        step("resnet-50", "6nd")


def test_one_layer_that_runs_twelve_times_is_counted_once() -> None:
    """ALBERT has one layer, and each of its twelve runs has a twelfth of the figure."""
    report = graphacct.account(
        "albert-base-v2", convention="6nd", seq_len=8, phase="train", quantities=["step_flops", "params"]
    )
    assert report.total["step_flops"] == 6 * report.total["params"] * 8


def attention(layers: int, width: int, share: int = 1) -> int:
    """12 L H Q T a token, of S tokens; a part of it."""
    return 12 * layers * width * S * S // share


S = 1024
BY_HAND: list[tuple[str, str, str, dict[str, int]]] = [
    # grouped queries, biases of q, k and v alone, a head that shares the table: 24 layers of 896, 49 norms
    ("qwen2.5-0.5b", "matmul", "palm-mfu", {"norms": 6 * S * 49 * 896, "biases": 6 * S * 24 * (896 + 2 * 128)}),
    (
        "qwen2.5-0.5b",
        "matmul",
        "hf-trainer",
        {
            "attention": -attention(24, 896),
            "head": -6 * S * 151_936 * 896,
            "norms": 6 * S * 49 * 896,
            "biases": 6 * S * 24 * (896 + 2 * 128),
        },
    ),
    # a table and a head apart, biases everywhere: 24 layers of 1,024
    (
        "pythia-410m",
        "matmul",
        "6nd",
        {
            "attention": -attention(24, 1024),
            "embeddings": 6 * S * 50_304 * 1024,
            "norms": 6 * S * 49 * 2 * 1024,
            "biases": 6 * S * 24 * 9 * 1024,
        },
    ),
    # 2,050 learned positions: PaLM's N has them, nanoGPT's has not
    (
        "opt-125m",
        "nanogpt",
        "palm-mfu",
        {"positions": 6 * S * 2050 * 768},
    ),
    # a norm of the embeddings
    ("bloom-560m", "matmul", "torchtitan", {"norms": 6 * S * 50 * 2 * 1024, "biases": 6 * S * 24 * 9 * 1024}),
    # a bias of the head
    ("phi-2", "hf-trainer", "torchtitan", {"attention": attention(32, 2560)}),
    (
        "phi-2",
        "megatron",
        "torchtitan",
        {"norms": 6 * S * 33 * 2 * 2560, "biases": 6 * S * (32 * 9 * 2560 + 51_200)},
    ),
    # gains that are a weight plus 1, four norms a layer; heads wider than the stream; 26 layers
    ("gemma-2-2b", "matmul", "torchtitan", {"norms": 6 * S * (26 * 4 + 1) * 2304}),
    ("gemma-2-2b", "matmul", "megatron-2025", {"mask": -attention(26, 8 * 256, 2)}),
    # 2 of 8 experts: Megatron's formula has no router, 6N has all experts
    ("mixtral-8x7b", "matmul", "megatron", {"router": -6 * S * 32 * 8 * 4096}),
    (
        "mixtral-8x7b",
        "megatron",
        "torchtitan",
        {"router": 6 * S * 32 * 8 * 4096, "norms": 6 * S * 65 * 4096},
    ),
    (
        "mixtral-8x7b",
        "torchtitan",
        "6nd",
        {
            "attention": -attention(32, 4096),
            "embeddings": 6 * S * 32_000 * 4096,
            "experts": 6 * S * 32 * 6 * 3 * 4096 * 14_336,
        },
    ),
    # 4 of 32 experts with biases, sinks, biases of attention and router: 24 layers of 2,880
    (
        "gpt-oss-20b",
        "megatron",
        "torchtitan",
        {
            "router": 6 * S * 24 * 32 * 2880,
            "norms": 6 * S * 49 * 2880,
            "biases": 6 * S * 24 * (64 * 64 + 2 * 8 * 64 + 2880 + 32 + 64 + 4 * (2 * 2880 + 2880)),
        },
    ),
    ("gpt2", "megatron", "megatron-recompute", {"recompute": 2 * S * 12 * 12 * 768**2 + attention(12, 768, 3)}),
    ("llama-3-8b", "megatron", "megatron:causal", {"mask": -12 * 32 * 4096 * (S * S - S * (S + 1) // 2)}),
    # each table looked up as a product, 3 for each score
    (
        "gpt2",
        "matmul",
        "chinchilla",
        {"embeddings": 6 * S * 50_257 * 768, "positions": 6 * S * 1024 * 768, "element-wise": 9 * 12 * 12 * S * S},
    ),
]


@pytest.mark.parametrize(("model", "between", "and_", "terms"), BY_HAND)
def test_the_terms_by_hand(model: str, between: str, and_: str, terms: dict[str, int]) -> None:
    """Why two formulas differ on a model: each term by arithmetic, all of them, and none besides."""
    found = graphacct.reconcile(model, between=between, and_=and_, seq_len=S)
    assert {term.name: term.flops for term in found.terms} == terms
    assert found.difference == step(model, and_, seq_len=S) - step(model, between, seq_len=S)
