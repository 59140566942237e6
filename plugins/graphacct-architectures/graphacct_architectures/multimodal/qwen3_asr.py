"""Qwen3-ASR: an encoder of sound that sees windows, two linear layers, Qwen3 or any decoder.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import ConfigError, Dim, SubModel, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step
from graphacct_architectures.multimodal.parts.sounds import audio_model, sounds_and_text

CLASSES = ("Qwen3ASRForConditionalGeneration", "Qwen3ASRModel")
OLDER_ENCODER = "qwen3_asr_audio_encoder"
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


def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a file's keys as today's files have them: an older one has all in `thinker_config`, and the encoder's
    type under another name. Raises ConfigError for a `thinker_config` that is no object."""
    if "thinker_config" not in content:
        return content
    held = content["thinker_config"]
    if not isinstance(held, Mapping):
        raise ConfigError(f"thinker_config is {brief(held)}, not an object with the model's keys")
    beside = {key: value for key, value in content.items() if key != "thinker_config"}
    found = {**beside, **held, **{key: content[key] for key in ("model_type", "architectures") if key in content}}
    encoder = found.get("audio_config")
    if isinstance(encoder, Mapping) and encoder.get("model_type") == OLDER_ENCODER:
        found["audio_config"] = {**encoder, "model_type": "qwen3_asr_encoder"}
    return found


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
    prepare=prepare,
    no_cost=dict.fromkeys(("token_classification_bias", "support_languages", "max_source_positions", "conv_chunksize")),
    doc="Qwen3-ASR: an encoder of sound that sees windows, two linear layers, any decoder.",
)
