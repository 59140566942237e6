"""Qwen3-ASR: an encoder of sound that sees windows, two linear layers, Qwen3 or any decoder.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step
from graphacct_architectures.multimodal.parts.sounds import audio_model, sounds_and_text

CLASSES = ("Qwen3ASRForConditionalGeneration", "Qwen3ASRModel")
TEXT: dict[str, Any] = {
    **{"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16},
    **{"num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 65536},
}
"""The text model's keys if a file has none."""


@frozen(kw_only=True)
class Qwen3ASRConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("qwen3_asr_encoder")
    text_config: SubModel = text_model("qwen3", TEXT)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def steps(config: Qwen3ASRConfig, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps."""
    encoder = config.audio_config.config
    act = Activated(ACTIVATIONS[encoder.activation_function])
    return (Linear("linear_1", encoder.d_model), act, Linear("linear_2", encoder.output_dim))


ARCHITECTURE = sounds_and_text(
    "qwen3_asr",
    Qwen3ASRConfig,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    no_cost=dict.fromkeys(("token_classification_bias",)),
    doc="Qwen3-ASR: an encoder of sound that sees windows, two linear layers, any decoder.",
)
