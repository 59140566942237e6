"""Experts: what they cost with real routing, what one token uses of them, and what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphacct_architectures.decoders.qwen3_moe import Qwen3MoeConfig, describe

import graphacct
from graphacct.errors import GraphacctError
from graphacct.reports.unrolled import unrolled

EXPERTS = Path(__file__).parents[3] / "tests" / "goldens" / "experts"
MEASURED = [
    pytest.param(case.name, run, id=f"{case.name}-{run['experts']}-{run['batch']}x{run['seq']}")
    for case in sorted(EXPERTS.iterdir())
    for run in json.loads((case / "truth.json").read_text())["runs"]
]


@pytest.mark.parametrize(("case", "run"), MEASURED)
def test_measured_with_real_routing(case: str, run: dict[str, Any]) -> None:
    """Random weights and tokens through each implementation of the experts: the same FLOPs, and ours."""
    sizes = {"batch": run["batch"], "seq_len": run["seq"], "convention": "matmul", "attention": "eager"}
    assert graphacct.account(EXPERTS / case, **sizes).total["matmul_flops"] == run["forward"]
    step = graphacct.account(EXPERTS / case, phase="train", loss="sum", **sizes)
    assert step.total["step_matmul_flops"] == run["train_step"]
    assert step.total["params"] == json.loads((EXPERTS / case / "truth.json").read_text())["params"]


ACTIVE = {
    # all, less 6 of 8 experts: 46,702,792,704 - 32 · 6 · 3 · 4096 · 14336
    "mixtral-8x7b": (46_702_792_704, 12_879_925_248),
    # less 120 of 128: 30,532,122,624 - 48 · 120 · 3 · 2048 · 768
    "qwen3-30b-a3b": (30_532_122_624, 3_353_032_704),
    "qwen3-235b-a22b": (235_093_634_560, 22_190_763_520),
    # the published 5,132,849,472 leave the embedding out: + 201088 · 2880
    "gpt-oss-120b": (116_829_156_672, 5_132_849_472 + 579_133_440),
    # 4 of 16 experts, which one matrix holds as rows: Databricks says 132 B and 36 B
    "dbrx": (131_596_523_520, 36_469_708_800),
    # 1 of 16, whose layers run all of them on zeros: Meta says 109 B and 17 B, without the tower's 0.88 B
    "llama-4-scout-17b-16e-instruct": (108_641_793_536, 18_044_827_136),
    "llama-3-8b": (8_030_261_248, 8_030_261_248),
}
DBRX = {
    **{"d_model": 6144, "n_heads": 48, "n_layers": 40, "vocab_size": 100352, "attn_config.kv_n_heads": 8},
    **{"ffn_config.ffn_hidden_size": 10752, "ffn_config.moe_num_experts": 16, "ffn_config.moe_top_k": 4},
}
"""The sizes of databricks/dbrx-base."""


@pytest.mark.parametrize("model", ACTIVE)
def test_active_parameters(model: str) -> None:
    """All parameters but the experts that a token does not run through; the folded and the unrolled graph agree."""
    options = {"set": DBRX} if model == "dbrx" else {"images": 0} if model.startswith("llama-4") else {}
    report = graphacct.account(model, seq_len=64, quantities=["params", "active_params"], **options)
    assert (report.total["params"], report.total["active_params"]) == ACTIVE[model]
    assert sum(line.values["active_params"] for line in report.by_operator) == ACTIVE[model][1]


@pytest.mark.parametrize("case", sorted(path.name for path in EXPERTS.iterdir()))
def test_unrolled_layers_agree(case: str) -> None:
    """Every quantity of the folded graph is that of the layers written out, active parameters among them."""
    report = graphacct.account(EXPERTS / case, seq_len=8, phase="train", attention="eager")
    assert unrolled(report).total == report.total


@pytest.mark.parametrize(
    ("model_type", "keys", "message"),
    [
        ("mixtral", {"num_experts_per_tok": 9}, "a token cannot run through 9 of 8 experts"),
        ("qwen3_moe", {"num_experts": 4, "num_experts_per_tok": 8}, "num_experts_per_tok, num_experts: a token"),
        ("qwen2_moe", {"mlp_only_layers": "all"}, "mlp_only_layers is a list of layers' indices, not 'all'"),
        ("gpt_oss", {"quantization_config": {"quant_method": "vptq"}}, "quant_method is 'vptq', which is not known"),
        ("qwen2", {"layer_types": ["full_attention"]}, "layer_types names 1 layers, num_hidden_layers is 32"),
        ("gemma2", {"layer_types": ["full_attention"] * 99}, "layer_types names 99 layers, num_hidden_layers is 26"),
        (
            "qwen3",
            {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]},
            "layer_types[0] is 'sliding_attention', but there is no sliding_window",
        ),
    ],
)
def test_what_cannot_be_names_its_key(tmp_path: Path, model_type: str, keys: dict[str, Any], message: str) -> None:
    """A configuration that no model can have is an error of one line."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": 32000, **keys}))
    with pytest.raises(GraphacctError) as error:
        graphacct.account(tmp_path, seq_len=8)
    assert message in str(error.value)


def test_which_layers_have_experts() -> None:
    """Every second of twelve has, except the fourth, which is listed."""
    config = Qwen3MoeConfig(num_hidden_layers=12, decoder_sparse_step=2, mlp_only_layers=[3])
    layers = describe(config).layer
    assert isinstance(layers, tuple)
    kinds = [type(layer.feed_forward).__name__ for layer in layers]
    assert kinds == ["Mlp", "Experts", "Mlp", "Mlp", *["Mlp", "Experts"] * 4]


def test_no_experts_are_dense_layers(tmp_path: Path) -> None:
    """`num_experts` 0: 2,727,168 parameters and 502,136,832 FLOPs, as the library's class (transformers 5.24)."""
    content = {
        "model_type": "qwen2_moe",
        "hidden_size": 256,
        "intermediate_size": 704,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 1000,
        "num_experts": 0,
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    total = graphacct.account(tmp_path, seq_len=96, attention="eager", convention="matmul").total
    assert (total["params"], total["matmul_flops"]) == (2_727_168, 502_136_832)
    del content["num_experts"]
    (tmp_path / "config.json").write_text(json.dumps({**content, "model_type": "qwen3_moe", "num_local_experts": 0}))
    assert not any("experts" in row.path for row in graphacct.account(tmp_path, seq_len=8).by_scope)


def test_shared_experts_of_null_are_not_guessed(tmp_path: Path) -> None:
    """The original code has none then, the library's class refuses the file."""
    content = {"model_type": "deepseek_v3", "hidden_size": 64, "n_shared_experts": None}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(GraphacctError, match=r"n_shared_experts is null: give a number, or leave it out"):
        graphacct.account(tmp_path, seq_len=8)
