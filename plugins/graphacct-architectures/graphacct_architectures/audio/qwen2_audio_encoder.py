"""Qwen2-Audio's encoder of sound: Whisper's, whose output is halved by means of two positions.

Chu et al., 2024 (arXiv:2407.10759).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.audio.parts.frames import Heard, encoder_alone


@frozen(kw_only=True)
class Qwen2AudioEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("Qwen2AudioEncoder", ("Qwen2AudioEncoder",))
    num_mel_bins: Dim = fields.size(128)
    d_model: Dim = fields.size(1280)
    encoder_layers: Dim = fields.size(32)
    encoder_attention_heads: Dim = fields.size(20)
    encoder_ffn_dim: Dim = fields.size(5120)
    max_source_positions: Dim = fields.size(1500)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def heard(config: Qwen2AudioEncoderConfig) -> Heard:
    """Returns the encoder's sizes."""
    return Heard(
        config.d_model,
        config.encoder_layers,
        config.encoder_attention_heads,
        config.encoder_ffn_dim,
        config.num_mel_bins,
        config.max_source_positions,
        config.activation_function,
        config.attention_dropout,
        config.activation_dropout,
        pool=2,
    )


ALIASES = {
    "num_hidden_layers": "encoder_layers",
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "intermediate_size": "encoder_ffn_dim",
}
"""The library's other names of keys, which win there."""
ARCHITECTURE = encoder_alone(
    "qwen2_audio_encoder",
    Qwen2AudioEncoderConfig,
    heard,
    PresetFiles(__file__),
    doc="Qwen2-Audio's encoder of sound: Whisper's, with means of two positions.",
    aliases={"torch_dtype": "dtype", **ALIASES},
    translated=frozenset(ALIASES),
)
