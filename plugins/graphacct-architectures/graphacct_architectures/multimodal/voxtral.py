"""Voxtral: Whisper's encoder, four positions beside one another, a network of one hidden layer, any decoder.

Liu et al., 2025 (arXiv:2507.13264).
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step
from graphacct_architectures.multimodal.parts.sounds import Regrouped, audio_model, sounds_and_text

CLASSES = ("VoxtralForConditionalGeneration", "VoxtralModel")
TEXT: dict[str, Any] = {
    **{"vocab_size": 131072, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 30, "head_dim": 128},
    **{"num_key_value_heads": 8, "max_position_embeddings": 131072},
}
"""The text model's keys that count where a file leaves them out."""


@frozen(kw_only=True)
class VoxtralConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("voxtral_encoder")
    text_config: SubModel = text_model("llama", absent=TEXT)
    projector_hidden_act: str = activation("gelu")
    dtype: str | None = fields.dtype()


def steps(config: VoxtralConfig, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps."""
    return (
        Regrouped(config.audio_config.config.intermediate_size, together=True),
        Linear("linear_1", width, bias=False),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", width, bias=False),
    )


ARCHITECTURE = sounds_and_text(
    "voxtral",
    VoxtralConfig,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: False,
    doc="Voxtral: Whisper's encoder, four positions beside one another, two linear layers, any decoder.",
)
