"""Our architectures against the library's classes: every figure of small ones is equal."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import graphacct

pytestmark = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers")
LLAMA = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 99}),
        ("llama", {**LLAMA, "num_key_value_heads": 2, "max_position_embeddings": 64}),
        ("bert", {**LLAMA, "max_position_embeddings": 64, "architectures": ["BertForMaskedLM"]}),
        ("mixtral", {**LLAMA, "num_key_value_heads": 2, "num_local_experts": 4}),
    ],
)
def test_every_figure_is_equal(model: str, sizes: dict[str, Any]) -> None:
    """Parameters by name, FLOPs by module in both passes, saved bytes and peaks."""
    found = graphacct.verify_class(model, set=sizes, batch=2, seq_len=16, dtype="fp32")
    assert found.measured.name.startswith("transformers ")
    assert {line.what for line in found.lines} == {
        *("params", "forward", "step"),
        *("saved_bytes", "peak_bytes", "backward_peak_bytes"),
    }
    assert not found.differences


def test_fused_attention_is_what_the_counter_does_not_see() -> None:
    """It is named, and its FLOPs differ."""
    sizes = {**LLAMA, "num_key_value_heads": 2}
    found = graphacct.verify_class("llama", set=sizes, seq_len=16, attention="fused")
    assert found.measured.blind["aten._scaled_dot_product_flash_attention_for_cpu"] == 2
    assert {line.path for line in found.differences if line.what == "forward"} == {
        *("", "model", "model.layers.*", "model.layers.*.self_attn")
    }
