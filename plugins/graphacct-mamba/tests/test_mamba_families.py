"""Families read from a config.json, equal to the unit with what torch measured: tests/goldens/README.md."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.graph.graph import Graph

GOLDENS = Path(__file__).parent / "goldens"
CASES = sorted(path.parent.name for path in GOLDENS.glob("*/truth.json"))
LATENT = ("small-kimi_linear", "small-bailing_hybrid")
"""Cases whose decoding step expands no cached latent, unlike the library's, unless attention is written out."""
TINY = {
    "minimax": {
        "model_type": "minimax",
        "dtype": "float32",
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 4,
        "intermediate_size": 20,
        "vocab_size": 64,
        "pad_token_id": 0,
        "block_size": 16,
    },
    "kimi_linear": {
        "model_type": "kimi_linear",
        "dtype": "float32",
        "hidden_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 2,
        "layer_types": ["linear_attention", "full_attention"],
        "intermediate_size": 20,
        "moe_intermediate_size": 12,
        "vocab_size": 64,
        "pad_token_id": 0,
        "linear_head_dim": 8,
        "linear_num_heads": 3,
        "kv_lora_rank": 10,
        "qk_nope_head_dim": 6,
        "qk_rope_head_dim": 4,
        "v_head_dim": 5,
        "num_experts": 8,
    },
    "mamba": {"model_type": "mamba", "hidden_size": 16, "num_hidden_layers": 1, "state_size": 5, "vocab_size": 30},
    "mamba2": {
        "model_type": "mamba2",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_heads": 4,
        "head_dim": 8,
        "state_size": 5,
        "n_groups": 2,
        "chunk_size": 3,
        "vocab_size": 30,
    },
    "zamba2": {
        "model_type": "zamba2",
        "dtype": "float32",
        "hidden_size": 16,
        "num_hidden_layers": 5,
        "layers_block_type": ["hybrid", "mamba", "hybrid", "hybrid", "hybrid"],
        "num_mem_blocks": 2,
        "num_attention_heads": 4,
        "n_mamba_heads": 4,
        "mamba_d_state": 5,
        "chunk_size": 3,
        "adapter_rank": 3,
        "use_shared_attention_adapter": True,
        "use_mem_rope": True,
        "vocab_size": 30,
    },
    "falcon_h1": {
        "model_type": "falcon_h1",
        "dtype": "float32",
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_state": 5,
        "mamba_chunk_size": 4,
        "vocab_size": 30,
    },
    "qwen3_5_text": {
        "model_type": "qwen3_5_text",
        "dtype": "float32",
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "linear_key_head_dim": 4,
        "linear_value_head_dim": 6,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "vocab_size": 30,
    },
    "jamba": {
        "model_type": "jamba",
        "dtype": "float32",
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_experts": 4,
        "vocab_size": 30,
        "mamba_d_state": 5,
        "mamba_dt_rank": 3,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 100,
        "expert_layer_offset": 99,
    },
}
"""Configurations that are small enough to run."""
SAVED_BYTES = {
    "minimax": (24, 644064),
    "kimi_linear": (24, 5241848),
    "mamba": (7, 54232),
    "mamba2": (6, 43332),
    "jamba": (7, 77864),
    "zamba2": (6, 306900),
    "falcon_h1": (8, 123396),
}
"""Tokens, and what autograd keeps of 2 sequences of so many, in float32 on a CPU, up to the logits (torch 2.13.0,
transformers 5.23.0, paths in plain torch; attention fused). Jamba without a layer of experts, whose kernels in plain
torch loop over those that were hit."""


@cache
def truth(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDENS / case / "truth.json").read_text())
    return found


@cache
def report(case: str, **options: Any) -> graphacct.Report:
    return graphacct.account(GOLDENS / case, convention="matmul", **options)


def tiny(folder: Path, family: str, **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(TINY[family]))
    return graphacct.account(folder, **options)


def rows(section: str) -> list[Any]:
    return [
        pytest.param(case, row, id=f"{case}-{row['batch']}x{row.get('seq', row.get('cached_tokens'))}")
        for case in CASES
        for row in truth(case).get(section, ())
    ]


