"""What families of decoders refuse, and old and new spellings of their configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import Block
from graphacct.errors import ConfigError
from graphacct.graph.repetitions import repetitions

UNFOLDED = {
    "gpt-neo-125m": {},
    "opt-350m": {"num_hidden_layers": 8},
    "falcon-rw-1b": {"num_hidden_layers": 8},
    "stablelm-2-12b": {"num_hidden_layers": 8},
    "gpt-j-6b": {"n_layer": 8},
    "bloom-560m": {"n_layer": 8},
    "phi-3-mini-4k": {"num_hidden_layers": 8},
}
"""Presets, and the keys that make them shallow: one of 8 layers stands for 4, which is as folded as 40."""


@pytest.mark.parametrize(
    ("preset", "keys", "message"),
    [
        ("pythia-1b", {"num_attention_heads": 7}, "hidden_size / num_attention_heads"),
        ("gpt-j-6b", {"rotary_dim": 512}, "rotary_dim 512 is more than the 256 dimensions of a head"),
        ("codegen-350m", {"n_head": 2}, "the parts of the joint projection"),
        ("gpt-neo-125m", {"attention_types": [[["global"], 5]]}, "attention_types has 5 layers and num_layers is 12"),
        ("gpt-neo-125m", {"attention_types": [[["near"], 12]]}, "the kinds are global and local"),
        ("opt-125m", {"activation_function": "rleu"}, "did you mean 'relu'"),
        ("falcon-40b", {"num_kv_heads": 7}, "num_attention_heads / num_kv_heads"),
    ],
)
def test_what_does_not_fit_is_named(preset: str, keys: dict[str, Any], message: str) -> None:
    """A size that does not divide, a kind or an activation that nobody knows: the key and the way out."""
    with pytest.raises(ConfigError) as error:
        graphacct.account(preset, seq_len=8, set=keys)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("preset", "key"),
    [("opt-125m", "max_position_embeddings"), ("gpt-neo-125m", "max_position_embeddings"), ("gpt-j-6b", "n_positions")],
)
def test_positions_that_a_model_has_no_table_for(preset: str, key: str) -> None:
    """2,048 positions are learned, or made with the model; one more is refused unless the table is made longer."""
    with pytest.raises(ConfigError, match=f"seq_len 2049 is beyond {key} 2048.*--set {key}=2049"):
        graphacct.account(preset, seq_len=2049)
    graphacct.account(preset, seq_len=2049, set={key: 2049})


@pytest.mark.parametrize("phase", ["forward", "train", "decode"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("preset", UNFOLDED)
def test_folded_layers_are_the_layers_themselves(preset: str, attention: str, phase: str) -> None:
    """Every total is equal on the folded and on the unrolled graph."""
    sizes = {"attention": attention, "phase": phase, **({"cache_len": 300} if phase == "decode" else {"seq_len": 300})}
    graph = graphacct.build(preset, set=UNFOLDED[preset], **sizes)
    assert any(max(repetitions(node)) > 1 for node in graph.nodes if isinstance(node, Block))
    assert graphacct.account(graph).total == graphacct.account(graph.unroll()).total


def test_gpt2_of_the_hubs_first_days(tmp_path: Path) -> None:
    """`n_ctx`, `torch_dtype` and keys without a cost; a null where the default is a rule."""
    content = {"model_type": "gpt2", "n_ctx": 512, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": None}
    content |= {"summary_type": "cls_index", "predict_special_tokens": True, "torch_dtype": "float16"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = graphacct.account(tmp_path)
    assert (found.workload["seq_len"], found.workload["dtype"]) == (512, "float16")
    # wte 50257·64, wpe 512·64, 2 layers of 12·64² + 13·64, ln_f 2·64
    assert found.total["params"] == 50257 * 64 + 512 * 64 + 2 * (12 * 64**2 + 13 * 64) + 2 * 64


def test_gpt2_alone_keeps_its_cross_attention_in_memory(tmp_path: Path) -> None:
    """Without an encoder there is nothing to attend to: the parameters are there, and no work.

    A layer has c_attn (keys and values), q_attn, c_proj and ln_cross_attn: 8·16 + 16, 8·8 + 8, 8·8 + 8, 2·8.
    """
    sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 16, "n_positions": 16}
    totals = []
    for crossed in (False, True):
        content = {"model_type": "gpt2", **sizes, "add_cross_attention": crossed}
        (tmp_path / "config.json").write_text(json.dumps(content))
        totals.append(graphacct.account(tmp_path, seq_len=4).total)
    plain, crossed_total = totals
    assert crossed_total["params"] - plain["params"] == 2 * (8 * 16 + 16 + 2 * (8 * 8 + 8) + 2 * 8)
    assert crossed_total["flops"] == plain["flops"]


@pytest.mark.parametrize("kind", ["mistral", "qwen3_moe", "olmo2", "phi3", "granitemoeshared"])
def test_heads_that_do_not_divide_the_width(kind: str) -> None:
    """The library's classes take the whole part: 4 heads of 16 in a width of 66. Those of Llama and Qwen2-VL refuse."""
    keys: dict[str, Any] = {"hidden_size": 66, "num_attention_heads": 4, "num_key_value_heads": 4}
    keys |= {"head_dim": None} if kind in ("mistral", "qwen3_moe") else {}
    found = graphacct.account({"model_type": kind, "num_hidden_layers": 1, **keys}, seq_len=4, quantities=["params"])
    assert found["model.layers.*.self_attn.o_proj"].values["params"] == 64 * 66
    for refuses in ("llama", "qwen2_vl_text"):
        with pytest.raises(ConfigError, match="66 is not divisible by 4"):
            graphacct.account({"model_type": refuses, **{key: keys[key] for key in list(keys)[:3]}}, seq_len=4)
