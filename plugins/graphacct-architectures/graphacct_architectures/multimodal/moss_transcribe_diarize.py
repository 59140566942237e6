"""MOSS-Transcribe-Diarize: Whisper's encoder, positions beside one another, a network of one hidden layer and a norm.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Normed, Step
from graphacct_architectures.multimodal.parts.sounds import Chosen, Regrouped, audio_model, sounds_and_text

CLASSES = ("MossTranscribeDiarizeForConditionalGeneration", "MossTranscribeDiarizeModel")
TEXT: dict[str, Any] = {
    **{"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    **{"num_key_value_heads": 8, "max_position_embeddings": 131072},
}
"""The text model's keys if a file has none."""


@frozen(kw_only=True)
class MossTranscribeDiarizeConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("moss_transcribe_diarize_audio", always=True)
    text_config: SubModel = text_model("qwen3", TEXT)
    projector_hidden_act: str = activation("silu")
    projector_bias: bool = fields.flag(True)
    audio_merge_size: Dim = fields.size(4)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def steps(config: MossTranscribeDiarizeConfig, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps."""
    encoder = config.audio_config.config
    return (
        Chosen(encoder.max_source_positions),
        Regrouped(encoder.hidden_size * config.audio_merge_size, together=True),
        Linear("linear_1", width, bias=config.projector_bias),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", width, bias=config.projector_bias),
        Normed("norm", Norm(LAYER_NORM, bias=True)),
    )


ARCHITECTURE = sounds_and_text(
    "moss_transcribe_diarize",
    MossTranscribeDiarizeConfig,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    no_cost=dict.fromkeys(("audio_chunk_size",)),
    doc="MOSS-Transcribe-Diarize: Whisper's encoder, positions beside one another, two linear layers, any decoder.",
)
