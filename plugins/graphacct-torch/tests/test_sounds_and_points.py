"""`graphacct verify --torch` gives a class the sounds beside a text, and the points beside an image, that ours has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

pytest.importorskip("transformers")
TEXT = {
    **{"model_type": "qwen2", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 100},
}
QWEN2_AUDIO = {
    **{"model_type": "qwen2_audio", "architectures": ["Qwen2AudioForConditionalGeneration"], "audio_token_index": 7},
    "audio_config": {
        **{"model_type": "qwen2_audio_encoder", "num_mel_bins": 8, "d_model": 16, "encoder_layers": 1},
        **{"encoder_attention_heads": 2, "encoder_ffn_dim": 20, "max_source_positions": 20},
    },
    "text_config": TEXT,
}
SAM = {
    **{"model_type": "sam", "architectures": ["SamModel"]},
    "vision_config": {
        **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 64, "patch_size": 16},
        **{"global_attn_indexes": [0], "window_size": 2, "mlp_dim": 32, "output_channels": 16, "num_pos_feats": 8},
    },
    "prompt_encoder_config": {"hidden_size": 16, "image_size": 64, "patch_size": 16},
    "mask_decoder_config": {
        **{"hidden_size": 16, "mlp_dim": 20, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    },
}


@pytest.mark.parametrize(
    ("content", "workload"),
    [(QWEN2_AUDIO, {"batch": 2, "audios": 2, "seq_len": 25}), (SAM, {"batch": 2, "points": 3})],
    ids=("qwen2_audio", "sam"),
)
def test_sounds_and_points(content: dict[str, Any], workload: dict[str, int], tmp_path: Path) -> None:
    """Each module of the tower, the projector and the decoder of masks has the FLOPs that the class has."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    found = graphacct.verify_class(path, **workload)
    assert not [line for line in found.differences if line.what in ("params", "forward", "step")]
    assert any("tower" in line.path or "mask_decoder" in line.path for line in found.lines if line.ours)


def test_keys_of_parts(tmp_path: Path) -> None:
    """A key that the user overrides inside an object counts in both."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(QWEN2_AUDIO))
    found = graphacct.verify_class(path, set={"text_config.num_hidden_layers": 2}, audios=0, seq_len=9)
    assert not [line for line in found.differences if line.what == "params"]


def test_one_tensor(tmp_path: Path) -> None:
    """A class that returns a tensor and no object: HiFi-GAN."""
    path = tmp_path / "config.json"
    sizes = {"upsample_initial_channel": 16, "upsample_rates": [2, 2], "upsample_kernel_sizes": [4, 4]}
    blocks = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]], "model_in_dim": 8}
    path.write_text(json.dumps({"model_type": "speecht5_hifigan", **sizes, **blocks}))
    found = graphacct.verify_class(path, frames=7)
    assert not [line for line in found.differences if line.what in ("params", "forward", "step", "saved_bytes")]


def test_frames_in_the_place_of_words(tmp_path: Path) -> None:
    """Pop2Piano's encoder is given frames as wide as its stream, as many as the workload says, and no words."""
    path = tmp_path / "config.json"
    sizes = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 20, "num_layers": 1, "num_heads": 2}
    path.write_text(json.dumps({"model_type": "pop2piano", **sizes}))
    found = graphacct.verify_class(path, frames=9, seq_len=5)
    assert not [line for line in found.differences if line.what in ("params", "forward", "step")]
