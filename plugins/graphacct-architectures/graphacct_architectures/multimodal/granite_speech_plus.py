"""Granite Speech Plus: Granite Speech, whose Q-Former reads the streams of several layers beside one another.

Saon et al., 2025 (arXiv:2505.08699).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.granite_speech import GraniteSpeechConfig, audios, compose
from graphacct_architectures.multimodal.parts.sounds import audio_model, sounding

CLASSES = ("GraniteSpeechPlusForConditionalGeneration", "GraniteSpeechPlusModel")


@frozen(kw_only=True)
class GraniteSpeechPlusConfig(GraniteSpeechConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    encoder_config: SubModel = audio_model("granite_speech_plus_encoder", always=True)


ARCHITECTURE = sounding(
    "granite_speech_plus",
    GraniteSpeechPlusConfig,
    compose,
    __file__,
    lambda config: config.encoder_config,
    classes=CLASSES,
    audios=audios,
    no_cost=dict.fromkeys(("has_lora_adapter", "audio_token_index")),
    doc="Granite Speech Plus: Granite Speech, whose Q-Former reads several layers.",
)
