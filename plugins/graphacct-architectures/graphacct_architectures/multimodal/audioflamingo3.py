"""Audio Flamingo 3: Whisper's encoder, positions averaged in pairs, a network of one hidden layer, any decoder.

Goel et al., 2025 (arXiv:2507.08128).
"""

from __future__ import annotations

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step
from graphacct_architectures.multimodal.parts.sounds import Chosen, audio_model, sounds_and_text

CLASSES = ("AudioFlamingo3ForConditionalGeneration", "AudioFlamingo3Model")


@frozen(kw_only=True)
class AudioFlamingo3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("audioflamingo3_encoder")
    text_config: SubModel = text_model("qwen2")
    projector_hidden_act: str = activation("gelu")
    projector_bias: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def steps(config: AudioFlamingo3Config, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps."""
    return (
        Linear("linear_1", width, bias=config.projector_bias),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", width, bias=config.projector_bias),
        Chosen(config.audio_config.config.max_source_positions // 2),
    )


ARCHITECTURE = sounds_and_text(
    "audioflamingo3",
    AudioFlamingo3Config,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: False,
    doc="Audio Flamingo 3: Whisper's encoder, positions averaged in pairs, two linear layers, any decoder.",
)