def starred(name: str) -> str:
    """A name as the goldens have it, with `*` for every index."""
    return ".".join("*" if part[0] in "*0123456789" else part for part in name.split("."))


@pytest.mark.parametrize("case", CASES)
def test_parameters(case: str) -> None:
    """Every name, shape and count of the state_dict; tied ones once in the total and marked by name."""
    expected = truth(case)["params"]
    found = report(case, seq_len=64)
    ours: dict[str, dict[str, Any]] = {}
    for row in found.by_parameter:
        if row.parameter.tied_to or row.parameter.buffer:
            continue
        name = starred(row.parameter.name)
        entry = ours.setdefault(name, {"params": 0, "tensors": 0, "shape": list(row.parameter.spec.shape)})
        entry["params"] += row.parameter.spec.elements * row.count
        entry["tensors"] += row.count
        if entry["shape"] != list(row.parameter.spec.shape):
            entry["shape"] = "varies"
    assert ours == expected["by_parameter_pattern"]
    assert found.total["params"] == expected["total"]
    tied = {starred(row.parameter.name) for row in found.by_parameter if row.parameter.tied_to}
    assert sorted(tied) == expected["tied_names"]


@pytest.mark.parametrize(("case", "row"), rows("forward"))
def test_forward_flops_by_module(case: str, row: dict[str, Any]) -> None:
    """The total and every module with FLOPs, and how many of each module there are."""
    found = report(case, batch=row["batch"], seq_len=row["seq"])
    assert found.total["matmul_flops"] == row["total"]
    ours: dict[str, list[int]] = {}
    for line in found.by_scope:
        path = ".".join("*" if part[:1] in "*0123456789" else part for part in line.path.split("."))
        entry = ours.setdefault(path, [0, 0])
        entry[0] += line.values["matmul_flops"]
        entry[1] += line.repeat
    known = row.get("by_module", {})
    for path, (_, count) in known.items():
        if path.endswith(".*") and f"{path}.*" in ours:  # a Sequential in a list has the row of its parts
            ours.setdefault(path, [ours[f"{path}.*"][0], count])
    modules = {path: figures for path, figures in known.items() if path != "(root)"}
    assert {path: ours.get(path) for path in modules} == modules


@pytest.mark.parametrize(("case", "row"), rows("train_step_grouped_conv_corrected"))
def test_a_training_step(case: str, row: dict[str, Any]) -> None:
    """Forward, input gradients and weight gradients; torch's counter sees the weight gradient of a convolution in
    groups as many times over as there are groups, which the figure is corrected for."""
    found = report(case, batch=row["batch"], seq_len=row.get("size", row.get("seq")), phase="train", loss="sum")
    assert found.total["step_matmul_flops"] == row["total"]


@pytest.mark.parametrize(("case", "row"), rows("decode"))
def test_a_decoding_step(case: str, row: dict[str, Any]) -> None:
    """One new token on a state; of Falcon Mamba the measured pass began with an empty cache, a prefill of one token."""
    size = {"phase": "decode", "cache_len": row["cached_tokens"]}
    if case == "falcon-mamba-7b":
        size = {"phase": "prefill", "seq_len": 1}
    if case in LATENT:
        size["attention"] = "eager"
    found = report(case, batch=row["batch"], **size)
    assert found.total["matmul_flops"] == row["total"]


@pytest.mark.parametrize(("case", "row"), rows("prefill"))
def test_a_prefill(case: str, row: dict[str, Any]) -> None:
    """A forward pass that leaves states, and keys and values where there is attention."""
    found = report(case, batch=row["batch"], seq_len=row["seq"], phase="prefill")
    assert found.total["matmul_flops"] == row["total"]


