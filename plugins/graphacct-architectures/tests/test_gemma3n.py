"""Gemma 3n whole: its tower and its encoder alone, and what it is refused for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

TEXT = {
    **{"model_type": "gemma3n_text", "vocab_size": 320, "vocab_size_per_layer_input": 288, "hidden_size": 32},
    **{"intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2},
    **{"head_dim": 8, "hidden_size_per_layer_input": 12, "num_kv_shared_layers": 2, "laurel_rank": 8},
    **{"layer_types": ["sliding_attention", "full_attention"] * 2, "sliding_window": 16},
    **{"activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0], "pad_token_id": 0, "max_position_embeddings": 1024},
}
AUDIO = {
    **{"model_type": "gemma3n_audio", "vocab_size": 16, "vocab_offset": 304, "hidden_size": 32},
    **{"conf_num_attention_heads": 4, "conf_num_hidden_layers": 2, "input_feat_size": 24},
    **{"sscp_conv_channel_size": [8, 4], "conf_attention_chunk_size": 6, "conf_attention_context_left": 5},
    **{"conf_attention_context_right": 2, "conf_conv_kernel_size": 3},
}
VISION = {
    **{"model_type": "gemma3n_vision", "architecture": "mobilenetv5_300m_enc", "do_pooling": False, "num_classes": 2},
    **{"hidden_size": 2048, "vocab_size": 16, "vocab_offset": 288},
}
WHOLE = {
    **{"model_type": "gemma3n", "architectures": ["Gemma3nForConditionalGeneration"], "text_config": TEXT},
    **{"audio_config": AUDIO, "vision_config": VISION, "audio_soft_tokens_per_image": 20},
}


def read(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(content))
    return graphacct.account(folder, convention="matmul", attention="eager", **options)


def test_the_whole_model_is_the_librarys(tmp_path: Path) -> None:
    """Measured on transformers 5.23's class: parameters, and a forward pass of an image and a sound."""
    found = read(tmp_path, WHOLE, seq_len=284, frames=100, image_size=64)
    assert found.total["params"] == 294_349_472
    assert found.total["flops"] == 5_537_959_296


def test_the_encoder_of_sound_is_the_librarys(tmp_path: Path) -> None:
    found = read(tmp_path, {**AUDIO, "architectures": ["Gemma3nAudioEncoder"]}, batch=2, frames=100)
    assert found.total["params"] == 51_076
    assert found.total["flops"] == 5_418_752


def test_a_decoding_step_embeds_tokens_of_every_kind(tmp_path: Path) -> None:
    """The tables of images' and sounds' own tokens are read, the towers are in memory alone."""
    found = read(tmp_path, WHOLE, phase="decode", cache_len=300)
    assert found.total["params"] == 294_349_472
    graph = graphacct.build(tmp_path, phase="decode", cache_len=300)
    running = {node.name for node in graph.nodes if getattr(node, "operator", "") == "embedding"}
    assert {"model.embed_vision.embedding.run_0", "model.embed_audio.embedding.run_0"} <= running


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"frames": 900}, "makes 57 tokens, more than audio_soft_tokens_per_image 20"),
        ({"vision_soft_tokens_per_image": 64}, {}, "vision_soft_tokens_per_image is 64, and the tower makes 256"),
        ({"audio_config": {**AUDIO, "model_type": "gemma4_audio"}}, {}, "is not read inside gemma3n: gemma3n_audio is"),
        ({"vision_config": {**VISION, "architecture": "mobilenetv5_base"}}, {}, "'mobilenetv5_base' is timm's"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        read(tmp_path, {**WHOLE, **changes}, **{"seq_len": 284, "frames": 100, "image_size": 64, **options})
