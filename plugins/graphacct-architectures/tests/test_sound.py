"""Encoders of sound: what their files and workloads refuse, and what chance decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"model_type": "wav2vec2", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2},
    **{"intermediate_size": 12, "conv_dim": [4, 4], "conv_kernel": [10, 3], "conv_stride": [5, 2], "vocab_size": 11},
    **{"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2},
}


def file(folder: Path, **keys: Any) -> Path:
    path = folder / "small.json"
    path.write_text(json.dumps({**SMALL, **keys}))
    return path


def test_seconds_are_samples(tmp_path: Path) -> None:
    """16 kHz: half a second is 8,000 samples, and a second is what is read unless a size is given."""
    path = file(tmp_path)
    half = graphacct.account(path, audio_seconds=0.5).total
    assert half == graphacct.account(path, samples=8000).total
    assert graphacct.account(path).total == graphacct.account(path, samples=16000).total != half


def test_too_few_samples(tmp_path: Path) -> None:
    with pytest.raises(graphacct.ConfigError, match="samples is 19: the model's convolutions need 20 for one position"):
        graphacct.account(file(tmp_path), samples=19)
    assert graphacct.account(file(tmp_path), samples=20).total["params"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"conv_kernel": [3]}, "conv_kernel has 1 values and conv_dim 2: one for each convolution"),
        ({"num_conv_pos_embedding_groups": 3}, "hidden_size / num_conv_pos_embedding_groups: 8 is not divisible by 3"),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm cannot be 'batch'"),
        (
            {"architectures": ["Wav2Vec2ForSequenceClassification"], "add_adapter": True},
            "add_adapter is true, which Wav2Vec2ForSequenceClassification does not support",
        ),
        (
            {"architectures": ["Wav2Vec2ForXVector"], "add_adapter": True, "output_hidden_size": 6},
            "output_hidden_size is 6, but Wav2Vec2ForXVector reads hidden_size 8",
        ),
        (
            {"architectures": ["Wav2Vec2ForXVector"], "tdnn_kernel": [1, 2]},
            "tdnn_kernel has 2 values and tdnn_dim 5: one for each convolution",
        ),
        (
            {"architectures": ["Wav2Vec2ForCTC"], "vocab_size": None},
            "vocab_size is null, but Wav2Vec2ForCTC has logits of so many letters",
        ),
    ],
)
def test_what_a_file_may_not_say(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(file(tmp_path, **keys), samples=200)


def test_layers_that_chance_drops_are_told(tmp_path: Path) -> None:
    """They run here; the library drops some in each step."""
    found = graphacct.account(file(tmp_path), phase="train", samples=400)
    told = "layerdrop 0.1: the layers that chance drops are counted as if they ran"
    assert told in json.dumps(found.to_dict())
    without = graphacct.account(file(tmp_path, layerdrop=0.0), phase="train", samples=400)
    assert "chance drops" not in json.dumps(without.to_dict())


def test_a_step_computes_the_samples_gradient(tmp_path: Path) -> None:
    """The library asks for it, so the first convolution's input gradient is work too: twice the forward pass."""
    found = graphacct.account(file(tmp_path), phase="train", samples=400, loss="sum").total
    assert found["step_matmul_flops"] == 3 * found["matmul_flops"]


def test_frames_of_a_spectrum_are_those_of_the_positions(tmp_path: Path) -> None:
    path = tmp_path / "ast.json"
    path.write_text(json.dumps({"model_type": "audio-spectrogram-transformer", "max_length": 64, "num_mel_bins": 32}))
    graphacct.account(path, frames=64)
    with pytest.raises(graphacct.ConfigError, match="frames 65 is not max_length 64, for which the model has learned"):
        graphacct.account(path, frames=65)
