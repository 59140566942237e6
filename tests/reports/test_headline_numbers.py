"""The numbers that the project promises, each with its arithmetic or its source.

Of the worksheet's model: V = 50,257 tokens, d = d_model, f = d_ff = 6,400 in all of its tables, L layers, s tokens.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

V, F = 50257, 6400
SIZES = {  # d_model, n_layer
    "transformer-lm-small": (768, 12),
    "transformer-lm-medium": (1024, 24),
    "transformer-lm-large": (1280, 36),
    "transformer-lm-xl": (1600, 48),
}


def matmuls(d: int, layers: int, s: int) -> int:
    """The worksheet's matrix products: SwiGLU 6sdf, projections 8sdd, attention 4ssd, the head 2sdV."""
    return layers * (6 * s * d * F + 8 * s * d * d + 4 * s * s * d) + 2 * s * d * V


def sheet(d: int, layers: int, s: int) -> int:
    """The worksheet's total: per layer one rotary embedding (3sd) and one RMSNorm (2sd), and the last RMSNorm."""
    return matmuls(d, layers, s) + layers * (3 * s * d + 2 * s * d) + 2 * s * d


def total(model: str, quantity: str = "flops", **options: Any) -> Any:
    return graphacct.account(model, **options).total[quantity]


@pytest.mark.parametrize(
    ("model", "seq_len", "n_layer", "expected"),
    [
        ("transformer-lm-xl", 1024, 48, 4_513_733_017_600),  # worksheet.txt, "total"
        ("transformer-lm-xl", 16384, 48, 149_529_139_609_600),  # worksheet.txt, its last question
        ("transformer-lm-small", 1024, 12, 538_120_814_592),  # worksheet.txt, the table headed "GPT2 xl"
        ("transformer-lm-medium", 1024, 24, 1_381_129_781_248),  # worksheet.txt, "GPT2 medium"
        ("transformer-lm-large", 1024, 24, 1_790_836_736_000),  # worksheet.txt, "GPT2 large", which has 24 layers
        ("transformer-lm-large", 1024, 36, 2_620_380_938_240),  # the same with the 36 layers of GPT-2 large
    ],
)
def test_worksheet_totals(model: str, seq_len: int, n_layer: int, expected: int) -> None:
    """Under the convention `worksheet`, the totals are the sheet's, to the unit, and the formula's."""
    options: dict[str, Any] = {"convention": "worksheet", "seq_len": seq_len, "set": {"n_layer": n_layer}}
    assert total(model, **options) == expected == sheet(SIZES[model][0], n_layer, seq_len)


def test_worksheet_without_the_elementwise_terms() -> None:
    """Under `matmul`, XL at 1,024 tokens is the sheet's total less its rotary and RMSNorm terms."""
    # 48 * (3 * 1024 * 1600 + 2 * 1024 * 1600) + 2 * 1024 * 1600 = 396,492,800
    assert total("transformer-lm-xl", convention="matmul") == 4_513_336_524_800 == 4_513_733_017_600 - 396_492_800


@pytest.mark.parametrize("model", SIZES)
@pytest.mark.parametrize("seq_len", [1, 128, 1024, 16384])
def test_worksheet_formula(model: str, seq_len: int) -> None:
    """The closed formulas of the sheet hold for every size and length, under both conventions."""
    d, layers = SIZES[model]
    assert total(model, convention="worksheet", seq_len=seq_len) == sheet(d, layers, seq_len)
    assert total(model, convention="matmul", seq_len=seq_len) == matmuls(d, layers, seq_len)


SHARES = [
    # SwiGLU 6 s d f L, attention 4 (2 s d d) L + 4 s s d L + 3 s d L, head 2 s d V, each over the sheet's total.
    ("transformer-lm-small", 1024, "67.34", "17.96", "14.69"),
    ("transformer-lm-medium", 1024, "69.97", "22.40", "7.63"),
    ("transformer-lm-large", 1024, "69.15", "25.82", "5.03"),
    ("transformer-lm-xl", 1024, "66.90", "29.44", "3.65"),  # worksheet.txt: 0.669046855, 0.294432886, 0.036484687
    ("transformer-lm-xl", 16384, "32.31", "65.92", "1.76"),  # worksheet.txt, its last question
]


@pytest.mark.parametrize(("model", "seq_len", "swiglu", "attention", "head"), SHARES)
def test_worksheet_shares(model: str, seq_len: int, swiglu: str, attention: str, head: str) -> None:
    """The shares of SwiGLU, attention and the head, in percent to two decimals."""
    report = graphacct.account(model, convention="worksheet", seq_len=seq_len)
    shares = [f"{100 * report[path].share:.2f}" for path in ("layers.*.ffn", "layers.*.attn", "lm_head")]
    assert shares == [swiglu, attention, head]
    d, layers = SIZES[model]
    assert report["layers.*.ffn"].values["flops"] == layers * 6 * seq_len * d * F
    assert report["layers.*.attn"].values["flops"] == layers * seq_len * d * (8 * d + 4 * seq_len + 3)
    assert report["lm_head"].values["flops"] == 2 * seq_len * d * V


