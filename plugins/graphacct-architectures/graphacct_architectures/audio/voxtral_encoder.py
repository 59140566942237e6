"""Voxtral's encoder of sound, which is Whisper's.

Liu et al., 2025 (arXiv:2507.13264).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.audio.parts.frames import Heard, encoder_alone


@frozen(kw_only=True)
class VoxtralEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    pool: ClassVar[int | None] = None
    """How many positions after the last layer are one, their mean."""

    architectures: str = fields.model_class("VoxtralEncoder", ("VoxtralEncoder",))
    num_mel_bins: Dim = fields.size(128)
    hidden_size: Dim = fields.size(1280)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(20)
    intermediate_size: Dim = fields.size(5120)
    max_source_positions: Dim = fields.size(1500)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def heard(config: VoxtralEncoderConfig) -> Heard:
    """Returns the encoder's sizes."""
    return Heard(
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        config.num_mel_bins,
        config.max_source_positions,
        config.activation_function,
        config.attention_dropout,
        config.activation_dropout,
        pool=config.pool,
    )


ALIASES = {
    "d_model": "hidden_size",
    "encoder_layers": "num_hidden_layers",
    "encoder_attention_heads": "num_attention_heads",
    "encoder_ffn_dim": "intermediate_size",
}
"""The library's other names of keys, which win there."""
ARCHITECTURE = encoder_alone(
    "voxtral_encoder",
    VoxtralEncoderConfig,
    heard,
    PresetFiles(__file__),
    doc="Voxtral's encoder of sound, which is Whisper's.",
    aliases={"torch_dtype": "dtype", **ALIASES},
    translated=frozenset(ALIASES),
    no_cost={"vocab_size": None, "layerdrop": None, "encoder_layerdrop": None},
)