@pytest.mark.parametrize("family", SAVED_BYTES)
def test_what_is_kept_is_what_torch_keeps(tmp_path: Path, family: str) -> None:
    """Byte by byte, the scan's states among them."""
    tokens, expected = SAVED_BYTES[family]
    found = tiny(tmp_path, family, batch=2, seq_len=tokens, phase="train", loss="sum", profile="torch-eager-cpu")
    assert found.total["saved_bytes"] == expected


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("family", TINY)
def test_folded_equals_unrolled(tmp_path: Path, family: str, phase: str) -> None:
    """Layers drawn once cost what they cost one by one."""
    (tmp_path / "config.json").write_text(json.dumps(TINY[family]))
    graph: Graph = graphacct.build(tmp_path, seq_len=9, phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


@pytest.mark.parametrize("phase", ["forward", "prefill"])
def test_logits_of_the_last_position_alone(phase: str) -> None:
    """A head that sees one position of each sequence."""
    row = truth("mamba-130m")["prefill_last_logit"]
    found = report("mamba-130m", batch=row["batch"], seq_len=row["seq"], phase=phase, logits="last")
    assert found.total["matmul_flops"] == row["total"]


def test_a_hub_file_says_the_same() -> None:
    """The older config.json, without the keys of today, describes the same model; so does the preset."""
    given = {"seq_len": 64, "convention": "matmul"}
    expected = graphacct.account(GOLDENS / "mamba-130m", **given).total
    assert graphacct.account(GOLDENS / "mamba-130m" / "hub", **given).total == expected
    assert graphacct.account("mamba-130m", **given).total == expected


def test_a_step_costs_the_same_after_any_number_of_tokens() -> None:
    """The state does not grow, which is the point of it."""
    steps = [graphacct.account("mamba-130m", phase="decode", cache_len=length).total for length in (1, 1_000_000)]
    assert steps[0] == steps[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "gleu"}, "hidden_act cannot be 'gleu'; did you mean 'gelu'"),
        ({"time_step_rank": -1}, "time_step_rank must be"),
        ({"state_size": "wide"}, "state_size must be"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The key and the value."""
    (tmp_path / "config.json").write_text(json.dumps({**TINY["mamba"], **change}))
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(tmp_path)


BASES = {"mamba": ("MambaModel", "backbone"), "mamba2": ("Mamba2Model", "backbone"), "jamba": ("JambaModel", "model")}
"""The classes without a head, and the module that the model is in with one."""


@pytest.mark.parametrize("family", BASES)
def test_a_base_class_is_the_model_without_its_head(tmp_path: Path, family: str) -> None:
    """The same tensors without the prefix and the head's, and 2 * 6 * 16 * 30 FLOPs fewer for 6 tokens."""
    name, prefix = BASES[family]
    content = {**TINY[family], "tie_word_embeddings": False}
    found = []
    for architectures in ([], [name]):
        (tmp_path / "config.json").write_text(json.dumps({**content, "architectures": architectures}))
        found.append(graphacct.account(tmp_path, seq_len=6, convention="matmul"))
    names = [[row.parameter.name for row in report.by_parameter] for report in found]
    assert [name.removeprefix(f"{prefix}.") for name in names[0] if name != "lm_head.weight"] == names[1]
    assert found[0].total["matmul_flops"] - found[1].total["matmul_flops"] == 2 * 6 * 16 * 30
    with pytest.raises(graphacct.GraphacctError, match=f"{name} has no logits for a cross_entropy"):
        graphacct.account(tmp_path, seq_len=6, phase="train", loss="cross_entropy")
    with pytest.raises(graphacct.GraphacctError, match=f"{name} computes no logits"):
        graphacct.account(tmp_path, seq_len=6, logits="last")


def test_channels_may_be_stated(tmp_path: Path) -> None:
    """`intermediate_size` counts before `expand` times the width, and the keys of the first implementation (`d_model`,
    `n_layer`) are of no account, as the transformers library reads a file: out_proj is 12 to 16 in 1 layer."""
    content = {**TINY["mamba"], "intermediate_size": 12, "d_model": 99, "n_layer": 9}
    (tmp_path / "config.json").write_text(json.dumps(content))
    report = graphacct.account(tmp_path, seq_len=6)
    (row,) = (row for row in report.by_parameter if row.parameter.name.endswith("out_proj.weight"))
    assert (row.parameter.spec.shape, row.count) == ((16, 12), 1)


ZAMBA = {
    **{"model_type": "zamba", "architectures": ["ZambaForCausalLM"], "vocab_size": 100, "hidden_size": 32},
    **{"intermediate_size": 40, "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 4},
    "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid", "hybrid"],
}


@pytest.mark.parametrize("kind", ["mamba", "linear_attention"])
def test_zamba_shares_one_block(kind: str) -> None:
    """Figures of the library's class (5.23) for 10 tokens; one block is shared by three layers unless nothing is tied,
    and both spellings of a layer's kind are read."""
    model = {**ZAMBA, "layers_block_type": [kind, "hybrid", kind, "hybrid", "hybrid"]}
    found = graphacct.account(model, seq_len=10, attention="eager", convention="matmul").total
    assert (found["params"], found["matmul_flops"]) == (74_336, 2_273_280)
    apart = graphacct.account({**model, "tie_word_embeddings": False}, seq_len=10).total["params"]
    block = 64 + 4 * 64 * 64 - 64 * 32 + 32 + 3 * 32 * 40
    assert apart == 74_336 + 100 * 32 + 2 * block


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
def test_zamba_folded_equals_unrolled(phase: str) -> None:
    graph = graphacct.build(ZAMBA, seq_len=9, batch=2, phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


def test_lfm2_that_sees_the_whole_text() -> None:
    """LFM2.5-Embedding-350M's class: the decoder alone, whose convolution pads as much before a text as behind it, so
    that it runs over the text's positions and no more."""
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 20}
    model = {"model_type": "lfm2", **sizes, "num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]}
    found = graphacct.account({**model, "architectures": ["Lfm2BidirectionalModel"]}, seq_len=10, convention="matmul")
    plain = graphacct.account({**model, "architectures": ["Lfm2Model"]}, seq_len=10, convention="matmul")
    assert found.total["params"] == plain.total["params"]
    assert plain.total["matmul_flops"] - found.total["matmul_flops"] == 2 * 2 * 3 * 32
    with pytest.raises(graphacct.GraphacctError, match="sees the whole text has no phase 'decode'"):
        graphacct.account({**model, "architectures": ["Lfm2BidirectionalModel"]}, phase="decode", cache_len=4)
    with pytest.raises(graphacct.GraphacctError, match="Lfm2OtherModel"):
        graphacct.account({**model, "architectures": ["Lfm2OtherModel"]}, seq_len=4)


BAICHUAN_M1 = {
    **{"model_type": "baichuan_m1", "vocab_size": 40, "hidden_size": 32, "intermediate_size": 24},
    **{"num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "num_swa_attention_heads": 8},
    **{"num_swa_key_value_heads": 4, "sliding_window": 5, "sliding_window_layers": [1, 3], "conv_window": 2},
}
"""As mlx-lm's `baichuan_m1.py` has the keys of huggingface.co/baichuan-inc/Baichuan-M1-14B-Instruct."""


def test_baichuan_mixes_keys_of_two_tokens() -> None:
    """Two numbers for each head of keys and of values; and the cache keeps one token as it was before."""
    found = graphacct.account(BAICHUAN_M1, seq_len=9).total["params"]
    full, windowed = (32 * (32 + 2 * 16) + 32 * 32 + 2 * 2 * heads for heads in (2, 4))
    assert found == 2 * 40 * 32 + 2 * (full + windowed) + 4 * (3 * 32 * 24 + 2 * 32) + 32
    cached = graphacct.account(BAICHUAN_M1, phase="decode", cache_len=9).total
    assert cached["kv_cache_bytes"] == 2 * 2 * 2 * 16 * (10 + 5)
    graph = graphacct.build(BAICHUAN_M1, seq_len=9, phase="prefill")
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total
    with pytest.raises(graphacct.GraphacctError, match="conv_window is 3: this family mixes 2"):
        graphacct.account({**BAICHUAN_M1, "conv_window": 3}, seq_len=4)