def test_attention_overtakes_as_the_model_grows() -> None:
    """At d_ff 6400, attention's share rises with the size of the model, against the sheet's conclusion."""
    shares = [graphacct.account(model, convention="worksheet")["layers.*.attn"].share for model in SIZES]
    assert shares == sorted(shares)


def test_worksheet_parameters() -> None:
    """XL has the sheet's 2,127,057,600 parameters, 8,508,230,400 bytes in float32."""
    # embedding 50257 * 1600, 48 * (4 * 1600 * 1600 + 2 * 1600 + 3 * 1600 * 6400), the last norm 1600, the head
    d = 1600
    expected = V * d + 48 * (4 * d * d + 2 * d + 3 * d * F) + d + d * V
    report = graphacct.account("transformer-lm-xl")
    assert report.total["params"] == expected == 2_127_057_600
    assert report.total["param_bytes"] == 4 * expected == 8_508_230_400
    assert total("transformer-lm-xl", "param_bytes", dtype="bf16") == 2 * expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt2", 124_439_808),  # the published checkpoints, as measured: goldens/gpt2*/truth.json
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
    ],
)
def test_gpt2_parameters(model: str, expected: int) -> None:
    """The GPT-2 family has the published checkpoints' parameters, the tied head once."""
    sizes = {"gpt2": (768, 12), "gpt2-medium": (1024, 24), "gpt2-large": (1280, 36), "gpt2-xl": (1600, 48)}
    d, layers = sizes[model]
    # per block: c_attn d * 3d + 3d, c_proj dd + d, c_fc d * 4d + 4d, c_proj 4d * d + d, two norms of 2d
    block = (3 * d * d + 3 * d) + (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d) + 4 * d
    assert total(model, "params") == expected == V * d + 1024 * d + layers * block + 2 * d
    untied = graphacct.account(model, set={"tie_word_embeddings": False})
    assert untied.total["params"] == expected + V * d


def test_gpt2_matmul_flops() -> None:
    """gpt2 at (1, 1024) has 291,648,307,200 FLOPs under `matmul`, as torch counts and nanoGPT prints."""
    d, s, layers = 768, 1024, 12
    # per block: projections 2s(3dd + dd), the MLP 2s(8dd), scores and values 4ssd; the head 2sdV
    assert layers * (24 * s * d * d + 4 * s * s * d) + 2 * s * d * V == 291_648_307_200
    assert total("gpt2", convention="matmul", seq_len=1024) == 291_648_307_200


def test_gpt2_vector_flops() -> None:
    """All that is no contraction in gpt2 at (1, 1024), term by term at the factors that the operators state."""
    d, s, h, layers = 768, 1024, 12, 12
    norm = 7 * s * d + 4 * s  # layer_norm with weight and bias, and 4 per row
    biases = s * 3 * d + s * d + s * 4 * d + s * d
    attention = h * s * s * (1 + 1 + 5)  # scale, mask, softmax
    block = 2 * norm + biases + attention + 9 * s * 4 * d + 2 * s * d  # tanh-GELU at 9, two residuals
    expected = s * d + layers * block + norm  # the sum of the two embeddings, the blocks, the last norm
    report = graphacct.account("gpt2", seq_len=1024)
    assert report.total["vector_flops"] == expected
    assert report.total["flops"] == expected + 291_648_307_200
    assert report.total["macs"] == 291_648_307_200 // 2


def test_gpt2_transcendentals() -> None:
    """exp in softmax, tanh in GELU and one rsqrt a row in the norms are gpt2's transcendentals."""
    d, s, h, layers = 768, 1024, 12, 12
    assert total("gpt2", "transcendentals", seq_len=1024) == layers * (h * s * s + s * 4 * d + 2 * s) + s


@pytest.mark.parametrize(("dtype", "bits"), [("bf16", 16), ("fp16", 16), ("fp64", 64)])
def test_activations_have_the_dtype_of_the_parameters(dtype: str, bits: int) -> None:
    """The ids, 8 bytes each, only say which rows are read. All but the position ids scale."""
    ids = 8 * 1024
    wide = graphacct.account("gpt2").total["activation_bytes"] - ids
    narrow = graphacct.account("gpt2", dtype=dtype).total["activation_bytes"] - ids
    assert narrow * 32 == wide * bits
