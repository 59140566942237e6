"""A file of a model of texts and images whose class is that of its text model, or of its tower, alone."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL = {"hidden_size": 32, "intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 4}
SMALL |= {"num_key_value_heads": 2, "vocab_size": 64}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8}
LINEAR |= {"linear_value_head_dim": 8, "head_dim": 16, "hidden_size": 64, "intermediate_size": 48}
ROPE = {"rope_type": "default", "mrope_section": [1, 1, 0], "rope_theta": 1e4, "partial_rotary_factor": 0.25}
TEXTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "Qwen3_5ForCausalLM": ("qwen3_5", {**SMALL, **LINEAR, "rope_parameters": ROPE, "tie_word_embeddings": True}, 84880),
    "Llama4ForCausalLM": (
        "llama4",
        {**SMALL, "intermediate_size_mlp": 48, "head_dim": 8, "num_local_experts": 2},
        35360,
    ),
    "Llama4TextModel": ("llama4", {**SMALL, "intermediate_size_mlp": 48, "head_dim": 8, "num_local_experts": 2}, 33312),
    "MllamaForCausalLM": ("mllama", {**SMALL, "cross_attention_layers": [1], "pad_token_id": 1}, 23090),
    "MllamaTextModel": ("mllama", {**SMALL, "cross_attention_layers": [1], "pad_token_id": 1}, 21042),
}
"""Each class's type, keys of its text, and the parameters of the transformers library's class (5.23)."""


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_alone(name: str) -> None:
    """The same report as that of a file with the text's keys alone, and the header says which part it is."""
    kind, text, params = TEXTS[name]
    found = graphacct.account({"model_type": kind, "architectures": [name], "text_config": text}, seq_len=8)
    assert found.total["params"] == params
    assert found.config_keys.read_as == f"text_config of {kind}, by its class {name}"
    inner = {"qwen3_5": "qwen3_5_text", "llama4": "llama4_text", "mllama": "mllama_text_model"}[kind]
    alone = graphacct.account({**text, "model_type": inner, "architectures": [name]}, seq_len=8)
    assert alone.total == found.total
    assert [row.parameter.name for row in alone.by_parameter] == [row.parameter.name for row in found.by_parameter]


def test_the_tower_alone() -> None:
    """Its batch is images, and weights that are packed are the outer file's."""
    tower = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    tower |= {"patch_size": 14, "image_size": 56, "projector_input_dim": 16, "projector_output_dim": 16}
    outer = {"model_type": "llama4", "architectures": ["Llama4VisionModel"], "vision_config": tower, "dtype": "float32"}
    found = graphacct.account(outer, batch=2)
    assert found.workload["image_size"] == (56, 56)
    assert found.workload["dtype"] == "float32"
    assert not [row for row in found.by_parameter if "embed_tokens" in row.parameter.name]
